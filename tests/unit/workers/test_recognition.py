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
    """Though noticed half a second later at most: who was let in is not looked at in every frame."""
    door.show((100, 80, 0), times=4)
    door.show((100, 80, 5), times=10)
    assert door.told() == [(Outcome.GRANT, Reason.MATCHED, "p-ada"), (Outcome.DENY, Reason.UNKNOWN, None)]


def test_two_people_taking_turns_in_one_place_are_granted_one_by_one(door: Door) -> None:
    door.show((100, 80, 0), times=4)
    door.show((102, 80, 1), times=8)
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


def test_a_new_time_of_absence_holds_for_tracks_that_are_open(door: Door) -> None:
    """Two seconds without a face end the visit only once they are longer than the setting."""
    door.worker.settings = replace(
        door.worker.settings, policy=lambda threshold: replace(door.policy(threshold), absence_seconds=5)
    )
    door.worker._take_settings(door.state)
    door.show((100, 80, 5), times=4)
    door.show(times=20)
    assert door.told() == []
    door.worker.settings = replace(door.worker.settings, policy=door.policy)
    door.worker._take_settings(door.state)
    door.show()
    assert [outcome for outcome, _, _ in door.told()] == [Outcome.DENY]


def test_a_face_that_is_not_embedded_is_no_evidence(door: Door) -> None:
    """Who stays after a grant is judged now and then; the engine never hears of a face in between."""
    door.show((100, 80, 0), times=43)
    sights = [sight.observation for sight, _ in door.sights]
    assert all(one.match is not None and one.vector is not None for one in sights)
    assert [one.frame_seq for one in sights[:3]] == [1, 2, 3]
    assert 8 <= len(sights[3:]) <= 10
    assert door.told() == [(Outcome.GRANT, Reason.MATCHED, "p-ada")]


def test_a_stranger_who_takes_the_place_for_a_moment_gives_nobody_evidence(door: Door) -> None:
    """Whoever's face it is in frames that were not embedded, no grant rests on them."""
    door.show((100, 80, 5), times=5)
    for _ in range(6):
        door.show((100, 80, 0))
        door.show((100, 80, 5))
    assert [outcome for outcome, _, _ in door.told()] == [Outcome.DENY]


def test_who_stays_longer_than_the_cool_down_is_not_let_in_again(door: Door) -> None:
    """The pauses between two looks are no absence."""
    door.show((100, 80, 0), times=150)
    assert door.told() == [(Outcome.GRANT, Reason.MATCHED, "p-ada")]
    door.show(times=12)
    door.show((100, 80, 0), times=3)
    assert [outcome for outcome, _, _ in door.told()] == [Outcome.GRANT, Outcome.GRANT]


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


class FlowingPipeline(PaintedPipeline):
    """Whatever is painted, the face is ``mixture``: shares of identities."""

    mixture: dict[int, float]

    def embed(self, faces: Sequence[Image]) -> FloatArray:
        vector = np.zeros(DIMENSION, np.float32)
        for identity, share in self.mixture.items():
            vector[identity] += share
        return np.stack([vector / np.linalg.norm(vector) for _ in faces])


def flowing(door: Door, limit: AttemptLimit | None) -> FlowingPipeline:
    pipeline = FlowingPipeline()
    door.worker = RecognitionWorker(
        LatestSlot(),
        pipeline,
        gallery=lambda: door.state,
        settings=RecognitionSettings(0.5, door.policy, AccessRules(), attempts=limit),
        metrics=door.metrics,
        clock=door.clock,
        on_decision=lambda decision, _state: door.decisions.append(decision),
    )
    return pipeline


def flow(door: Door, pipeline: FlowingPipeline, *identities: int) -> None:
    """Show one face after the other, each becoming the next without a jump."""
    for before, identity in zip((identities[0], *identities), identities, strict=False):
        for share in (0.2, 0.4, 0.6, 0.8):
            pipeline.mixture = {before: 1 - share, identity: share}
            door.show((100, 80, 0), times=2)
        pipeline.mixture = {identity: 1.0}
        door.show((100, 80, 0), times=14)


