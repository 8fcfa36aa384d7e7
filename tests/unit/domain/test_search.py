"""The search against float64 for all rows, in every form in which rows are kept."""

import math
from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edged.domain import gallery as gallery_module
from edged.domain.bars import BarsOnDemand
from edged.domain.codes import MOST_DIMENSIONS, STEPS, Codes, blocked_products, coded, row_products
from edged.domain.gallery import GallerySnapshot, build_snapshot, with_bars
from edged.domain.lookalikes import LookalikeRule
from edged.domain.matching import best_match
from edged.domain.people import Person, Template, Veto
from edged.domain.search import Found, Search

RULE = LookalikeRule(threshold=0.4087, min_margin=0.06, strictest=0.48, stranger=0.33, alike=0.5)
FORMS = ("float32", "float32, int8 first", "int8")


def units(rows: np.ndarray) -> np.ndarray:
    return np.asarray(rows / np.linalg.norm(rows, axis=-1, keepdims=True), np.float32)


def search_of(rows: np.ndarray, form: str) -> Search:
    codes = Codes.of(rows)
    return {"float32": Search(rows), "float32, int8 first": Search(rows, codes), "int8": Search(codes)}[form]


def true_scores(search: Search, probe: np.ndarray) -> np.ndarray:
    """Float64 for all rows that are kept."""
    rows = search.rows
    kept = rows.values * rows.scale[:, None].astype(np.float64) if isinstance(rows, Codes) else rows
    return np.asarray(kept, np.float64) @ probe.astype(np.float64)


def snapshot_of(rows: np.ndarray, names: Iterable[str] | None = None, **terms: object) -> GallerySnapshot:
    ids = list(names or (f"p-{number}" for number in range(len(rows))))
    templates = [
        Template(f"t-{who}", who, "toy/1", row, 1.0, b"") for who, row in zip(ids, rows, strict=True)
    ]
    people = [Person(who, who) for who in ids]
    return build_snapshot("toy/1", rows.shape[1], 1, people, templates, **terms)  # type: ignore[arg-type]


