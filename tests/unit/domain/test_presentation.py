"""Error rates of presentation attacks: exact intervals, held against published values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.domain.presentation import ErrorRate, clopper_pearson


@pytest.mark.parametrize(
    ("errors", "trials", "low", "high"),
    [
        (0, 20, 0.0, 0.168433),  # 1 - 0.025^(1/20)
        (20, 20, 0.831567, 1.0),
        (1, 10, 0.002529, 0.445016),
        (5, 10, 0.187086, 0.812914),
        (2, 100, 0.002431, 0.070383),
    ],
)
def test_intervals_are_those_of_clopper_and_pearson(
    errors: int, trials: int, low: float, high: float
) -> None:
    assert clopper_pearson(errors, trials) == pytest.approx((low, high), abs=2e-6)


def test_a_clean_run_leaves_the_room_that_the_rule_of_three_says() -> None:
    # One-sided at 95 %: 3 / n.
    assert clopper_pearson(0, 300, confidence=0.90)[1] == pytest.approx(3 / 300, rel=0.01)


def test_without_trials_nothing_is_known() -> None:
    none = ErrorRate.of(0, 0)
    assert (none.rate, none.low, none.high) == (None, 0.0, 1.0)


@pytest.mark.parametrize(("errors", "trials"), [(-1, 5), (6, 5), (1, 0)])
def test_impossible_counts_are_refused(errors: int, trials: int) -> None:
    with pytest.raises(ValueError, match="expected errors between"):
        ErrorRate.of(errors, trials)


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_rate_lies_within_its_interval(counts: tuple[int, int]) -> None:
    found = ErrorRate.of(*counts)
    assert 0 <= found.low <= found.rate <= found.high <= 1
