"""The engine: who is let in, who is not, and why."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.domain.access import AccessRules, OpenPeriod
from edged.domain.decision import DecisionEngine, DecisionPolicy
from edged.domain.gallery import GallerySnapshot, build_snapshot
from edged.domain.lookalikes import Bar
from edged.domain.people import Person
from edged.domain.types import Decision, Gate, Match, Observation, Outcome, Reason
from edged.domain.vetoes import vetoed_people
from tests.unit.domain.conftest import GOOD, NOON, POLICY, seen, template


@pytest.fixture
def engine() -> DecisionEngine:
    return DecisionEngine(POLICY, AccessRules())


def run(
    engine: DecisionEngine,
    gallery: GallerySnapshot,
    count: int,
    *,
    start: float = 0.0,
    first: int = 1,
    **kind: object,
) -> list[Decision]:
    """Feed ``count`` frames at 10 fps, each judged 50 ms after its capture."""
    return [
        engine.step(seen(first + i, start + i * 0.1, **kind), gallery, start + i * 0.1 + 0.05, NOON)
        for i in range(count)
    ]


def outcomes(decisions: list[Decision]) -> list[tuple[Outcome, Reason]]:
    return [(d.outcome, d.reason) for d in decisions if d.outcome is not Outcome.WAIT]


def test_the_third_agreeing_frame_grants(engine: DecisionEngine, gallery: GallerySnapshot) -> None:
    decisions = run(engine, gallery, 3)
    assert [d.outcome for d in decisions] == [Outcome.WAIT, Outcome.WAIT, Outcome.GRANT]
    assert decisions[2].person_id == "p-ada"
    assert [gate.name for gate in decisions[2].trace] == [
        "nearest", "second",
        "freshness", "quality", "threshold", "score", "margin", "agreement", "person", "cooldown", "armed",
    ]  # fmt: skip
    assert all(gate.passed for gate in decisions[2].trace)


def test_one_grant_a_track(engine: DecisionEngine, gallery: GallerySnapshot) -> None:
    assert outcomes(run(engine, gallery, 300)) == [(Outcome.GRANT, Reason.MATCHED)]


def test_a_stranger_is_denied_once_when_the_window_is_full(
    engine: DecisionEngine, gallery: GallerySnapshot
) -> None:
    decisions = run(engine, gallery, 30, score=0.2)
    assert outcomes(decisions) == [(Outcome.DENY, Reason.UNKNOWN)]
    assert decisions[4].outcome is Outcome.DENY
    assert decisions[4].person_id is None


@pytest.mark.parametrize(
    ("score", "second", "granted"),
    [
        (0.4, 0.1, True),
        (0.39999, 0.1, False),
        (0.5, 0.44, True),
        (0.5, 0.4401, False),
        (float("nan"), 0.1, False),
    ],
)
def test_threshold_and_margin_edges(
    engine: DecisionEngine, gallery: GallerySnapshot, score: float, second: float, granted: bool
) -> None:
    decisions = run(engine, gallery, 5, score=score, second=second)
    assert any(d.outcome is Outcome.GRANT for d in decisions) is granted


@pytest.mark.parametrize(
    ("policy", "kind", "reason"),
    [
        (POLICY, {"second": 0.69}, Reason.AMBIGUOUS),
        (POLICY, {"match": False}, Reason.LOW_QUALITY),
        (replace(POLICY, threshold=None), {}, Reason.DISARMED),
        (replace(POLICY, armed=False), {}, Reason.DISARMED),
        (replace(POLICY, liveness_required=True, liveness_threshold=0.5), {}, Reason.NOT_LIVE),
        (replace(POLICY, liveness_required=True, liveness_threshold=0.5), {"liveness": 0.4}, Reason.NOT_LIVE),
        (replace(POLICY, liveness_required=True), {"liveness": 0.99}, Reason.NOT_LIVE),
        (POLICY, {"person_id": "p-off"}, Reason.DISABLED),
        (POLICY, {"person_id": "p-gone"}, Reason.UNKNOWN),
        (POLICY, {"person_id": None, "score": 0.9}, Reason.UNKNOWN),
    ],
)
def test_each_failing_gate_has_its_reason(
    gallery: GallerySnapshot, policy: DecisionPolicy, kind: dict[str, object], reason: Reason
) -> None:
    assert outcomes(run(DecisionEngine(policy, AccessRules()), gallery, 20, **kind)) == [
        (Outcome.DENY, reason)
    ]


def test_an_old_frame_is_no_evidence(engine: DecisionEngine, gallery: GallerySnapshot) -> None:
    decisions = [engine.step(seen(i, i * 0.1), gallery, i * 0.1 + 0.51, NOON) for i in range(1, 10)]
    assert outcomes(decisions) == [(Outcome.DENY, Reason.STALE)]


def test_a_clock_that_runs_backwards_grants_nothing(engine: DecisionEngine, gallery: GallerySnapshot) -> None:
    engine.step(seen(1, 100.0, track=9), gallery, 100.0, NOON)
    assert all(d.outcome is not Outcome.GRANT for d in run(engine, gallery, 20, start=10.0))


def test_the_same_frame_again_is_no_further_evidence(
    engine: DecisionEngine, gallery: GallerySnapshot
) -> None:
    decisions = [engine.step(seen(7, 1.0), gallery, 1.0 + i / 100, NOON) for i in range(20)]
    assert outcomes(decisions) == []


def test_two_people_in_one_track_do_not_add_up(engine: DecisionEngine, gallery: GallerySnapshot) -> None:
    names = ["p-ada", "p-ben"] * 6
    decisions = [
        engine.step(replace(seen(i, i * 0.1, name)), gallery, i * 0.1, NOON) for i, name in enumerate(names)
    ]
    granted = [d for d in decisions if d.outcome is Outcome.GRANT]
    # Three of five alternate frames agree, yet only for the person of the newest frame.
    assert all(decisions.index(d) % 2 == (0 if d.person_id == "p-ada" else 1) for d in granted)
    thrice = DecisionEngine(replace(POLICY, confirm_frames=4), AccessRules())
    decisions = [thrice.step(seen(i, i * 0.1, name), gallery, i * 0.1, NOON) for i, name in enumerate(names)]
    assert outcomes(decisions) == [(Outcome.DENY, Reason.AMBIGUOUS)]


def test_evidence_grows_old(engine: DecisionEngine, gallery: GallerySnapshot) -> None:
    for i, at in enumerate((0.0, 1.5, 3.0, 4.5, 6.0)):
        assert engine.step(seen(i, at), gallery, at, NOON).outcome is Outcome.WAIT


def test_cooling_down_then_rearmed_by_absence(engine: DecisionEngine, gallery: GallerySnapshot) -> None:
    run(engine, gallery, 3)
    assert outcomes(run(engine, gallery, 5, start=3.0, first=30, track=2)) == [
        (Outcome.DENY, Reason.COOLING_DOWN)
    ]
    assert outcomes(run(engine, gallery, 5, start=6.0, first=60, track=3)) == []
    assert outcomes(run(engine, gallery, 5, start=11.0, first=110, track=4)) == [
        (Outcome.GRANT, Reason.MATCHED)
    ]


def test_whom_the_door_did_not_open_for_may_try_again_at_once_with_fresh_frames(
    engine: DecisionEngine, gallery: GallerySnapshot
) -> None:
    *_, granted = run(engine, gallery, 3)
    engine.take_back(granted)
    again = run(engine, gallery, 3, start=0.3, first=4)
    assert [decision.outcome for decision in again] == [Outcome.WAIT, Outcome.WAIT, Outcome.GRANT]
    assert [gate.name for gate in again[2].trace] == [gate.name for gate in granted.trace]
    assert outcomes(run(engine, gallery, 5, start=0.6, first=7)) == []
    assert engine.end(1) is None


def test_a_refused_grant_long_after_one_that_opened_is_taken_back_once(
    engine: DecisionEngine, gallery: GallerySnapshot
) -> None:
    run(engine, gallery, 3)
    *_, later = run(engine, gallery, 3, start=11.0, first=110, track=2)
    assert later.outcome is Outcome.GRANT
    engine.take_back(later)
    engine.take_back(later)  # twice changes nothing more
    assert outcomes(run(engine, gallery, 3, start=11.3, first=113, track=2))[0][0] is Outcome.GRANT


def test_a_person_who_never_left_is_not_granted_again(
    engine: DecisionEngine, gallery: GallerySnapshot
) -> None:
    """The track may break while somebody stands there; that is not a second visit."""
    decisions = []
    for i in range(400):
        track = 1 + i // 50
        decisions.append(engine.step(seen(i, i * 0.1, track=track), gallery, i * 0.1, NOON))
    assert outcomes(decisions).count((Outcome.GRANT, Reason.MATCHED)) == 1


def test_a_denial_takes_nothing_back_and_a_grant_only_what_was_its_own(
    engine: DecisionEngine, gallery: GallerySnapshot
) -> None:
    *_, ada = run(engine, gallery, 3)
    *_, ben = run(engine, gallery, 3, start=0.3, first=4, track=2, person_id="p-ben", second=-1.0)
    assert ben.outcome is Outcome.GRANT
    engine.take_back(ada)  # long after, as where a PIN was awaited in between
    engine.take_back(replace(ben, outcome=Outcome.DENY))
    assert outcomes(run(engine, gallery, 3, start=0.6, first=7))[0][0] is Outcome.GRANT
    assert outcomes(run(engine, gallery, 3, start=0.6, first=7, track=2, person_id="p-ben")) == []


def test_a_refused_grant_does_not_take_back_one_that_came_after_it(
    engine: DecisionEngine, gallery: GallerySnapshot
) -> None:
    *_, refused = run(engine, gallery, 3)
    *_, opened = run(engine, gallery, 3, start=11.0, first=110, track=2)
    assert opened.outcome is Outcome.GRANT
    engine.take_back(refused)
    again = run(engine, gallery, 3, start=13.0, first=130, track=3)
    assert outcomes(again) == [(Outcome.DENY, Reason.COOLING_DOWN)]


def test_two_people_in_view_are_both_granted(engine: DecisionEngine, gallery: GallerySnapshot) -> None:
    decisions = []
    for i in range(3):
        for track, person in ((1, "p-ada"), (2, "p-ben")):
            decisions.append(engine.step(seen(i, i * 0.1, person, track=track), gallery, i * 0.1, NOON))
    assert {d.person_id for d in decisions if d.outcome is Outcome.GRANT} == {"p-ada", "p-ben"}


def test_somebody_who_looks_away_first_still_comes_in(
    engine: DecisionEngine, gallery: GallerySnapshot
) -> None:
    first = run(engine, gallery, 8, match=False)
    then = run(engine, gallery, 8, start=0.8, first=20)
    assert outcomes(first + then) == [(Outcome.DENY, Reason.LOW_QUALITY), (Outcome.GRANT, Reason.MATCHED)]


def test_a_short_visit_of_a_stranger_is_reported_at_its_end(
    engine: DecisionEngine, gallery: GallerySnapshot
) -> None:
    run(engine, gallery, 4, score=0.1)
    ended = engine.end(1)
    assert ended is not None
    assert (ended.outcome, ended.reason) == (Outcome.DENY, Reason.UNKNOWN)
    assert engine.end(1) is None


def test_a_passing_glimpse_is_not_an_event(engine: DecisionEngine, gallery: GallerySnapshot) -> None:
    run(engine, gallery, 2, score=0.1)
    assert engine.end(1) is None


def test_new_numbers_drop_old_evidence(engine: DecisionEngine, gallery: GallerySnapshot) -> None:
    run(engine, gallery, 2)
    engine.reconfigure(replace(POLICY, threshold=0.41), AccessRules())
    assert outcomes(run(engine, gallery, 2, start=0.2, first=10)) == []


def test_a_schedule_denies_outside_its_hours(gallery: GallerySnapshot) -> None:
    rules = AccessRules({"nights": (OpenPeriod(frozenset({0}), 22 * 60, 6 * 60),)}, {"staff": ("nights",)})
    person = Person("p-ada", "Ada", groups=frozenset({"staff"}))
    staffed = build_snapshot("toy/1", 8, 1, [person], [template("p-ada", 0)])
    engine = DecisionEngine(POLICY, rules)
    assert outcomes(run(engine, staffed, 9)) == [(Outcome.DENY, Reason.OUTSIDE_SCHEDULE)]
    night = NOON + timedelta(hours=11)
    engine = DecisionEngine(POLICY, rules)
    granted = [engine.step(seen(i, i * 0.1), staffed, i * 0.1, night) for i in range(3)]
    assert granted[-1].outcome is Outcome.GRANT


def test_a_look_alikes_own_limits_hold_for_them_alone_and_show_in_the_trace(
    gallery: GallerySnapshot,
) -> None:
    barred = replace(gallery, bars={"p-ada": Bar(0.45, 0.11, 0.6, "p-ben")})
    engine = DecisionEngine(POLICY, AccessRules())
    denied = run(engine, barred, 5, score=0.44)
    assert outcomes(denied) == [(Outcome.DENY, Reason.UNKNOWN)]
    likeness, score = denied[-1].trace[-2:]
    assert likeness == Gate("lookalike", 0.6, None, True, who="p-ben")
    assert (score.name, score.limit) == ("score", pytest.approx(0.45))
    close = run(DecisionEngine(POLICY, AccessRules()), barred, 5, score=0.6, second=0.5)
    assert outcomes(close) == [(Outcome.DENY, Reason.AMBIGUOUS)]
    assert close[-1].trace[-1].limit == pytest.approx(0.11)
    other = run(DecisionEngine(POLICY, AccessRules()), barred, 3, person_id="p-off", score=0.44)
    assert "lookalike" not in [gate.name for gate in other[-1].trace]
    assert outcomes(run(DecisionEngine(POLICY, AccessRules()), barred, 3, score=0.46)) == [
        (Outcome.GRANT, Reason.MATCHED)
    ]


@pytest.mark.parametrize(
    ("veto", "granted"), [(0.3, True), (0.6399, True), (0.65, False), (float("nan"), False)]
)
def test_a_face_near_one_that_was_taken_for_the_person_is_vetoed(
    engine: DecisionEngine, gallery: GallerySnapshot, veto: float, granted: bool
) -> None:
    decisions = [
        engine.step(
            replace(seen(i, i * 0.1), match=Match("p-ada", 0.7, "p-ben", 0.1, veto)), gallery, i * 0.1, NOON
        )
        for i in range(5)
    ]
    wanted = (Outcome.GRANT, Reason.MATCHED) if granted else (Outcome.DENY, Reason.VETOED)
    assert outcomes(decisions) == [wanted]
    (gate,) = [gate for gate in decisions[-1].trace if gate.name == "veto"]
    assert (gate.passed, gate.limit) == (granted, pytest.approx(0.64))


def vetoing(seq: int, veto: float, *, track: int = 1, score: float = 0.7) -> Observation:
    face = seen(seq, seq * 0.1, track=track)
    return replace(face, match=Match("p-ada", score, "p-ben", 0.1, veto))


@pytest.mark.parametrize("score", [0.7, 0.3])
def test_a_visit_in_which_the_veto_fired_once_never_enters_as_that_person(
    engine: DecisionEngine, gallery: GallerySnapshot, score: float
) -> None:
    """Also where the picture that fired would not have let anybody in."""
    first = engine.step(vetoing(0, 0.99, score=score), gallery, 0.05, NOON)
    later = [engine.step(vetoing(i, 0.2), gallery, i * 0.1 + 0.05, NOON) for i in range(1, 200)]
    assert outcomes([first, *later]) == [(Outcome.DENY, Reason.VETOED)]
    assert later[-1].trace[-1] == Gate("visit_veto", "an earlier picture", None, passed=False)
    # Somebody else before the same camera is a visit of their own, and so is the person in a new one.
    other = [engine.step(vetoing(i, 0.2, track=2), gallery, i * 0.1 + 0.05, NOON) for i in range(200, 203)]
    assert other[-1].outcome is Outcome.GRANT


def test_a_picture_that_is_nearest_to_somebody_else_vetoes_all_the_same(gallery: GallerySnapshot) -> None:
    anchor = np.zeros(8, np.float32)
    anchor[:2] = 0.6, 0.8
    vetoed = replace(gallery, vetoes={"p-ada": anchor[None]})
    face = replace(seen(0, 0.0, "p-ben"), vector=anchor)
    assert vetoed_people(face, vetoed, 0.4, 0.06) == {"p-ada"}
    assert vetoed_people(replace(face, vector=gallery.matrix[0]), vetoed, 0.4, 0.06) == set()
    assert vetoed_people(replace(face, match=None), vetoed, 0.4, 0.06) == set()


def test_evidence_of_another_gallery_does_not_count(engine: DecisionEngine, gallery: GallerySnapshot) -> None:
    run(engine, gallery, 2)
    renewed = replace(gallery, version=2)
    assert outcomes(run(engine, renewed, 2, start=0.2, first=10)) == []
    assert outcomes(run(engine, renewed, 1, start=0.4, first=20)) == [(Outcome.GRANT, Reason.MATCHED)]


frames = st.lists(
    st.tuples(
        st.integers(0, 40),  # frame number
        st.sampled_from(["p-ada", "p-ben", "p-off", None]),
        st.floats(-1, 1),
        st.floats(-1, 1),
        st.floats(-1, 5),  # how late it is judged
        st.booleans(),
        st.integers(1, 2),
    ),
    max_size=60,
)


@given(frames)
def test_a_grant_always_has_enough_fresh_distinct_frames_of_one_person(frames: list[tuple]) -> None:
    people = [Person("p-ada", "Ada"), Person("p-ben", "Ben"), Person("p-off", "Off", enabled=False)]
    gallery = build_snapshot("toy/1", 8, 1, people, [template(p.person_id, i) for i, p in enumerate(people)])
    engine = DecisionEngine(POLICY, AccessRules())
    good: dict[tuple[int, str | None], set[int]] = {}
    for seq, person, score, second, late, match, track in frames:
        at = seq * 0.1
        observation = seen(seq, at, person, score=score, second=second, track=track, match=match)
        if match and score >= 0.4 and observation.match.margin >= 0.06 and 0 <= late <= 0.5:
            good.setdefault((track, person), set()).add(seq)
        decision = engine.step(observation, gallery, at + late, NOON)
        if decision.outcome is Outcome.GRANT:
            assert decision.person_id in ("p-ada", "p-ben")
            assert len(good[track, decision.person_id]) >= 3


def test_a_door_that_is_not_armed_denies_whom_it_would_have_let_in_once_a_visit(
    engine: DecisionEngine, gallery: GallerySnapshot
) -> None:
    shadow = DecisionEngine(replace(POLICY, armed=False), AccessRules())
    for visit, kind in enumerate([{}, {"score": 0.2}, {"person_id": "p-off"}, {"second": 0.69}]):
        frames = {"first": 1 + 100 * visit, "start": 100.0 * visit, "track": visit}
        armed, dark = (run(one, gallery, 30, **frames, **kind) for one in (engine, shadow))
        for real, would in zip(armed, dark, strict=True):
            if real.outcome is Outcome.GRANT:
                assert (would.outcome, would.reason) == (Outcome.DENY, Reason.DISARMED)
                assert would.person_id == real.person_id
                assert [gate.name for gate in would.trace if not gate.passed] == ["armed"]
            else:
                assert replace(would, trace=()) == replace(real, trace=())
        assert shadow.end(visit) is None or not outcomes(armed)


def test_without_a_threshold_nobody_would_have_been_let_in(gallery: GallerySnapshot) -> None:
    engine = DecisionEngine(replace(POLICY, armed=False, threshold=None), AccessRules())
    (denied,) = [d for d in run(engine, gallery, 30) if d.outcome is not Outcome.WAIT]
    assert (denied.reason, denied.person_id) == (Reason.DISARMED, None)


def test_a_refusal_for_quality_says_how_much_is_missing_and_of_what(
    engine: DecisionEngine, gallery: GallerySnapshot
) -> None:
    poor = replace(GOOD, score=0.3, flaw="blurred")
    decision = [
        engine.step(replace(seen(i, i * 0.1, match=False), quality=poor), gallery, i * 0.1 + 0.05, NOON)
        for i in range(1, 6)
    ][-1]
    assert (decision.outcome, decision.reason) == (Outcome.DENY, Reason.LOW_QUALITY)
    assert decision.trace[-2:] == (Gate("flaw", "blurred", None, True), Gate("quality", 0.3, None, False))


def nearest(decision: Decision) -> list[tuple[str, float | str | None, str | None]]:
    return [(g.name, g.value, g.who) for g in decision.trace if g.name in {"nearest", "second"}]


@pytest.mark.parametrize("kind", [{"score": 0.3}, {"score": 0.3, "second": 0.28}, {"person_id": "p-off"}])
def test_whoever_is_denied_the_best_and_second_person_are_in_the_trace(
    engine: DecisionEngine, gallery: GallerySnapshot, kind: dict[str, object]
) -> None:
    (denied,) = [d for d in run(engine, gallery, 5, **kind) if d.outcome is Outcome.DENY]
    who, score, second = kind.get("person_id", "p-ada"), kind.get("score", 0.7), kind.get("second", 0.1)
    assert nearest(denied) == [("nearest", score, who), ("second", second, "p-ben")]


def test_a_last_picture_that_was_not_compared_does_not_hide_whom_the_others_were_near(
    engine: DecisionEngine, gallery: GallerySnapshot
) -> None:
    run(engine, gallery, 4, score=0.3)
    (denied,) = run(engine, gallery, 1, first=10, start=0.4, match=False)
    assert (denied.outcome, denied.reason, denied.person_id) == (Outcome.DENY, Reason.UNKNOWN, None)
    assert nearest(denied)[0] == ("nearest", 0.3, "p-ada")


def test_nobody_is_named_who_is_not_in_the_gallery_any_more(
    engine: DecisionEngine, gallery: GallerySnapshot
) -> None:
    run(engine, gallery, 4, score=0.3)
    left = build_snapshot("toy/1", 8, 2, [Person("p-ben", "Ben")], [template("p-ben", 1)])
    assert nearest(run(engine, left, 1, first=10, start=0.4, match=False)[0]) == []


VISITS = st.lists(
    st.tuples(st.sampled_from(["p-ada", "p-ben"]), st.floats(0.4, 8), st.booleans(), st.integers(0, 3)),
    max_size=16,
)


@given(VISITS)
def test_only_what_was_taken_back_shortens_a_cool_down(visits: list[tuple[str, float, bool, int]]) -> None:
    """Grants are taken back at once or some visits later, as where a PIN was awaited in between."""
    people = [Person("p-ada", "Ada"), Person("p-ben", "Ben")]
    snapshot = build_snapshot("toy/1", 8, 1, people, [template(p.person_id, i) for i, p in enumerate(people)])
    engine, at, seq = DecisionEngine(POLICY, AccessRules()), 0.0, 0
    opened: dict[str, list[float]] = {"p-ada": [], "p-ben": []}
    due: list[tuple[int, Decision]] = []
    for track, (person_id, pause, refused, later) in enumerate(visits):
        at += pause
        for _ in range(3):
            seq, at = seq + 1, at + 0.1
            one = seen(seq, at, person_id, second=-1.0, track=track)
            decision = engine.step(one, snapshot, at, NOON)
            if decision.outcome is Outcome.GRANT:
                opened[person_id] += [] if refused else [at]
                due += [(track + later, decision)] if refused else []
        for when, decision in [one for one in due if one[0] <= track]:
            due.remove((when, decision))
            engine.take_back(decision)
    for times in opened.values():
        gaps = [after - before for before, after in pairwise(times)]
        assert all(gap >= POLICY.cooldown_seconds for gap in gaps)
