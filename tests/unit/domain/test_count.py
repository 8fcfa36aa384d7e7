"""One thing is not called many."""

import pytest

from edged.domain.count import counted


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (0, "0 checks"),
        (1, "1 check"),
        (2, "2 checks"),
        (1.4, "1 check"),
        (0.6, "1 check"),
        (1234, "1,234 checks"),
    ],
)
def test_a_count_and_its_noun_agree(number: float, told: str) -> None:
    assert counted(number, "check") == told


def test_some_nouns_have_a_plural_of_their_own() -> None:
    assert [counted(number, "person", "people") for number in (1, 2)] == ["1 person", "2 people"]
