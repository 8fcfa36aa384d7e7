"""Who is asked for a second factor: somebody who would be let in otherwise, or nearly; nobody else."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.domain.access import AccessRules
from edged.domain.decision import DecisionEngine, DecisionPolicy
from edged.domain.gallery import GallerySnapshot, build_snapshot
from edged.domain.lookalikes import Bar
from edged.domain.people import Person
from edged.domain.second_factor import NEVER, AskedFactor, FactorCause, FactorRule
from edged.domain.types import Decision, Gate, Outcome, Reason
from tests.unit.domain.conftest import NOON, POLICY, seen, template

EVERY = FactorRule(frozenset(FactorCause), 0.15)
LIVE = replace(POLICY, liveness_threshold=0.5, liveness_required=True)


def asks(*causes: FactorCause, band: float = 0.15) -> FactorRule:
    return FactorRule(frozenset(causes), band)


def run(
    policy: DecisionPolicy, gallery: GallerySnapshot, scores: list[float | None], *, score: float = 0.7
) -> list[Decision]:
    engine = DecisionEngine(policy, AccessRules())
    return [
        engine.step(seen(i, i * 0.1, score=score, liveness=alive), gallery, i * 0.1 + 0.05, NOON)
        for i, alive in enumerate(scores)
    ]


def told(decisions: list[Decision]) -> list[tuple[Outcome, Reason, AskedFactor | None]]:
    return [(d.outcome, d.reason, d.factor) for d in decisions if d.outcome is not Outcome.WAIT]


ALWAYS = replace(POLICY, second_factor=asks(FactorCause.ALWAYS))


def test_everybody_is_asked_once_a_visit_where_that_is_wanted(gallery: GallerySnapshot) -> None:
    decisions = run(ALWAYS, gallery, [None] * 12)
    assert told(decisions) == [(Outcome.ASK, Reason.MATCHED, AskedFactor(FactorCause.ALWAYS))]
    assert decisions[2].person_id == "p-ada"
    assert [gate.name for gate in decisions[2].trace][-1] == "armed"


def test_the_cool_down_counts_from_the_asking(gallery: GallerySnapshot) -> None:
    engine = DecisionEngine(ALWAYS, AccessRules())
    for i in range(3):
        decision = engine.step(seen(i, i * 0.1), gallery, i * 0.1, NOON)
    assert decision.outcome is Outcome.ASK
    for i in range(3):
        decision = engine.step(seen(i, 3 + i * 0.1, track=2), gallery, 3 + i * 0.1, NOON)
    assert (decision.outcome, decision.reason) == (Outcome.DENY, Reason.COOLING_DOWN)


def test_a_stranger_and_somebody_who_may_not_enter_are_not_asked(gallery: GallerySnapshot) -> None:
    every = replace(POLICY, second_factor=EVERY)
    assert told(run(every, gallery, [None] * 9, score=0.3)) == [(Outcome.DENY, Reason.UNKNOWN, None)]
    engine = DecisionEngine(every, AccessRules())
    off = [engine.step(seen(i, i * 0.1, "p-off"), gallery, i * 0.1, NOON) for i in range(9)]
    assert told(off) == [(Outcome.DENY, Reason.DISABLED, None)]


def test_a_door_that_is_not_armed_asks_nobody_and_says_that_it_would(gallery: GallerySnapshot) -> None:
    decisions = run(replace(ALWAYS, armed=False), gallery, [None] * 3)
    assert told(decisions) == [(Outcome.DENY, Reason.DISARMED, AskedFactor(FactorCause.ALWAYS))]


def test_only_those_who_have_a_look_alike_are_asked(gallery: GallerySnapshot) -> None:
    policy = replace(POLICY, second_factor=asks(FactorCause.LOOKALIKE))
    assert told(run(policy, gallery, [None] * 3)) == [(Outcome.GRANT, Reason.MATCHED, None)]
    alike = replace(gallery, bars={"p-ada": Bar(0.6, 0.1, 0.7)})
    assert told(run(policy, alike, [None] * 3))[0][2] == AskedFactor(FactorCause.LOOKALIKE)
    near = replace(gallery, bars={"p-ada": Bar(0.45, 0.06, 0.3, alike=False)})
    assert told(run(policy, near, [None] * 3)) == [(Outcome.GRANT, Reason.MATCHED, None)]
    # The raised bar holds all the same: a second factor is no way around it.
    assert told(run(policy, alike, [None] * 9, score=0.5)) == [(Outcome.DENY, Reason.UNKNOWN, None)]


def test_above_the_budget_all_are_asked_or_nobody_gets_in(gallery: GallerySnapshot) -> None:
    over = replace(gallery, over_budget=True)
    policy = replace(POLICY, second_factor=asks(FactorCause.RISK))
    assert told(run(policy, over, [None] * 3))[0][2] == AskedFactor(FactorCause.RISK)
    for rule in (NEVER, asks(FactorCause.ALWAYS, FactorCause.LIVENESS, FactorCause.LOOKALIKE)):
        denied = run(replace(POLICY, second_factor=rule), over, [None] * 9)
        assert told(denied) == [(Outcome.DENY, Reason.DISARMED, None)]


UNSURE = replace(LIVE, second_factor=asks(FactorCause.LIVENESS))


def test_unsure_liveness_asks_once_the_window_is_full(gallery: GallerySnapshot) -> None:
    decisions = run(UNSURE, gallery, [0.4] * 9)
    assert [d.outcome for d in decisions[:4]] == [Outcome.WAIT] * 4
    assert told(decisions) == [(Outcome.ASK, Reason.MATCHED, AskedFactor(FactorCause.LIVENESS))]
    (gate,) = [gate for gate in decisions[4].trace if gate.name == "liveness"]
    assert gate == Gate("liveness", pytest.approx(0.4), 0.5, passed=False)


def test_a_face_that_proves_alive_is_not_asked(gallery: GallerySnapshot) -> None:
    assert told(run(UNSURE, gallery, [0.45, 0.5, 0.9])) == [(Outcome.GRANT, Reason.MATCHED, None)]


@pytest.mark.parametrize(
    "scores",
    [
        [0.34] * 9,  # below the band
        [0.45, None, 0.45, 0.45, 0.45, 0.45],  # the mean lies in the band, but a frame was not measured
        [0.45, float("nan"), 0.45, 0.45, 0.45, 0.45],
        [None] * 9,
    ],
)
def test_a_dead_face_and_one_that_was_not_measured_deny(
    gallery: GallerySnapshot, scores: list[float | None]
) -> None:
    assert told(run(UNSURE, gallery, scores)) == [(Outcome.DENY, Reason.NOT_LIVE, None)]


def test_two_doubts_do_not_rest_on_one_second_factor(gallery: GallerySnapshot) -> None:
    policy = replace(LIVE, second_factor=EVERY)
    over = replace(gallery, over_budget=True)
    assert told(run(policy, over, [0.4] * 9)) == [(Outcome.DENY, Reason.NOT_LIVE, None)]
    assert told(run(policy, over, [0.9] * 3))[0][2] == AskedFactor(FactorCause.RISK)


FRAMES = st.lists(
    st.tuples(
        st.sampled_from(["p-ada", "p-ada", "p-ada", "p-ben", None]),
        st.sampled_from([0.3, 0.45, 0.7]),
        st.sampled_from([None, float("nan"), 0.2, 0.36, 0.45, 0.5, 0.9]),
        st.integers(1, 2),
        st.sampled_from([0.1, 0.1, 0.1, 1.2, 11.0]),
    ),
    max_size=60,
)


@given(
    FRAMES,
    st.frozensets(st.sampled_from(list(FactorCause))),
    st.booleans(),
    st.booleans(),
    st.sampled_from([POLICY, LIVE]),
)
def test_asking_lets_nobody_in_who_was_not_and_whoever_is_let_in_passed_every_gate(
    frames: list[tuple], causes: frozenset[FactorCause], over: bool, alike: bool, base: DecisionPolicy
) -> None:
    people = [Person("p-ada", "Ada"), Person("p-ben", "Ben")]
    plain = build_snapshot("toy/1", 8, 1, people, [template(p.person_id, i) for i, p in enumerate(people)])
    bars = {"p-ada": Bar(0.45, 0.06, 0.6)} if alike else {}
    snapshot = replace(plain, over_budget=over, bars=bars)
    asking = DecisionEngine(replace(base, second_factor=FactorRule(causes, 0.15)), AccessRules())
    today = DecisionEngine(base, AccessRules())
    at, granted_today = 0.0, set()
    for number, (person, score, alive, track, gap) in enumerate(frames):
        one = seen(number, at, person, score=score, track=track, liveness=alive)
        before = today.step(one, snapshot, at, NOON)
        now = asking.step(one, snapshot, at, NOON)
        if before.outcome is Outcome.GRANT:
            granted_today.add(before.person_id)
        assert before.outcome is not Outcome.ASK
        if now.outcome is Outcome.GRANT:
            assert now.person_id in granted_today
            assert all(gate.passed for gate in now.trace)
            assert not over
        if now.outcome is Outcome.ASK:
            assert now.factor is not None
            assert now.factor.cause in causes
        at += gap
