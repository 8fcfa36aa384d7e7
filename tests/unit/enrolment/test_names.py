import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.enrolment.names import clean_name, name_keys, same_name, similar_names
from edged.errors import EnrolmentError

WORDS = st.lists(st.text("abcdefghijklmnopqrstuvwxyzáéíñçšž", min_size=1, max_size=8), min_size=1, max_size=4)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("José García-López", "garcia lopez, jose"),
        ("Jürgen Müller", "Juergen Mueller"),
        ("Jürgen Müller", "Jurgen Muller"),
        ("Søren Ørsted", "Soeren Oersted"),
        ("O'Brien, Seán", "Sean O\u2019Brien"),
        ("Łukasz Żak", "Lukasz Zak"),
        ("Straße", "STRASSE"),
        ("DIYAR IŞIK", "Diyar I\u015f\u0131k"),
    ],
)
def test_spellings_of_one_name_are_the_same(one: str, other: str) -> None:
    assert same_name(name_keys(one), name_keys(other))


@pytest.mark.parametrize(
    ("one", "other"), [("Jan Novak", "Jana Novak"), ("Anna Schmidt", "Anne Schmidt"), ("Li Wei", "Wei Lin")]
)
def test_close_names_are_not_the_same(one: str, other: str) -> None:
    assert not same_name(name_keys(one), name_keys(other))


@given(words=WORDS, seed=st.randoms(use_true_random=False))
def test_order_case_and_spaces_do_not_matter(words: list[str], seed: object) -> None:
    shuffled = list(words)
    seed.shuffle(shuffled)  # type: ignore[attr-defined]
    assert same_name(name_keys(" ".join(words)), name_keys("  ".join(shuffled).upper()))


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("Hasan Wirajuda", {"hassan"}),
        ("Muhammad Ali", {"ali"}),
        ("Jan Peter Novak", {"jan"}),
        ("Petra Winter", set()),
        ("Jan", set()),
    ],
)
def test_near_names_are_found(name: str, found: set[str]) -> None:
    known = {
        key: owner
        for owner, other in (("hassan", "Hassan Wirajuda"), ("ali", "Mohammed Ali"), ("jan", "Novak, Jan"))
        for key in name_keys(other)
    }
    assert similar_names(name_keys(name), known) == found


def test_a_name_is_composed_and_trimmed() -> None:
    assert clean_name("  Jose\u0301   Garcia ") == "Jos\u00e9 Garcia"


@pytest.mark.parametrize("name", ["", "   ", "...", "a\x1b[2Jb", "a\u202eb", "x" * 201])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(EnrolmentError) as caught:
        clean_name(name)
    assert caught.value.reason == "bad_name"
