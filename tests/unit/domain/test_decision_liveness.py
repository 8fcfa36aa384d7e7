"""Liveness beside recognition: both have to agree, and what is not measured is not alive."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.domain.access import AccessRules
from edged.domain.decision import DecisionEngine, DecisionPolicy
from edged.domain.gallery import GallerySnapshot, build_snapshot
from edged.domain.people import Person
from edged.domain.types import Decision, Gate, Outcome, Reason
from tests.unit.domain.conftest import NOON, POLICY, seen, template

REQUIRED = replace(POLICY, liveness_threshold=0.5, liveness_required=True)
ADVISORY = replace(REQUIRED, liveness_required=False)


def run(policy: DecisionPolicy, gallery: GallerySnapshot, scores: list[float | None]) -> list[Decision]:
    engine = DecisionEngine(policy, AccessRules())
    return [
        engine.step(seen(i, i * 0.1, liveness=score), gallery, i * 0.1 + 0.05, NOON)
        for i, score in enumerate(scores)
    ]


def told(decisions: list[Decision]) -> list[tuple[Outcome, Reason]]:
    return [(d.outcome, d.reason) for d in decisions if d.outcome is not Outcome.WAIT]


def gate(decision: Decision) -> Gate:
    (found,) = [gate for gate in decision.trace if gate.name == "liveness"]
    return found


def test_a_living_face_is_granted_and_the_trace_says_how_alive(gallery: GallerySnapshot) -> None:
    decisions = run(REQUIRED, gallery, [0.7, 0.8, 0.9])
    assert told(decisions) == [(Outcome.GRANT, Reason.MATCHED)]
    assert gate(decisions[-1]) == Gate("liveness", pytest.approx(0.8), 0.5, True)
    assert decisions[-1].liveness == pytest.approx(0.8)
    names = [one.name for one in decisions[-1].trace]
    assert names[-5:] == ["agreement", "liveness", "person", "cooldown", "armed"]


def test_one_bad_frame_of_a_living_face_is_outweighed(gallery: GallerySnapshot) -> None:
    assert told(run(REQUIRED, gallery, [0.9, 0.1, 0.9])) == [(Outcome.GRANT, Reason.MATCHED)]


def test_a_dead_face_is_denied_once_the_window_is_full(gallery: GallerySnapshot) -> None:
    decisions = run(REQUIRED, gallery, [0.2] * 12)
    assert told(decisions) == [(Outcome.DENY, Reason.NOT_LIVE)]
    assert gate(decisions[4]) == Gate("liveness", pytest.approx(0.2), 0.5, False)


def test_a_short_visit_of_a_dead_face_is_told_as_one(gallery: GallerySnapshot) -> None:
    engine = DecisionEngine(REQUIRED, AccessRules())
    for i in range(3):
        engine.step(seen(i, i * 0.1, liveness=0.2), gallery, i * 0.1, NOON)
    ended = engine.end(1)
    assert ended is not None
    assert (ended.outcome, ended.reason) == (Outcome.DENY, Reason.NOT_LIVE)


@pytest.mark.parametrize("missing", [None, math.nan])
def test_each_confirming_frame_has_to_be_measured(gallery: GallerySnapshot, missing: float | None) -> None:
    decisions = run(REQUIRED, gallery, [0.9, missing, 0.9, 0.9])
    assert [d.outcome for d in decisions[:3]] == [Outcome.WAIT] * 3
    assert decisions[3].outcome is Outcome.GRANT


def test_lucky_frames_after_many_dead_ones_do_not_grant(gallery: GallerySnapshot) -> None:
    assert told(run(REQUIRED, gallery, [0.1] * 20 + [0.9] * 5)) == [(Outcome.DENY, Reason.NOT_LIVE)]


def test_advisory_liveness_is_told_and_denies_nobody(gallery: GallerySnapshot) -> None:
    decisions = run(ADVISORY, gallery, [0.1, 0.1, 0.1])
    assert told(decisions) == [(Outcome.GRANT, Reason.MATCHED)]
    assert gate(decisions[-1]) == Gate("liveness", pytest.approx(0.1), "advisory", True)
    assert decisions[-1].liveness == pytest.approx(0.1)


def test_a_trace_claims_no_check_where_there_is_none(gallery: GallerySnapshot) -> None:
    decisions = run(replace(ADVISORY, liveness_threshold=None), gallery, [None] * 3)
    assert told(decisions) == [(Outcome.GRANT, Reason.MATCHED)]
    assert "liveness" not in [one.name for one in decisions[-1].trace]
    assert decisions[-1].liveness is None


def test_being_alive_does_not_make_a_stranger_known(gallery: GallerySnapshot) -> None:
    engine = DecisionEngine(REQUIRED, AccessRules())
    decisions = [
        engine.step(seen(i, i * 0.1, score=0.1, liveness=1.0), gallery, i * 0.1, NOON) for i in range(9)
    ]
    assert told(decisions) == [(Outcome.DENY, Reason.UNKNOWN)]


def test_new_numbers_drop_the_scores_of_old_frames(gallery: GallerySnapshot) -> None:
    engine = DecisionEngine(REQUIRED, AccessRules())
    for i in range(20):
        engine.step(seen(i, i * 0.1, liveness=0.1), gallery, i * 0.1, NOON)
    engine.reconfigure(replace(REQUIRED, liveness_threshold=0.6), AccessRules())
    after = [
        engine.step(seen(i, i * 0.1, liveness=0.9), gallery, i * 0.1, NOON).outcome for i in range(20, 23)
    ]
    assert after == [Outcome.WAIT, Outcome.WAIT, Outcome.GRANT]


def test_people_who_are_enrolled_meanwhile_make_no_photograph_forgotten(gallery: GallerySnapshot) -> None:
    engine = DecisionEngine(REQUIRED, AccessRules())
    for i in range(20):
        engine.step(seen(i, i * 0.1, liveness=0.1), gallery, i * 0.1, NOON)
    assert REQUIRED.threshold is not None
    engine.reconfigure(replace(REQUIRED, threshold=REQUIRED.threshold + 0.01), AccessRules())
    after = [
        engine.step(seen(i, i * 0.1, liveness=0.9), gallery, i * 0.1, NOON).outcome for i in range(20, 25)
    ]
    assert Outcome.GRANT not in after


LIVENESS = st.one_of(st.none(), st.just(math.nan), st.floats(0, 1))
FRAMES = st.lists(
    st.tuples(
        st.sampled_from(["p-ada", "p-ada", "p-ada", "p-ben", None]),
        st.floats(0.3, 1),
        LIVENESS,
        st.sampled_from([1.0, 1.0, 0.9, 0.5, 0.0, None]),  # by what the other door's score is lower
        st.integers(1, 2),
        st.floats(0.05, 1.2),  # seconds to the next frame
    ),
    max_size=80,
)


def grants(policy: DecisionPolicy, frames: list[tuple], *, lowered: bool) -> dict[str, float]:
    """When each person was let in first, and a check that no grant lacks its measured frames."""
    people = [Person("p-ada", "Ada"), Person("p-ben", "Ben")]
    gallery = build_snapshot("toy/1", 8, 1, people, [template(p.person_id, i) for i, p in enumerate(people)])
    engine, at, first = DecisionEngine(policy, AccessRules()), 0.0, {}
    good: dict[tuple[int, str | None], int] = {}
    for number, (person, score, alive, factor, track, gap) in enumerate(frames):
        value = alive
        if lowered:
            value = None if factor is None or alive is None else alive * factor
        decision = engine.step(
            seen(number, at, person, score=score, track=track, liveness=value), gallery, at + 0.01, NOON
        )
        if value is not None and not math.isnan(value):
            good[track, person] = good.get((track, person), 0) + 1
        if decision.outcome is Outcome.GRANT:
            assert good[track, decision.person_id] >= policy.confirm_frames
            assert decision.liveness >= policy.liveness_threshold
            first.setdefault(decision.person_id, at)
        at += gap
    return first


@given(FRAMES)
def test_less_liveness_never_lets_anybody_in_earlier_or_more(frames: list[tuple]) -> None:
    higher, lower = (grants(REQUIRED, frames, lowered=lowered) for lowered in (False, True))
    assert all(person in higher and higher[person] <= at for person, at in lower.items())
