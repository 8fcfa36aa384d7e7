"""Liveness on the recognition thread: what fails, is late or is not finite was not measured."""

import logging
import math
from collections.abc import Mapping

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from edged.config.sections import DecisionConfig
from edged.domain.decision import DecisionPolicy
from edged.domain.liveness import Cue
from edged.domain.types import Box, Face, Gate, Image, Outcome, Reason
from edged.errors import ModelError
from edged.metric_labels import LIVENESS_FAILURES, LIVENESS_SCORES
from edged.metrics import Metrics
from edged.workers.liveness import LivenessWatch
from edged.workers.liveness_trial import LivenessTrial, TrialLimits, TrialVisit
from tests.unit.workers.test_recognition import Door, FakeClock, PaintedPipeline, picture

FACE = Face(Box(0, 0, 80, 80), np.zeros((5, 2), np.float32), 0.9)
IMAGE = np.zeros((4, 3, 3), np.uint8)
ALIVE, DEAD = {Cue.MODEL: 2.0, Cue.BORDER: 0.0}, {Cue.MODEL: 2.0, Cue.BORDER: -9.0}


class Scripted:
    """A meter that says, takes and raises what it is told to."""

    def __init__(self, clock: FakeClock) -> None:
        self.says: Mapping[Cue, float] | Exception = ALIVE
        self.takes = 0.0
        self.forgotten: list[int] = []
        self._clock = clock

    def measure(self, track_id: int, at: float, image: Image, face: Face) -> Mapping[Cue, float]:
        self._clock.now += self.takes
        if isinstance(self.says, Exception):
            raise self.says
        return self.says

    def forget(self, track_id: int) -> None:
        self.forgotten.append(track_id)


