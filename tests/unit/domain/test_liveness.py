"""From cues to a face and from faces to a visit: no cue makes up for a sure one, what is missing is dead."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.domain.liveness import NOTHING_FOUND, Cue, RunningMean, face_liveness, measured, visit_liveness

SCORES = st.one_of(st.none(), st.floats(0, 1), st.just(math.nan), st.just(math.inf), st.just(-0.5))


def whole(*scores: float | None) -> RunningMean:
    mean = RunningMean()
    for score in scores:
        mean.add(score)
    return mean


def test_evidence_adds_up() -> None:
    nothing = face_liveness({Cue.BORDER: 0.0, Cue.SCREEN: 0.0})
    assert nothing == pytest.approx(1 / (1 + math.exp(-NOTHING_FOUND)))
    assert face_liveness({Cue.BORDER: -NOTHING_FOUND, Cue.SCREEN: 0.0}) == pytest.approx(0.5)
    assert face_liveness({Cue.BORDER: -3.0, Cue.SCREEN: -3.0}) < 0.5 < face_liveness({Cue.BORDER: -3.0})


def test_one_cue_that_is_sure_is_enough_to_refuse() -> None:
    assert face_liveness({Cue.MODEL: 2.8, Cue.BORDER: -9.0}) < 0.15


@pytest.mark.parametrize("broken", [None, math.nan, math.inf, -math.inf])
def test_a_cue_without_a_finite_value_leaves_the_face_unmeasured(broken: float | None) -> None:
    assert face_liveness({Cue.MODEL: 0.9, Cue.BORDER: broken}) is None


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=4), st.integers(0, 3), st.floats(0, 1e9))
def test_less_evidence_never_helps(values: list[float], index: int, less: float) -> None:
    evidence = dict(zip(Cue, values, strict=False))
    cue = list(evidence)[index % len(evidence)]
    before, after = face_liveness(evidence), face_liveness(evidence | {cue: evidence[cue] - less})
    assert 0 <= after <= before <= 1


def test_no_cue_is_no_measurement() -> None:
    assert face_liveness({}) is None


def test_a_visit_is_the_mean_of_its_recent_frames() -> None:
    assert visit_liveness([0.4, 0.8], whole(0.4, 0.8)) == pytest.approx(0.6)


def test_a_long_visit_does_not_win_by_a_few_lucky_frames() -> None:
    assert visit_liveness([0.9, 0.9, 0.9], whole(*[0.1] * 20, 0.9, 0.9, 0.9)) < 0.25


def test_a_frame_that_was_not_measured_counts_as_dead() -> None:
    assert visit_liveness([0.9, None, 0.9], whole(0.9, None, 0.9)) == pytest.approx(0.6)
    assert visit_liveness([None, math.nan], whole(None, math.nan)) is None
    assert measured([0.1, None, math.nan, 1.0]) == 2


@given(st.lists(SCORES, min_size=1, max_size=6), st.integers(0, 5), st.one_of(st.none(), st.floats(0, 1)))
def test_a_lower_score_or_none_never_helps(
    scores: list[float | None], index: int, lower: float | None
) -> None:
    index %= len(scores)
    before = visit_liveness(scores, whole(*scores))
    old = scores[index]
    if lower is not None and (old is None or not 0 <= old <= 1 or lower > old):
        lower = None
    changed = [*scores[:index], lower, *scores[index + 1 :]]
    after = visit_liveness(changed, whole(*changed))
    assert after is None or (before is not None and after <= before + 1e-12)
