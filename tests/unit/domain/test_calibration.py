"""A stated risk becomes a threshold, or the claim is refused."""

import math
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.domain.calibration import (
    CalibrationPoint,
    cosine_at,
    most_errors,
    most_people,
    rate_bound,
    refined,
    required_fmr,
    threshold_for,
    upper_bound,
    visit_fpir,
)
from edged.domain.risk import LEVELS, Risk

TABLE = [CalibrationPoint(10.0**-n, 0.1 + n * 0.07, 2_960_000_000) for n in range(2, 7)]
ONCE = Risk(1e-3)


@st.composite
def tables(draw: st.DrawFn) -> list[CalibrationPoint]:
    """Tables as they may be written: any rows, of any evidence, in any order."""
    rates = st.floats(1e-7, 0.5)
    rows = st.builds(
        CalibrationPoint, rates, st.floats(-1, 1), st.integers(1, 10**9), st.none() | st.floats(1e-7, 1)
    )
    return draw(st.lists(rows, min_size=1, max_size=6))


risks = st.builds(Risk, st.floats(1e-6, 0.1), st.integers(1, 500), st.integers(1, 10))


@pytest.mark.parametrize(("people", "fmr"), [(1, 1e-3), (50, 2e-5), (200, 5e-6), (1000, 1e-6)])
def test_required_fmr_is_the_published_arithmetic(people: int, fmr: float) -> None:
    assert required_fmr(ONCE, people) == pytest.approx(fmr, rel=0.01)
    assert visit_fpir(fmr, people, 1.0) == pytest.approx(1e-3, rel=0.01)


def test_a_visit_of_several_frames_is_so_many_attempts_as_can_each_find_agreement() -> None:
    assert Risk(1e-3, 15, 3).attempts == 5
    assert Risk(1e-3, 2, 3).attempts == 1
    assert required_fmr(Risk(1e-3, 15, 3), 50) == pytest.approx(required_fmr(ONCE, 50) / 5)


@pytest.mark.parametrize(
    ("errors", "mean"), [(0, 2.9957), (1, 4.7439), (3, 7.7537), (10, 16.9622), (30, 40.6907), (100, 118.079)]
)
def test_the_bound_of_a_count_is_the_published_one(errors: int, mean: float) -> None:
    assert most_errors(errors) == pytest.approx(mean, rel=1e-4)


def test_no_error_in_n_comparisons_is_the_rule_of_three() -> None:
    assert upper_bound(0, 30_000) == pytest.approx(1e-4, rel=0.01)
    assert upper_bound(0, 2) == 1.0


@given(st.integers(0, 300))
def test_more_errors_bound_a_higher_rate(errors: int) -> None:
    assert errors < most_errors(errors) < most_errors(errors + 1)


def test_a_row_vouches_for_its_bound_and_not_for_what_was_counted() -> None:
    assert rate_bound(CalibrationPoint(1e-4, 0.4, 300_000)) == pytest.approx(40.69 / 300_000, rel=1e-3)
    assert rate_bound(CalibrationPoint(1e-6, 0.4, 3_000)) == pytest.approx(4.74 / 3_000, rel=1e-3)
    assert rate_bound(CalibrationPoint(1e-4, 0.4, 300_000, bound=2e-4)) == 2e-4
    assert rate_bound(CalibrationPoint(1e-4, 0.4, 300, bound=2e-4)) == pytest.approx(3 / 300, rel=0.01)


def test_points_are_hit_and_interpolated_between() -> None:
    assert cosine_at(TABLE, 1e-4) == pytest.approx(0.38)
    assert cosine_at(TABLE, 10**-4.5) == pytest.approx(0.415)
    assert cosine_at(TABLE, 0.5) == pytest.approx(TABLE[0].threshold)
    assert cosine_at(TABLE, 1e-7) is None
    assert cosine_at([], 1e-2) is None


