"""A frame's way to a decision, on a pipeline whose faces are written into the picture."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from edged.devices.clock import Clock
from edged.domain.access import AccessRules
from edged.domain.attempts import AttemptLimit
from edged.domain.calibration import CalibrationPoint, threshold_for
from edged.domain.decision import DecisionPolicy
from edged.domain.gallery import build_snapshot
from edged.domain.people import Person
from edged.domain.risk import Risk
from edged.domain.types import Box, Decision, Face, FloatArray, Frame, Image, Outcome, Quality, Reason
from edged.metrics import Metrics
from edged.workers.gallery_sync import GalleryState
from edged.workers.recognition import RecognitionSettings, RecognitionWorker, Sight
from edged.workers.slot import LatestSlot
from tests.unit.domain.conftest import template

TABLE = tuple(CalibrationPoint(10.0**-n, 0.11 + 0.065 * n, 10**9) for n in range(2, 7))
DIMENSION = 8


class FakeClock(Clock):
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@dataclass
class PaintedPipeline:
    """Faces are rows of the picture: left, width, identity axis, usable."""

    space: str = "toy/1"
    dimension: int = DIMENSION
    calibration: tuple[CalibrationPoint, ...] = TABLE

    def detect(self, image: Image) -> list[Face]:
        return [
            Face(
                Box(float(row[0, 0]), 10.0, float(row[1, 0]), float(row[1, 0])),
                np.full((5, 2), row[2, 0], np.float32),
                0.9,
            )
            for row in image
            if row[1, 0]
        ]

    def align(self, image: Image, face: Face) -> Image:
        return np.full((112, 112, 3), int(face.landmarks[0, 0]), np.uint8)

    def assess(self, face: Face, aligned: Image) -> Quality:
        width = face.box.width
        return Quality(0.9 if aligned[0, 0, 0] < 200 else 0.1, width, width / 2, 200, 120, 0, 0, 0)

    def shortfall(self, quality: Quality) -> str | None:
        if quality.face_px < 50:
            return "too_small"
        return "blurred" if quality.score < 0.5 else None

    def embed(self, faces: Sequence[Image]) -> FloatArray:
        rows = np.zeros((len(faces), DIMENSION), np.float32)
        for index, face in enumerate(faces):
            rows[index, int(face[0, 0, 0])] = 1
        return rows


def picture(*faces: tuple[int, int, int]) -> Image:
    """(left, width, identity) for each face."""
    image = np.zeros((4, 3, 3), np.uint8)
    for row, values in enumerate(faces):
        image[row, :, 0] = values
    return image


class Door:
    """The worker with a clock of its own; frames are fed without a thread."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.metrics = Metrics(CollectorRegistry())
        self.decisions: list[Decision] = []
        self.sights: list[tuple[Sight, int]] = []  # with the number of decisions so far
        people = [Person("p-ada", "Ada"), Person("p-ben", "Ben")]
        snapshot = build_snapshot("toy/1", DIMENSION, 1, people, [template("p-ada", 0), template("p-ben", 1)])
        self.state = GalleryState(snapshot, threshold_for(TABLE, 2, Risk(1e-3)), TABLE)
        self.worker = RecognitionWorker(
            LatestSlot(),
            PaintedPipeline(),
            gallery=lambda: self.state,
            settings=RecognitionSettings(0.5, self.policy, AccessRules()),
            metrics=self.metrics,
            clock=self.clock,
            on_decision=lambda decision, _state: self.decisions.append(decision),
            on_seen=lambda sight: self.sights.append((sight, len(self.decisions))),
        )
        self.seq = 0

    @staticmethod
    def policy(threshold: float | None) -> DecisionPolicy:
        return DecisionPolicy(threshold, 3, 5, 0.06, 10, 1, 2, 0.5)

    def show(self, *faces: tuple[int, int, int], times: int = 1, age: float = 0.05) -> None:
        for _ in range(times):
            self.seq += 1
            self.clock.now += 0.1
            self.worker._process(Frame(self.seq, self.clock.now - age, picture(*faces)), self.state)
            self.worker._expire(self.state, self.clock.now)

    def told(self) -> list[tuple[Outcome, Reason, str | None]]:
        return [(d.outcome, d.reason, d.person_id) for d in self.decisions]


@pytest.fixture
def door() -> Iterator[Door]:
    return Door()


def test_a_known_face_is_granted_on_the_third_frame(door: Door) -> None:
    door.show((100, 80, 0), times=2)
    assert door.told() == []
    door.show((100, 80, 0), times=5)
    assert door.told() == [(Outcome.GRANT, Reason.MATCHED, "p-ada")]


