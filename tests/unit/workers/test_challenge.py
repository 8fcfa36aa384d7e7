"""A challenge between the engine and the door, on a pipeline whose faces and poses are made to measure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edged.config.sections import LivenessConfig
from edged.domain.challenge import ChallengeDesk, ChallengePolicy, Gesture, Prompt
from edged.domain.decision import DecisionPolicy
from edged.domain.liveness import Cue
from edged.domain.types import Decision, Face, Image, Outcome, Quality, Reason
from edged.workers.challenge import NOT_ASKED, ChallengeWatch, challenge_watch
from edged.workers.liveness import LivenessWatch
from edged.workers.recognition import RecognitionWorker
from tests.unit.workers.test_liveness import DEAD, Scripted
from tests.unit.workers.test_recognition import Door, PaintedPipeline

ADA, BEN, STRANGER = (100, 80, 0), (100, 80, 1), (100, 80, 5)
LEFT, RIGHT = Gesture.TURN_LEFT, Gesture.TURN_RIGHT
TO_LEFT = (8.0, 16.0, 24.0, 26.0, 16.0, 8.0, 0.0, 0.0, 0.0)
TO_RIGHT = tuple(-yaw for yaw in TO_LEFT)
GRANTED = (Outcome.GRANT, Reason.MATCHED, "p-ada")


@dataclass
class Posed(PaintedPipeline):
    """All faces look ``yaw`` degrees to the picture's right."""

    yaw: float = 0.0

    def assess(self, face: Face, aligned: Image) -> Quality:
        return replace(super().assess(face, aligned), yaw=self.yaw)


class AskingDoor(Door):
    """A door that asks for ``turns``, one after the other, and keeps what it prompted."""

    def __init__(self, *turns: Gesture) -> None:
        super().__init__()
        self.prompts: list[Gesture | None] = []
        self.pipeline = Posed()
        draws = iter(turns * 50)
        desk = ChallengeDesk(ChallengePolicy(len(turns), 6.0), lambda _: next(draws))
        self.worker._pipeline = self.pipeline
        self.worker._challenge = ChallengeWatch(desk, self._prompted)

    def _prompted(self, prompt: Prompt | None) -> None:
        self.prompts.append(None if prompt is None else prompt.gesture)

    def turn(self, *yaws: float, face: tuple[int, int, int] = ADA) -> None:
        for self.pipeline.yaw in yaws:
            self.show(face)

    def leave(self) -> None:
        self.show(times=20)


@pytest.fixture
def door() -> AskingDoor:
    """Ada stands there and is asked to turn to the left."""
    door = AskingDoor(LEFT)
    door.turn(0, 0, 0, 0, 0, 0)
    assert (door.told(), door.prompts) == ([], [LEFT])
    return door


def test_who_turns_as_asked_is_let_in_and_all_gates_are_passed_anew(door: AskingDoor) -> None:
    door.turn(*TO_LEFT)
    assert door.told() == [GRANTED]
    assert door.prompts == [LEFT, None]
    trace = door.decisions[0].trace
    assert [gate.name for gate in trace][-2:] == ["armed", "challenge"]
    assert all(gate.passed for gate in trace)
    assert door.decisions[0].freshest_at == pytest.approx(door.clock.now - 0.05, abs=0.5)


def test_each_of_two_turns_is_asked(door: AskingDoor) -> None:
    twice = AskingDoor(LEFT, RIGHT)
    twice.turn(0, 0, 0, 0, 0, 0, *TO_LEFT)
    assert twice.told() == []
    twice.turn(0, 0, 0, *TO_RIGHT)
    assert twice.told() == [GRANTED]
    assert twice.prompts == [LEFT, Gesture.LOOK_AHEAD, RIGHT, None]


@pytest.mark.parametrize(
    ("yaws", "reason"),
    [
        ([0.0] * 70, Reason.CHALLENGE_UNANSWERED),
        ([0.0, 17.0, 0.0, -17.0] * 20, Reason.CHALLENGE_UNANSWERED),
        (TO_RIGHT, Reason.CHALLENGE_WRONG),
    ],
)
def test_still_swung_or_turned_otherwise_is_denied_once(
    door: AskingDoor, yaws: Sequence[float], reason: Reason
) -> None:
    door.turn(*yaws)
    assert door.told() == [(Outcome.DENY, reason, None)]
    assert door.decisions[0].trace[-1].name == "challenge"
    assert not door.decisions[0].trace[-1].passed
    assert door.prompts[-1] is None


def test_another_person_in_the_middle_gets_nothing_and_has_nothing(door: AskingDoor) -> None:
    door.turn(8, 16)
    door.turn(24, 26, 16, 8, face=BEN)
    assert door.told() == [(Outcome.DENY, Reason.CHALLENGE_BROKEN, None)]
    door.turn(*[0.0] * 8, face=BEN)
    door.leave()
    assert door.told()[1:] == [(Outcome.DENY, Reason.CHALLENGE_UNANSWERED, None)]