def test_rows_too_far_apart_are_not_interpolated_between() -> None:
    far = [TABLE[0], TABLE[-1]]
    assert threshold_for(far, 1, ONCE).cosine == TABLE[-1].threshold
    assert threshold_for(far, 1, Risk(0.05)).cosine == TABLE[0].threshold


def test_a_claim_beyond_the_table_has_no_threshold() -> None:
    far = threshold_for(TABLE, 5000, ONCE)
    assert far.cosine is None
    assert far.fpir is None
    assert "not enough comparisons for this claim" in far.claim
    assert "no calibration table" in threshold_for([], 5, ONCE).claim
    assert threshold_for([], 5, ONCE).cosine is None


def test_rows_without_the_comparisons_for_it_carry_no_claim() -> None:
    thin = [replace(point, comparisons=1000) for point in TABLE]
    refused = threshold_for(thin, 1, ONCE)
    assert refused.cosine is None
    assert "(1,000 comparisons)" in refused.claim
    assert threshold_for(thin, 1, Risk(0.1)).cosine == pytest.approx(TABLE[0].threshold)


def test_a_row_of_little_evidence_does_not_loosen_a_better_one() -> None:
    good = CalibrationPoint(1e-3, 0.3, 10**7)
    for poor in (CalibrationPoint(1e-6, 0.5, 9), CalibrationPoint(1e-6, 0.1, 9)):
        assert threshold_for([good, poor], 1, Risk(2e-3)).cosine == 0.3


@given(tables(), risks, st.integers(0, 3000))
def test_what_is_claimed_is_within_the_stated_risk(
    table: list[CalibrationPoint], risk: Risk, people: int
) -> None:
    found = threshold_for(table, people, risk)
    if found.cosine is not None:
        assert found.fpir is not None
        assert found.fpir <= risk.target_fpir * (1 + 1e-6)
        strict = max(point.threshold for point in table)
        assert min(point.threshold for point in table) <= found.cosine <= strict


def stricter(table: list[CalibrationPoint], people: int, risk: Risk) -> float:
    """The threshold, infinite where nobody is let in."""
    found = threshold_for(table, people, risk).cosine
    return math.inf if found is None else found


@given(tables(), risks, st.integers(0, 3000), st.integers(0, 3000))
def test_more_people_never_lower_the_threshold(
    table: list[CalibrationPoint], risk: Risk, few: int, more: int
) -> None:
    low, high = sorted((few, more))
    assert stricter(table, low, risk) <= stricter(table, high, risk) + 1e-12


@given(tables(), risks, st.integers(0, 3000), st.integers(1, 500))
def test_more_frames_a_visit_never_lower_the_threshold(
    table: list[CalibrationPoint], risk: Risk, people: int, more: int
) -> None:
    longer = replace(risk, frames_per_visit=risk.frames_per_visit + more)
    assert stricter(table, people, risk) <= stricter(table, people, longer) + 1e-12


@given(tables(), st.integers(0, 3000), st.integers(1, 60))
def test_a_stricter_level_never_lowers_the_threshold(
    table: list[CalibrationPoint], people: int, frames: int
) -> None:
    found = [stricter(table, people, Risk(fpir, frames, 3)) for fpir in LEVELS.values()]
    assert all(before <= after + 1e-12 for before, after in pairwise(found))


def test_levels_get_stricter_in_their_order() -> None:
    assert list(LEVELS.values()) == sorted(LEVELS.values(), reverse=True)


def test_an_empty_gallery_is_held_to_the_risk_of_one() -> None:
    assert threshold_for(TABLE, 0, ONCE).cosine == threshold_for(TABLE, 1, ONCE).cosine


@given(tables(), risks)
def test_the_most_people_are_carried_and_one_more_are_not(table: list[CalibrationPoint], risk: Risk) -> None:
    most = most_people(table, risk)
    if 0 < most < 1_000_000:
        assert (
            threshold_for(table, most, replace(risk, target_fpir=risk.target_fpir * (1 + 1e-6))).cosine
            is not None
        )
    if most < 1_000_000:
        assert threshold_for(table, most + 1, risk).cosine is None


