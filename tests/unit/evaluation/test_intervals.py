"""Bounds of shares, and which rates so many trials can show."""

import numpy as np
import pytest

from edged.evaluation.intervals import clustered_share, independent_share, needed_trials, shortage, wilson


@pytest.mark.parametrize(
    ("hits", "trials", "low", "high"),
    # Computed by hand from the formula with z = 1.959964; 8 of 10 is the textbook example.
    [(8, 10, 0.4902, 0.9433), (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (50, 1000, 0.0381, 0.0653)],
)
def test_wilson(hits: int, trials: int, low: float, high: float) -> None:
    assert wilson(hits, trials) == (pytest.approx(low, abs=1e-4), pytest.approx(high, abs=1e-4))


def test_nothing_is_known_without_trials() -> None:
    assert independent_share(0, 0).high == 1
    assert clustered_share([], []).high == 1
    assert clustered_share([0], [0]).trials == 0


def test_people_with_one_trial_each_give_about_wilsons_bounds() -> None:
    hits = np.arange(400) < 380
    share = clustered_share(hits.astype(int), np.ones(400, int))
    low, high = wilson(380, 400)
    assert (share.value, share.hits, share.trials) == (0.95, 380, 400)
    assert share.low == pytest.approx(low, abs=0.006)
    assert share.high == pytest.approx(high, abs=0.006)


def test_photographs_of_one_person_do_not_count_as_independent() -> None:
    alike = clustered_share([0] * 4 + [100] * 36, [100] * 40)
    apart = clustered_share([90] * 40, [100] * 40)
    assert alike.value == apart.value == 0.9
    assert apart.high - apart.low < 1e-9
    assert alike.low < 0.82
    assert alike.high > 0.95


def test_no_error_at_all_leaves_room_for_some() -> None:
    share = clustered_share([3] * 50, [3] * 50)
    assert (share.value, share.high) == (1, 1)
    assert share.low == wilson(50, 50)[0] < 0.95
    assert clustered_share([0] * 50, [3] * 50).high == wilson(0, 50)[1]


def test_a_rate_needs_thirty_errors() -> None:
    assert needed_trials(1e-3) == 30_000
    assert needed_trials(1e-6) == 30_000_000
    assert shortage(1e-3, 30_000) is None
    assert "needs 30,000 trials, has 29,999" in (shortage(1e-3, 29_999) or "")
    assert "rule of 3" in (shortage(1e-3, 2_999) or "")
    assert "rule of 3" in (shortage(1e-3, 0) or "")