def test_a_stranger_is_denied(door: Door) -> None:
    door.show((100, 80, 5), times=6)
    assert door.told() == [(Outcome.DENY, Reason.UNKNOWN, None)]


def test_old_frames_are_dropped_and_counted(door: Door) -> None:
    door.show((100, 80, 0), times=6, age=0.6)
    assert door.told() == []
    assert door.metrics.frames.labels("stale")._value.get() == 6


def test_a_face_far_away_is_neither_evidence_nor_event(door: Door) -> None:
    door.show((100, 40, 5), times=20)
    door.show(times=20)
    assert door.told() == []


def test_every_face_is_shown_before_it_is_judged(door: Door) -> None:
    door.show((100, 80, 0), (10, 40, 1), times=3)
    assert [(sight.frame.seq, sight.face.box.width, decided) for sight, decided in door.sights] == [
        (1, 80.0, 0), (2, 80.0, 0), (3, 80.0, 0),
    ]  # fmt: skip
    assert {sight.observation.track_id for sight, _ in door.sights} == {door.decisions[0].track_id}


def test_a_blurred_face_is_a_low_quality_denial(door: Door) -> None:
    door.show((100, 80, 220), times=6)
    assert door.told() == [(Outcome.DENY, Reason.LOW_QUALITY, None)]


def test_a_stranger_in_the_place_of_a_granted_person_is_somebody_else(door: Door) -> None:
    door.show((100, 80, 0), times=4)
    door.show((100, 80, 5), times=6)
    assert door.told() == [(Outcome.GRANT, Reason.MATCHED, "p-ada"), (Outcome.DENY, Reason.UNKNOWN, None)]


def test_two_people_taking_turns_in_one_place_are_granted_one_by_one(door: Door) -> None:
    door.show((100, 80, 0), times=4)
    door.show((102, 80, 1), times=4)
    assert [person for _, _, person in door.told()] == ["p-ada", "p-ben"]


def test_two_faces_at_once_are_judged_apart(door: Door) -> None:
    door.show((10, 60, 5), (120, 90, 1), times=6)
    assert set(door.told()) == {
        (Outcome.GRANT, Reason.MATCHED, "p-ben"),
        (Outcome.DENY, Reason.UNKNOWN, None),
    }


def test_a_short_visit_is_told_when_its_track_ends(door: Door) -> None:
    door.show((100, 80, 5), times=4)
    assert door.told() == []
    door.show(times=12)
    assert door.told() == [(Outcome.DENY, Reason.UNKNOWN, None)]


def test_a_visit_that_a_stop_cuts_short_is_told(door: Door) -> None:
    door.show((100, 80, 5), times=4)
    door.worker.stop()
    door.worker.run()
    assert door.told() == [(Outcome.DENY, Reason.UNKNOWN, None)]


def test_somebody_removed_between_two_frames_is_a_stranger(door: Door) -> None:
    door.show((100, 80, 0), times=2)
    only_ben = build_snapshot("toy/1", DIMENSION, 2, [Person("p-ben", "Ben")], [template("p-ben", 1)])
    door.state = replace(door.state, snapshot=only_ben)
    door.show((100, 80, 0), times=6)
    assert [outcome for outcome, _, _ in door.told()] == [Outcome.DENY]


def test_without_a_threshold_nobody_enters(door: Door) -> None:
    door.state = replace(door.state, threshold=threshold_for((), 2, Risk(1e-3)))
    door.worker._engine.reconfigure(door.policy(None), AccessRules())
    door.show((100, 80, 0), times=6)
    assert door.told() == [(Outcome.DENY, Reason.DISARMED, None)]


def test_after_refused_attempts_a_known_face_waits_for_the_delay_and_then_comes_in(door: Door) -> None:
    door.worker.settings = replace(door.worker.settings, attempts=AttemptLimit(2, 60, 5))
    for stranger in (5, 6):
        door.show((100, 80, stranger), times=5)
        door.show(times=15)
    shut_at = door.clock.now
    door.show((100, 80, 0), times=6)
    assert door.told()[-1] == (Outcome.DENY, Reason.TOO_MANY_ATTEMPTS, "p-ada")
    assert [outcome for outcome, _, _ in door.told()] == [Outcome.DENY] * 3  # told once
    while door.told()[-1][0] is not Outcome.GRANT and door.clock.now < shut_at + 10:
        door.show((100, 80, 0))
    assert door.told()[-1] == (Outcome.GRANT, Reason.MATCHED, "p-ada")
    assert door.clock.now >= shut_at - 1.5 + 5 - 0.5  # the last stranger was refused a little earlier