def test_a_stranger_in_the_middle_is_broken_and_unknown(door: AskingDoor) -> None:
    door.turn(8, 16)
    door.turn(*[24.0] * 6, face=STRANGER)
    assert [reason for _, reason, _ in door.told()] == [Reason.CHALLENGE_BROKEN, Reason.UNKNOWN]


def test_who_leaves_is_on_record_once(door: AskingDoor) -> None:
    door.leave()
    assert door.told() == [(Outcome.DENY, Reason.CHALLENGE_UNANSWERED, None)]
    assert door.prompts == [LEFT, None]
    door.turn(*[0.0] * 6)
    door.leave()
    assert door.told()[1:] == [(Outcome.DENY, Reason.CHALLENGE_UNANSWERED, None)]


def test_who_failed_has_to_wait_and_is_told_once(door: AskingDoor) -> None:
    door.turn(*TO_RIGHT)
    door.show(times=12)  # a second out of view, less than the wait
    door.turn(*[0.0] * 6)
    assert [reason for _, reason, _ in door.told()] == [Reason.CHALLENGE_WRONG, Reason.CHALLENGE_BLOCKED]
    door.turn(*[0.0] * 15)
    assert door.prompts[-1] is LEFT
    door.turn(*TO_LEFT)
    assert door.told()[2:] == [GRANTED]


def test_pictures_of_a_turned_head_that_match_nobody_deny_nobody(door: AskingDoor) -> None:
    door.pipeline.yaw = 10
    door.show((100, 80, 220), times=6)  # too blurred to be compared
    assert door.told() == []
    door.turn(0, 0, *TO_LEFT)
    assert door.told() == [GRANTED]


def test_a_gesture_does_not_make_a_dead_face_alive() -> None:
    door = AskingDoor(LEFT)
    meter = Scripted(door.clock)
    meter.says = DEAD
    door.worker.liveness = LivenessWatch(meter, door.metrics, door.clock.monotonic, timeout_seconds=0.25)
    _require_liveness(door.worker)
    door.turn(*[0.0] * 6, *TO_LEFT, *TO_RIGHT)
    assert door.told() == [(Outcome.DENY, Reason.NOT_LIVE, None)]
    assert door.prompts == []


def test_a_face_that_is_dead_after_the_gesture_stays_outside(door: AskingDoor) -> None:
    meter = Scripted(door.clock)
    door.worker.liveness = LivenessWatch(meter, door.metrics, door.clock.monotonic, timeout_seconds=0.25)
    _require_liveness(door.worker)
    door.turn(*[0.0] * 6)
    meter.says = {Cue.MODEL: -9.0}
    door.turn(*TO_LEFT, *[0.0] * 20)
    door.leave()
    assert not any(one.outcome is Outcome.GRANT for one in door.decisions)
    assert Reason.NOT_LIVE in [reason for _, reason, _ in door.told()]


def _require_liveness(worker: RecognitionWorker) -> None:
    def policy(threshold: float | None) -> DecisionPolicy:
        return replace(Door.policy(threshold), liveness_threshold=0.5, liveness_required=True)

    engine = worker._engine
    engine.reconfigure(policy(engine.policy.threshold), engine.rules)


def test_a_door_that_refuses_after_the_gesture_asks_again(door: AskingDoor) -> None:
    refused: list[Decision] = []
    door.worker._on_decision = lambda decision, _state: bool(refused.append(decision))
    door.turn(*TO_LEFT, 0, 0, 0, 0, 0, 0)
    assert [one.outcome for one in refused] == [Outcome.GRANT]
    assert door.prompts[-1] is LEFT


def test_a_door_that_is_not_armed_asks_nobody() -> None:
    door = AskingDoor(LEFT)
    engine = door.worker._engine
    engine.reconfigure(replace(engine.policy, armed=False), engine.rules)
    door.turn(*[0.0] * 6)
    assert door.told() == [(Outcome.DENY, Reason.DISARMED, "p-ada")]
    assert door.prompts == []
    assert door.decisions[0].trace[-1] == NOT_ASKED


def test_off_by_default_and_drawn_where_it_is_on() -> None:
    assert challenge_watch(LivenessConfig(), lambda _: None) is None
    assert challenge_watch(LivenessConfig(challenge="turn"), lambda _: None) is not None


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from([-40.0, -26.0, -16.0, -8.0, 0.0, 3.9]), st.sampled_from([ADA, ADA, BEN])),
        max_size=50,
    )
)
def test_no_visit_without_the_turn_that_is_asked_is_let_in(
    looks: list[tuple[float, tuple[int, int, int]]],
) -> None:
    door = AskingDoor(LEFT)
    door.turn(*[0.0] * 4)
    for yaw, face in looks:
        door.turn(yaw, face=face)
    door.leave()
    assert np.all([one.outcome is Outcome.DENY for one in door.decisions])
    assert door.decisions