@st.composite
def crowds(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """People with doubles, copies and near copies among them, and a face near some of them or like nobody."""
    random = np.random.default_rng(draw(st.integers(0, 2**31)))
    dimension = draw(st.sampled_from([2, 3, 16, 64, 512]))
    rows = units(random.normal(size=(draw(st.integers(1, 60)), dimension)))
    for _ in range(draw(st.integers(0, 6))):
        source, target = random.integers(len(rows), size=2)
        away = draw(st.sampled_from([0.0, 1e-7, 1e-4, 1e-2, 0.3]))
        rows[target] = units(rows[source] + away * random.normal(size=dimension) / math.sqrt(dimension))
    near = draw(st.sampled_from([0.0, 1e-3, 0.5, 3.0]))
    probe = units(
        rows[random.integers(len(rows))] + near * random.normal(size=dimension) / math.sqrt(dimension)
    )
    return rows, probe


@pytest.mark.parametrize("form", FORMS)
@given(crowds(), st.integers(1, 5))
@settings(deadline=None)
def test_the_best_are_those_of_float64_for_all_rows(
    form: str, crowd: tuple[np.ndarray, np.ndarray], count: int
) -> None:
    rows, probe = crowd
    search = search_of(rows, form)
    scores = true_scores(search, probe)
    found = search.nearest(probe, count)
    length = np.linalg.norm(probe.astype(np.float64))
    error = search.rows.error * length if isinstance(search.rows, Codes) else np.zeros(len(rows))
    least, most = scores - error, scores + error
    best = int(np.argmax(least))
    wanted = [best, *(row for row in np.lexsort((np.arange(len(rows)), -most)) if row != best)][:count]
    # Rows whose cosines differ by less than float64 can tell may stand in either order.
    assert [one.most for one in found[1:]] == pytest.approx([most[row] for row in wanted[1:]], abs=1e-12)
    assert found[0].least == pytest.approx(least[best], abs=1e-12)
    assert len({one.row for one in found}) == min(count, len(rows))


def in_numpy(rows: np.ndarray, probe: np.ndarray, count: int) -> list[Found]:
    """The answer from rows alone, bound by bound for every row and sorted as a whole."""
    off = np.full(1, len(probe) * 2.0**-23 * np.linalg.norm(probe.astype(np.float64)), np.float32)
    scores = row_products(rows, probe)
    surely = scores - off
    for _ in range(count - 1):
        surely[np.argmax(surely)] = -np.inf
    promising = np.flatnonzero(scores + off >= surely.max())
    cosines = np.einsum("ij,j->i", rows[promising].astype(np.float64), probe.astype(np.float64))
    order = np.lexsort((promising, -cosines))[:count]
    return [Found(int(promising[one]), float(cosines[one]), float(cosines[one])) for one in order]


@given(crowds(), st.integers(1, 5))
@settings(deadline=None)
def test_few_rows_are_searched_to_the_same_bit_with_fewer_steps(
    crowd: tuple[np.ndarray, np.ndarray], count: int
) -> None:
    rows, probe = crowd
    scored: list[int] = []
    found = Search(rows).nearest(probe, count, told=scored.append)
    assert found == in_numpy(rows, probe, min(count, len(rows)))
    assert len(found) <= scored[0] <= len(rows)


@given(crowds())
@settings(deadline=None)
def test_nothing_but_codes_never_lets_in_whom_the_vectors_would_not(
    crowd: tuple[np.ndarray, np.ndarray],
) -> None:
    """Whatever the threshold and the margin: the score is never too high, the runner-up's never too low."""
    rows, probe = crowd
    true = rows.astype(np.float64) @ probe.astype(np.float64)
    best, *others = Search(Codes.of(rows)).nearest(probe)
    assert best.least <= true[best.row] <= best.most
    if others:
        assert others[0].most >= np.delete(true, best.row).max()


@pytest.mark.parametrize("form", FORMS)
def test_of_equals_the_lower_row_comes_first(form: str) -> None:
    rows = units(np.random.default_rng(1).normal(size=(40, 64)))
    rows[[7, 21, 33]] = rows[12]
    found = search_of(rows, form).nearest(rows[12], 4)
    assert [one.row for one in found] == [7, 12, 21, 33]


@pytest.fixture(scope="module")
def many() -> tuple[np.ndarray, np.ndarray]:
    """Twelve near doubles of one person, too near to each other for int8, far apart in the gallery."""
    random = np.random.default_rng(3)
    rows = random.standard_normal((100_000, 64), np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    places = random.permutation(len(rows))[:12]
    rows[places] = units(rows[0] + 1e-4 * random.normal(size=(12, 64)))
    return rows, places


@pytest.mark.parametrize("form", FORMS)
def test_a_hundred_thousand_people_with_near_doubles(many: tuple[np.ndarray, np.ndarray], form: str) -> None:
    (rows, places), random = many, np.random.default_rng(4)
    search = search_of(rows, form)
    scored: list[int] = []
    for probe in (*units(rows[0] + 0.02 * random.normal(size=(3, 64))), rows[places[5]], rows[0]):
        scores = true_scores(search, probe)
        found = search.nearest(probe, 2, told=scored.append)
        if form == "int8":
            assert {one.row for one in found} <= {0, *places.tolist()}
            continue
        wanted = np.lexsort((np.arange(len(rows)), -scores))[:2]
        assert [one.row for one in found] == wanted.tolist()
        assert [one.least for one in found] == pytest.approx(scores[wanted], abs=1e-12)
    assert max(scored) < 1000, "few rows need float64"


@pytest.mark.parametrize("form", FORMS)
def test_one_row_alone_is_scored_as_among_all(form: str) -> None:
    rows = units(np.random.default_rng(8).normal(size=(9, 512)))
    probe = units(rows[3] + 0.5 * rows[5])
    search = search_of(rows, form)
    for found in search.nearest(probe, 9):
        alone = search.between(found.row, probe)
        assert (alone.least, alone.most) == pytest.approx((found.least, found.most), abs=1e-12)
        assert (alone.least < alone.most) == (form == "int8")


def test_an_empty_gallery_has_nobody_and_one_person_no_runner_up() -> None:
    assert Search(np.zeros((0, 8), np.float32)).nearest(np.ones(8, np.float32)) == []
    assert len(Search(Codes.of(np.eye(1, 8, dtype=np.float32))).nearest(np.ones(8, np.float32))) == 1


@given(crowds())
@settings(deadline=None)
def test_a_code_lies_no_farther_away_than_it_says(crowd: tuple[np.ndarray, np.ndarray]) -> None:
    rows, probe = crowd
    codes = Codes.of(rows)
    away = rows - codes.values * codes.scale[:, None].astype(np.float64)
    assert (np.linalg.norm(away, axis=1) <= codes.error).all()
    values, scale, error = coded(probe)
    assert np.linalg.norm(probe - scale * values.astype(np.float64)) <= error + 1e-12


def test_what_was_decoded_from_codes_is_coded_without_loss() -> None:
    """A fleet's templates come as int8."""
    rows = units(np.random.default_rng(5).normal(size=(50, 512)))
    first = Codes.of(rows)
    again = Codes.of(first[:])
    assert (again.values == first.values).all()
    assert first.error.max() < 0.012
    assert again.error.max() < 1e-6


@given(st.integers(1, 40), st.sampled_from([1, 7, 512, MOST_DIMENSIONS]), st.integers(0, 2**31))
@settings(deadline=None)
def test_products_of_codes_are_exact(rows: int, dimension: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    values = random.integers(-STEPS, STEPS, (rows, dimension), np.int8, endpoint=True)
    values[0] = STEPS
    for probe in (values[0], values[-1]):
        assert (blocked_products(values, probe) == values.astype(np.int64) @ probe.astype(np.int64)).all()


def test_so_many_dimensions_are_not_coded() -> None:
    with pytest.raises(ValueError, match="at most 1040 dimensions"):
        Codes.room(1, MOST_DIMENSIONS + 1)


@pytest.fixture(params=FORMS)
def form(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Galleries of any size in one form."""
    monkeypatch.setattr(gallery_module, "CODED_FROM", 1 if request.param == FORMS[1] else 10**9)
    monkeypatch.setattr(gallery_module, "COMPACT_FROM", 1 if request.param == FORMS[2] else 10**9)
    return str(request.param)


def test_a_match_in_every_form(form: str) -> None:
    rows = units(np.random.default_rng(7).normal(size=(30, 512)))
    veto = Veto("E1", "p-4", "toy/1", rows[9])
    snapshot = snapshot_of(rows, vetoes=[veto])
    assert isinstance(snapshot.matrix, Codes) == (form == "int8")
    assert (snapshot.screen is not None) == (form == "float32, int8 first")
    probe = units(rows[4] + 0.5 * rows[9])
    match = best_match(snapshot, probe)
    assert (match.person_id, match.second_id) == ("p-4", "p-9")
    exact = rows[[4, 9]].astype(np.float64) @ probe
    loss = 0.01 if form == "int8" else 1e-6
    assert exact[0] - loss <= match.score <= exact[0] + 1e-9 + (loss if loss < 1e-5 else 0)
    assert match.second_score == pytest.approx(exact[1], abs=loss)
    assert match.veto_score == pytest.approx(exact[1], abs=1e-6)
    with pytest.raises(ValueError, match="finite"):
        best_match(snapshot, np.full(512, np.nan, np.float32))
    with pytest.raises(ValueError, match="expected a vector"):
        best_match(snapshot, probe[:-1])


def test_rows_are_read_only_in_every_form(form: str) -> None:
    snapshot = snapshot_of(units(np.random.default_rng(7).normal(size=(3, 16))))
    codes = snapshot.matrix if isinstance(snapshot.matrix, Codes) else snapshot.screen
    kept = [] if codes is None else [codes.values, codes.scale, codes.error]
    for array in [*kept, *([] if isinstance(snapshot.matrix, Codes) else [snapshot.matrix])]:
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
    assert form in FORMS


def test_what_has_not_changed_is_taken_over_in_every_form(form: str) -> None:
    """And a code's error with it: made anew of a code it would seem to be none."""
    rows = units(np.random.default_rng(9).normal(size=(4, 512)))
    templates = [Template(f"t{i}", f"p-{i}", "toy/1", row, 1.0, b"") for i, row in enumerate(rows)]
    people = [Person(f"p-{i}", "x") for i in range(4)]
    before = build_snapshot("toy/1", 512, 1, people[:3], templates[:3])
    after = build_snapshot("toy/1", 512, 2, people[1:], templates[1:], previous=before)
    afresh = build_snapshot("toy/1", 512, 2, people[1:], templates[1:])
    assert (after.matrix[:] == afresh.matrix[:]).all()
    for one, other in ((after.matrix, afresh.matrix), (after.screen, afresh.screen)):
        if isinstance(one, Codes) and isinstance(other, Codes):
            assert (one.error == other.error).all()
    assert form in FORMS


def test_codes_are_not_taken_over_into_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = units(np.random.default_rng(9).normal(size=(4, 512)))
    templates = [Template(f"t{i}", f"p-{i}", "toy/1", row, 1.0, b"") for i, row in enumerate(rows)]
    people = [Person(f"p-{i}", "x") for i in range(4)]
    monkeypatch.setattr(gallery_module, "COMPACT_FROM", 4)
    before = build_snapshot("toy/1", 512, 1, people, templates)
    after = build_snapshot("toy/1", 512, 2, people[:3], templates[:3], previous=before)
    assert isinstance(before.matrix, Codes)
    assert after.matrix[:] == pytest.approx(rows[:3], abs=1e-6)


def test_a_template_is_let_go_where_its_store_does_not_keep_it() -> None:
    rows = np.eye(3, dtype=np.float32)
    snapshot = snapshot_of(rows)
    assert all(known() is None for theirs in snapshot.sources.values() for known in theirs)
    assert best_match(snapshot, rows[1]).person_id == "p-1"


@pytest.fixture
def on_demand(monkeypatch: pytest.MonkeyPatch) -> Callable[[GallerySnapshot], GallerySnapshot]:
    def barred(snapshot: GallerySnapshot) -> GallerySnapshot:
        with monkeypatch.context() as patched:
            patched.setattr(gallery_module, "ON_DEMAND_FROM", 0)
            found = with_bars(snapshot, RULE)
        assert isinstance(found.bars, BarsOnDemand)
        return found

    return barred


@given(crowd=crowds())
@settings(deadline=None)
def test_bars_on_demand_are_those_of_all_at_once(crowd: tuple[np.ndarray, np.ndarray]) -> None:
    plain = snapshot_of(crowd[0])
    eager = with_bars(plain, RULE, all_at_once=True).bars
    late = BarsOnDemand(plain.index, tuple(plain.index), plain.search, RULE)
    assert set(late) == set(eager)
    assert len(late) == len(eager)
    for person_id, bar in eager.items():
        found = late[person_id]
        assert found.cosine == pytest.approx(bar.cosine, abs=1e-5)
        # A cosine that is rounded the other way takes the next of the rule's steps.
        assert (found.score, found.margin) == pytest.approx((bar.score, bar.margin), abs=0.01)


@given(crowd=crowds())
@settings(deadline=None)
def test_a_bar_of_codes_is_never_lower(crowd: tuple[np.ndarray, np.ndarray]) -> None:
    plain = snapshot_of(crowd[0])
    codes = Search(Codes.of(plain.matrix[:]))
    eager = with_bars(plain, RULE, all_at_once=True).bars
    late = BarsOnDemand(plain.index, tuple(plain.index), codes, RULE)
    for person_id, bar in eager.items():
        found = late[person_id]
        assert found.score >= bar.score - 1e-9
        assert found.margin >= bar.margin - 1e-9
        assert found.alike >= bar.alike


def test_a_large_gallery_finds_bars_when_they_are_asked_for(
    on_demand: Callable[[GallerySnapshot], GallerySnapshot],
) -> None:
    rows = units(np.array([[1, 0, 0], [0.6, 0.8, 0], [0, 0, 1]], np.float32))
    snapshot = on_demand(snapshot_of(rows, ["p-ada", "p-eve", "p-ben"]))
    assert set(snapshot.bars) == {"p-ada", "p-eve"}
    assert snapshot.bars["p-ada"].other_id == "p-eve"
    assert snapshot.bars.get("p-ben") is None
    assert snapshot.bars.get("p-new") is None
    alone = on_demand(snapshot_of(rows[:1]))
    assert dict(alone.bars) == {}


def test_no_rule_asks_for_no_bars(on_demand: Callable[[GallerySnapshot], GallerySnapshot]) -> None:
    snapshot = on_demand(snapshot_of(np.eye(2, 8, dtype=np.float32)))
    assert with_bars(snapshot, None).bars == {}
    assert replace(snapshot, bars={}).bars == {}