def test_pictures_that_flow_into_one_another_are_an_attempt_each(door: Door) -> None:
    pipeline = flowing(door, AttemptLimit(5, 60, 30))
    flow(door, pipeline, 2, 3, 4, 5, 6, 7, 0)
    assert door.told()[:6] == [(Outcome.DENY, Reason.UNKNOWN, None)] * 6
    assert set(door.told()[6:]) == {(Outcome.DENY, Reason.TOO_MANY_ATTEMPTS, "p-ada")}
    assert len({decision.track_id for decision in door.decisions[:6]}) == 6
    assert [bool(decision.trace) and decision.trace[-1].name for decision in door.decisions].index(
        "attempts"
    ) == 4  # the fifth began the delay


def test_faces_that_flow_are_told_one_by_one_without_a_limit_too(door: Door) -> None:
    pipeline = flowing(door, None)
    flow(door, pipeline, 2, 3, 4, 0)
    assert [outcome for outcome, _, _ in door.told()] == [Outcome.DENY] * 3 + [Outcome.GRANT]


def test_a_stranger_who_lingers_and_changes_a_little_is_one_attempt(door: Door) -> None:
    pipeline = flowing(door, AttemptLimit(2, 60, 30))
    for step in range(100):
        pipeline.mixture = {2: 1.0, 3 + step // 20: 0.9}  # turns its head: 0.55 from one pose to another
        door.show((100, 80, 0), times=2)
    assert door.told() == [(Outcome.DENY, Reason.UNKNOWN, None)]


def test_a_stranger_who_turns_away_again_and_again_is_two_attempts(door: Door) -> None:
    """Some pose may be unlike the first one; it is counted once, not at every turn."""
    pipeline = flowing(door, AttemptLimit(5, 60, 30))
    flow(door, pipeline, *(2, 3) * 5)
    assert door.told() == [(Outcome.DENY, Reason.UNKNOWN, None)] * 2


def test_who_is_badly_seen_first_and_then_well_comes_in_at_once(door: Door) -> None:
    pipeline = flowing(door, AttemptLimit(5, 60, 30))
    pipeline.mixture = {0: 0.2, 5: 0.98}  # 0.2 of Ada
    door.show((100, 80, 0), times=10)
    for share in (0.4, 0.6, 0.8):
        pipeline.mixture = {0: share, 5: (1 - share**2) ** 0.5}
        door.show((100, 80, 0))
    pipeline.mixture = {0: 1.0}
    door.show((100, 80, 0), times=4)
    assert door.told() == [(Outcome.DENY, Reason.UNKNOWN, None), (Outcome.GRANT, Reason.MATCHED, "p-ada")]


def test_who_was_badly_seen_and_let_in_may_look_aside(door: Door) -> None:
    """She is like the face that was let in, if no more like the one that was refused."""
    pipeline = flowing(door, AttemptLimit(5, 60, 30))
    for mixture in ({0: 0.2, 5: 0.98}, {0: 0.8, 5: 0.6}, {0: 1.0}, {0: 0.6, 6: 0.8}):
        pipeline.mixture = mixture
        door.show((100, 80, 0), times=20)
    assert door.told() == [(Outcome.DENY, Reason.UNKNOWN, None), (Outcome.GRANT, Reason.MATCHED, "p-ada")]
    assert len({sight.observation.track_id for sight, _ in door.sights}) <= 1


def test_no_grant_rests_on_frames_of_unlike_faces(door: Door) -> None:
    """Each of them is like Ada and like the one before it; the first is unlike the last."""
    pipeline = flowing(door, None)
    for mixture in ({0: 0.46, 5: 0.888}, {0: 0.46, 5: 0.3, 6: 0.3}, {0: 0.46, 6: 0.888}):
        pipeline.mixture = mixture
        door.show((100, 80, 0))
    assert door.state.threshold.cosine == pytest.approx(0.34, abs=0.03)
    assert door.told() == []
    door.show((100, 80, 0))
    assert door.told() == [(Outcome.GRANT, Reason.MATCHED, "p-ada")]  # of the middle one and the last two