class Watched:
    """A watch around a scripted meter."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.metrics = Metrics(CollectorRegistry())
        self.meter = Scripted(self.clock)
        self.watch = LivenessWatch(self.meter, self.metrics, self.clock.monotonic, timeout_seconds=0.25)

    def measure(self) -> float | None:
        return self.watch.measure(1, 0.0, IMAGE, FACE)

    def failures(self) -> dict[str, float]:
        counts = {
            cause: self.metrics.liveness_failures.labels(cause)._value.get() for cause in LIVENESS_FAILURES
        }
        return {cause: count for cause, count in counts.items() if count}


@pytest.fixture
def watched() -> Watched:
    return Watched()


def test_a_measurement_is_counted_by_cue_and_as_a_whole(watched: Watched) -> None:
    assert watched.measure() == pytest.approx(1 / (1 + math.exp(-6)))
    sample = watched.metrics.registry.get_sample_value
    assert {cue: sample("edged_liveness_score_count", {"cue": cue}) for cue in LIVENESS_SCORES} == {
        "model": 1, "border": 1, "screen": 0, "parallax": 0, "face": 1,
    }  # fmt: skip
    assert watched.failures() == {}


@pytest.mark.parametrize(
    ("says", "takes", "cause"),
    [
        (ModelError("broken"), 0.0, "error"),
        (RuntimeError("a defect"), 0.0, "error"),
        ({Cue.MODEL: math.nan}, 0.0, "not_finite"),
        ({Cue.MODEL: 2.0, Cue.BORDER: math.inf}, 0.0, "not_finite"),
        ({}, 0.0, "not_finite"),
        (ALIVE, 0.26, "timeout"),
        (ALIVE, math.nan, "timeout"),
    ],
)
def test_whatever_fails_was_not_measured(
    watched: Watched, says: Mapping[Cue, float] | Exception, takes: float, cause: str
) -> None:
    watched.meter.says, watched.meter.takes = says, takes
    assert watched.measure() is None
    assert watched.failures() == {cause: 1}
    assert watched.metrics.registry.get_sample_value("edged_liveness_score_count", {"cue": "face"}) == 0


def test_a_failure_is_logged_once_until_it_is_over(
    watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    for says in (ModelError("broken"), ModelError("broken"), ALIVE, ModelError("broken")):
        watched.meter.says = says
        watched.measure()
    assert len(caplog.records) == 2


def test_a_check_that_keeps_failing_is_in_trouble_until_a_face_is_measured(watched: Watched) -> None:
    watched.meter.says = ModelError("broken")
    for _ in range(9):
        watched.measure()
    assert watched.watch.trouble is None
    watched.measure()
    assert watched.watch.trouble == "error"
    watched.meter.says = ALIVE
    watched.measure()
    assert watched.watch.trouble is None


class GuardedDoor(Door):
    """The recognition worker with a liveness check."""

    mode = DecisionPolicy(0.5, 3, 5, 0.06, 10, 1, 2, 0.5, liveness_threshold=0.5, liveness_required=True)

    def __init__(self) -> None:
        super().__init__()
        self.meter = Scripted(self.clock)
        self.worker.liveness = LivenessWatch(
            self.meter, self.metrics, self.clock.monotonic, timeout_seconds=0.25
        )

    @classmethod
    def policy(cls, threshold: float | None) -> DecisionPolicy:  # type: ignore[override] - needs the class
        return cls.mode


class AdvisedDoor(GuardedDoor):
    """The same, where liveness denies nobody."""

    mode = DecisionPolicy(0.5, 3, 5, 0.06, 10, 1, 2, 0.5, liveness_threshold=0.5)


def test_a_living_face_comes_in_and_each_look_is_timed() -> None:
    door = GuardedDoor()
    door.show((100, 80, 0), times=3)
    assert door.told() == [(Outcome.GRANT, Reason.MATCHED, "p-ada")]
    assert door.decisions[0].liveness > 0.9
    count = door.metrics.registry.get_sample_value(
        "edged_stage_duration_seconds_count", {"stage": "liveness"}
    )
    assert count == 3


@pytest.mark.parametrize(
    "says", [DEAD, ModelError("broken"), {Cue.MODEL: math.nan}, RuntimeError("a defect")]
)
def test_where_liveness_is_required_what_fails_denies(says: Mapping[Cue, float] | Exception) -> None:
    door = GuardedDoor()
    door.meter.says = says
    door.show((100, 80, 0), times=8)
    assert door.told() == [(Outcome.DENY, Reason.NOT_LIVE, None)]


def test_a_check_that_is_late_denies() -> None:
    door = GuardedDoor()
    door.meter.takes = 0.3
    door.show((100, 80, 0), times=8)
    assert [reason for _, reason, _ in door.told()] == [Reason.NOT_LIVE]


def test_without_a_meter_a_door_that_requires_liveness_lets_nobody_in() -> None:
    door = GuardedDoor()
    door.worker.liveness = None
    door.show((100, 80, 0), times=8)
    assert door.told() == [(Outcome.DENY, Reason.NOT_LIVE, None)]


@pytest.mark.parametrize("says", [DEAD, ModelError("broken")])
def test_advice_denies_nobody(says: Mapping[Cue, float] | Exception) -> None:
    door = AdvisedDoor()
    door.meter.says = says
    door.show((100, 80, 0), times=4)
    assert door.told() == [(Outcome.GRANT, Reason.MATCHED, "p-ada")]
    (gate,) = [gate for gate in door.decisions[0].trace if gate.name == "liveness"]
    assert gate == Gate("liveness", door.decisions[0].liveness, "advisory", True)


def test_a_stranger_stays_a_stranger_and_a_blurred_face_is_not_measured() -> None:
    door = GuardedDoor()
    door.show((100, 80, 5), times=6)
    assert door.told() == [(Outcome.DENY, Reason.UNKNOWN, None)]
    blurred = GuardedDoor()
    blurred.show((100, 80, 220), times=6)
    assert blurred.metrics.registry.get_sample_value("edged_liveness_score_count", {"cue": "face"}) == 0


def test_a_track_that_ended_is_forgotten() -> None:
    door = GuardedDoor()
    door.show((100, 80, 0), times=4)
    door.show(times=12)
    assert door.meter.forgotten == [1]


class Stage:
    """Presentations to a trial, on a clock of its own."""

    def __init__(self, frames: int = 6) -> None:
        self.watched = Watched()
        self.trial = LivenessTrial(
            PaintedPipeline(),
            self.watched.watch,
            DecisionConfig(),
            threshold=0.5,
            limits=TrialLimits(frames, seconds=2.0),
            clock=self._tick,
        )

    def _tick(self) -> float:
        self.watched.clock.now += 0.03
        return self.watched.clock.now

    def present(self, *face: int, pictures: int = 50) -> TrialVisit:
        return self.trial.present(picture(face) if face else picture() for _ in range(pictures))  # type: ignore[arg-type]


def test_a_presentation_ends_after_its_frames() -> None:
    visit = Stage().present(100, 80, 0)
    assert (visit.frames, visit.measured, visit.alive, visit.ended) == (6, 6, True, False)
    assert visit.liveness > 0.9


def test_an_attack_that_is_seen_through_is_not_alive() -> None:
    stage = Stage()
    stage.watched.meter.says = DEAD
    assert stage.present(100, 80, 0).alive is False


def test_what_cannot_be_measured_is_not_alive() -> None:
    stage = Stage()
    stage.watched.meter.says = ModelError("broken")
    assert stage.present(100, 80, 0) == TrialVisit(6, 0, None, alive=False)


def test_too_few_frames_are_not_alive_and_the_end_of_the_camera_is_told() -> None:
    assert Stage().present(100, 80, 0, pictures=2) == TrialVisit(2, 2, None, alive=False, ended=True)


def test_a_presentation_without_a_usable_face_ends_in_time() -> None:
    assert Stage().present(100, 40, 0, pictures=1000) == TrialVisit(0, 0, None, alive=False)


def test_presentations_share_nothing() -> None:
    stage = Stage()
    stage.present(100, 80, 0)
    stage.present(100, 80, 0)
    assert stage.watched.meter.forgotten == [1]
