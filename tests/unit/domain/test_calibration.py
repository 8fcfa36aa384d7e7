"""A stated risk becomes a threshold, or the claim is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.domain.calibration import CalibrationPoint, cosine_at, required_fmr, threshold_for

TABLE = [CalibrationPoint(10.0**-n, 0.1 + n * 0.07, 29_600_000) for n in range(2, 7)]


@pytest.mark.parametrize(("people", "fmr"), [(1, 1e-3), (50, 2e-5), (200, 5e-6), (1000, 1e-6)])
def test_required_fmr_is_the_published_arithmetic(people: int, fmr: float) -> None:
    assert required_fmr(1e-3, people) == pytest.approx(fmr, rel=0.01)


def test_points_are_hit_and_interpolated_between() -> None:
    assert cosine_at(TABLE, 1e-4) == pytest.approx(0.38)
    assert cosine_at(TABLE, 10**-4.5) == pytest.approx(0.415)
    assert cosine_at(TABLE, 0.5) == pytest.approx(TABLE[0].threshold)
    assert cosine_at(TABLE, 1e-7) is None
    assert cosine_at([], 1e-2) is None


def test_a_claim_beyond_the_table_has_no_threshold() -> None:
    far = threshold_for(TABLE, 5000, 1e-3)
    assert far.cosine is None
    assert "not enough comparisons" in far.claim
    assert threshold_for([], 5, 1e-3).cosine is None


@given(st.integers(1, 900), st.integers(1, 900))
def test_more_people_never_lower_the_threshold(few: int, more: int) -> None:
    low, high = sorted((few, more))
    first, second = threshold_for(TABLE, low, 1e-3).cosine, threshold_for(TABLE, high, 1e-3).cosine
    assert first is not None
    assert second is not None
    assert first <= second


def test_an_empty_gallery_is_held_to_the_risk_of_one() -> None:
    assert threshold_for(TABLE, 0, 1e-3).cosine == threshold_for(TABLE, 1, 1e-3).cosine