@given(tables(), tables(), risks, st.integers(0, 3000))
def test_a_site_never_loosens_what_the_pack_claims(
    table: list[CalibrationPoint], site: list[CalibrationPoint], risk: Risk, people: int
) -> None:
    alone = threshold_for(table, people, risk).cosine
    if alone is not None:
        assert stricter(list(refined(table, site)), people, risk) >= alone - 1e-12


def test_a_site_that_is_harder_raises_all_rows_and_one_with_few_errors_none() -> None:
    hard = [CalibrationPoint(9e-3, 0.30, 100_000, bound=1e-2)]
    raised = refined(TABLE, hard)[::-1]
    excess = 0.30 - TABLE[0].threshold
    assert [one.threshold for one in raised] == pytest.approx(
        [one.threshold + excess for one in TABLE], abs=1e-3
    )
    few = [CalibrationPoint(9e-3, 0.30, 3_000, bound=1e-2)]
    assert [one.threshold for one in refined(TABLE, few)][::-1] == [one.threshold for one in TABLE]
    assert refined((), hard) == (CalibrationPoint(1e-2, 0.30, 100_000, 1e-2),)
    assert refined(TABLE, ()) == tuple(TABLE)


def test_a_site_that_measured_deeper_than_the_pack_adds_its_rows() -> None:
    deep = CalibrationPoint(0.0, 0.6, 10**8, bound=1e-7)
    assert threshold_for(refined(TABLE, [deep]), 1, Risk(1e-7 * 1.001)).cosine == pytest.approx(0.6, abs=1e-3)
    low = CalibrationPoint(0.0, 0.2, 10**8, bound=1e-7)
    assert max(one.threshold for one in refined(TABLE, [low])) == TABLE[-1].threshold


@given(tables(), tables())
def test_a_refined_table_has_positive_rates_and_every_rate_and_cosine_once(
    table: list[CalibrationPoint], site: list[CalibrationPoint]
) -> None:
    found = refined(table, [*site, CalibrationPoint(0.0, 1.0, 1000)])
    assert all(0 < one.fmr <= 1 for one in found)
    for before, after in pairwise(found):
        assert before.fmr < after.fmr
        assert before.threshold > after.threshold


THIN = (CalibrationPoint(1e-2, 0.3, 30_000), CalibrationPoint(1e-3, 0.4, 30_000))


def test_a_second_factor_carries_what_the_table_lacks_by_up_to_ten_times() -> None:
    reach = most_people(THIN, Risk(1e-2))
    assert reach > 1
    for people in (reach + 1, 9 * reach):
        assert threshold_for(THIN, people, Risk(1e-2)).cosine is None
        helped = threshold_for(THIN, people, Risk(1e-2, second_factor=True))
        assert (helped.cosine, helped.second_factor) == (0.4, True)
        assert helped.fpir is not None
        assert helped.fpir <= 1e-2
        assert "with a second factor" in helped.claim
    for people in (13 * reach, 1000 * reach):  # chances do not add up, so that ten times is a little more
        beyond = threshold_for(THIN, people, Risk(1e-2, second_factor=True))
        assert (beyond.cosine, beyond.second_factor, beyond.fpir) == (None, False, None)
        assert "too far from it for a second factor" in beyond.claim


@given(st.integers(1, 100_000), st.sampled_from([1e-1, 1e-2, 1e-3, 1e-4]))
def test_a_second_factor_never_lowers_a_threshold(people: int, fpir: float) -> None:
    plain = threshold_for(THIN, people, Risk(fpir))
    helped = threshold_for(THIN, people, Risk(fpir, second_factor=True))
    if plain.cosine is not None:
        assert (helped.cosine, helped.second_factor) == (plain.cosine, False)
    elif helped.cosine is not None:
        assert helped.second_factor
        assert helped.cosine == max(point.threshold for point in THIN)
