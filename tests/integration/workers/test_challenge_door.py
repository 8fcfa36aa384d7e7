"""A door that asks for a turn of the head, on real models: people who turn, and what is held up instead."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from edged.app import Daemon
from edged.config.sections import Config, ModelsConfig, QualityConfig
from edged.demo.bundled import bundled_cast
from edged.domain.access import AccessRules
from edged.domain.calibration import threshold_for
from edged.domain.challenge import ChallengeDesk, ChallengePolicy, Gesture, Prompt
from edged.domain.decision import DecisionPolicy
from edged.domain.gallery import build_snapshot
from edged.domain.people import Person, Template
from edged.domain.risk import Risk
from edged.domain.types import Decision, EventKind, Face, Frame, Image, Outcome, Reason
from edged.evaluation.scene_print import Grip, held_up, printed
from edged.evaluation.scene_turn import Turn, turned
from edged.metrics import Metrics
from edged.storage.journal_reader import JournalReader
from edged.vision.pipeline import FacePipeline
from edged.workers.challenge import ChallengeWatch
from edged.workers.gallery_sync import GalleryState
from edged.workers.listeners import Listeners
from edged.workers.recognition import RecognitionSettings, RecognitionWorker
from edged.workers.slot import LatestSlot
from tests.integration.vision.conftest import read
from tests.integration.vision.test_liveness import door as write_door
from tests.integration.workers.test_liveness_door import patient_door
from tests.unit.workers.test_recognition import FakeClock

LEFT, RIGHT = Gesture.TURN_LEFT, Gesture.TURN_RIGHT
AHEAD = [0.0] * 6
TO_LEFT = [7.0, 14.0, 21.0, 26.0, 28.0, 28.0, 21.0, 14.0, 7.0, 0.0, 0.0, 0.0, 0.0]
TO_RIGHT = [-yaw for yaw in TO_LEFT]
GRIP = Grip(0.12, 0.8, 0.0, 0.0, (140, 160, 200), (90, 80, 70))


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> FacePipeline:
    return FacePipeline.load(
        ModelsConfig(directory=tmp_path_factory.mktemp("none"), threads=1), QualityConfig()
    )


@pytest.fixture(scope="module")
def cast() -> list[list[Path]]:
    """Dario and Ilka, whose heads turn well both ways."""
    return [photos for name, photos in bundled_cast()[0].items() if name.startswith(("Dario", "Ilka"))]


def main_face(pipeline: FacePipeline, picture: Image) -> Face:
    return max(pipeline.detect(picture), key=lambda face: face.box.area)


class Visits:
    """The worker with a clock of its own and the real models; the draw is known."""

    def __init__(self, pipeline: FacePipeline, cast: list[list[Path]], *turns: Gesture) -> None:
        self.clock, self.pipeline = FakeClock(), pipeline
        self.decisions: list[Decision] = []
        self.prompts: list[Gesture | None] = []
        self.seq = 0
        people = [Person(f"p-{index}", f"Person {index}") for index in range(len(cast))]
        templates = [
            Template(
                f"{person.person_id}-{number}",
                person.person_id,
                pipeline.space,
                self._vector(photo),
                1.0,
                b"",
            )
            for person, photos in zip(people, cast, strict=True)
            for number, photo in enumerate(photos[1:3])
        ]
        snapshot = build_snapshot(pipeline.space, pipeline.dimension, 1, people, templates)
        threshold = threshold_for(pipeline.calibration, len(people), Risk(1e-3))
        self.state = GalleryState(snapshot, threshold, pipeline.calibration)
        draws = iter(turns * 20)
        self.worker = RecognitionWorker(
            LatestSlot(),
            pipeline,
            gallery=lambda: self.state,
            settings=RecognitionSettings(
                0.5, lambda limit: DecisionPolicy(limit, 3, 5, 0.06, 10, 1, 2, 0.5), AccessRules()
            ),
            metrics=Metrics(CollectorRegistry()),
            clock=self.clock,
            on_decision=lambda decision, _state: self.decisions.append(decision),
            challenge=ChallengeWatch(
                ChallengeDesk(ChallengePolicy(len(turns), 2.0), lambda _: next(draws)), self._prompted
            ),
        )

    def _vector(self, photo: Path) -> np.ndarray:
        picture = read(photo)
        return self.pipeline.embed([self.pipeline.align(picture, main_face(self.pipeline, picture))])[0]

    def _prompted(self, prompt: Prompt | None) -> None:
        self.prompts.append(None if prompt is None else prompt.gesture)

    def show(self, pictures: Iterable[Image]) -> None:
        for picture in pictures:
            self.seq += 1
            self.clock.now += 0.1
            self.worker._process(Frame(self.seq, self.clock.now - 0.05, picture), self.state)
            self.worker._expire(self.state, self.clock.now)

    def leave(self) -> None:
        self.show([np.full((240, 320, 3), 128, np.uint8)] * 14)

    def told(self) -> list[tuple[Outcome, Reason, str | None]]:
        return [(one.outcome, one.reason, one.person_id) for one in self.decisions]


@pytest.fixture(scope="module")
def turning(pipeline: FacePipeline, cast: list[list[Path]]) -> Callable[..., Iterator[Image]]:
    """Pictures of a person whose head turns through ``yaws``."""
    made: dict[tuple[int, float], Image] = {}

    def pictures(yaws: Iterable[float], who: int = 0) -> Iterator[Image]:
        picture = read(cast[who][0])
        landmarks = main_face(pipeline, picture).landmarks
        for yaw in yaws:
            if (who, yaw) not in made:
                made[who, yaw] = turned(picture, landmarks, Turn(yaw))
            yield made[who, yaw]

    return pictures


def test_who_turns_as_asked_comes_in(
    pipeline: FacePipeline, cast: list[list[Path]], turning: Callable[..., Iterator[Image]]
) -> None:
    visits = Visits(pipeline, cast, LEFT, RIGHT)
    visits.show(turning(AHEAD))
    assert (visits.prompts, visits.told()) == ([LEFT], [])
    visits.show(turning([*TO_LEFT, *AHEAD, *TO_RIGHT]))
    assert visits.told() == [(Outcome.GRANT, Reason.MATCHED, "p-0")]
    assert visits.prompts == [LEFT, Gesture.LOOK_AHEAD, RIGHT, None]


def test_who_turns_the_other_way_stays_outside(
    pipeline: FacePipeline, cast: list[list[Path]], turning: Callable[..., Iterator[Image]]
) -> None:
    visits = Visits(pipeline, cast, LEFT)
    visits.show(turning([*AHEAD, *TO_RIGHT]))
    assert visits.told() == [(Outcome.DENY, Reason.CHALLENGE_WRONG, None)]


def test_another_person_does_not_finish_what_one_began(
    pipeline: FacePipeline, cast: list[list[Path]], turning: Callable[..., Iterator[Image]]
) -> None:
    visits = Visits(pipeline, cast, LEFT)
    visits.show(turning([*AHEAD, 7.0]))
    visits.show(turning([14.0, *TO_LEFT[2:]], who=1))
    assert visits.told()[0] == (Outcome.DENY, Reason.CHALLENGE_BROKEN, None)
    visits.leave()
    assert not any(outcome is Outcome.GRANT for outcome, _, _ in visits.told())


def still(photo: Image) -> Iterator[Image]:
    """A print that is held up, and shakes a little."""
    room = np.full((360, 360, 3), (150, 160, 170), np.uint8)
    for number in range(32):
        grip = Grip(GRIP.top, GRIP.height, float(number % 3 - 1), 2.0 * (number % 2), GRIP.skin, GRIP.sleeve)
        yield held_up(room, printed(photo), grip)


def swung(photo: Image) -> Iterator[Image]:
    """A print that is swung about its upright middle, up to 50 degrees either way."""
    size = photo.shape[0]
    corners = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]], np.float32)
    for number in range(32):
        angle = np.radians(50 * np.sin(max(0, number - 6) / 4))
        depth = 1 + 0.35 * corners[:, 0] * np.sin(angle)
        seen = np.stack([corners[:, 0] * np.cos(angle), corners[:, 1]], axis=1) / depth[:, None]
        matrix = cv2.getPerspectiveTransform((corners + 0.5) * size, ((seen + 0.5) * size).astype(np.float32))
        yield np.asarray(
            cv2.warpPerspective(photo, matrix, (size, size), borderValue=(150, 160, 170)), np.uint8
        )


@pytest.mark.parametrize(("shown", "asked"), [(still, LEFT), (swung, LEFT), (swung, RIGHT)])
def test_a_photograph_that_is_held_up_or_swung_stays_outside(
    pipeline: FacePipeline, cast: list[list[Path]], shown: Callable[[Image], Iterator[Image]], asked: Gesture
) -> None:
    visits = Visits(pipeline, cast, asked)
    visits.show(shown(read(cast[0][0])))
    visits.leave()
    assert asked in visits.prompts  # recognised: but for the gesture it would have opened the door
    assert visits.told()
    assert {outcome for outcome, _, _ in visits.told()} == {Outcome.DENY}
    assert visits.told()[0][1] in (Reason.CHALLENGE_UNANSWERED, Reason.CHALLENGE_BROKEN)


def daemon_config(folder: Path, photos: list[Path], frames: list[Image]) -> Config:
    """Write a door with the starter pack that replays ``frames`` at ten a second and asks for one turn."""
    path = write_door(folder, frames, mode="off", challenge="turn", challenge_turns=1)
    return patient_door(path, "Dario", photos)


def test_the_whole_door_tells_what_it_asks_and_records_who_did_not_do_it(
    tmp_path: Path, cast: list[list[Path]]
) -> None:
    empty = [np.full(read(cast[0][0]).shape, 128, np.uint8)] * 14
    config = daemon_config(tmp_path, cast[0][1:3], [*empty, *[read(cast[0][0])] * 24, *empty])
    told: list[object] = []
    daemon = Daemon(
        config,
        until_end=True,
        listeners=Listeners(on_prompt=lambda _prompt: told.append(daemon.standing.state().asks)),
    )
    assert daemon.run() == 0
    assert told[-1] is None
    assert told[-2] in ("turn_left", "turn_right")
    with JournalReader.open(config.journal.path) as reader:
        events = [one.event for one in reader.events() if one.event.kind is EventKind.ACCESS]
    assert [(one.body["decision"], one.body["reason"]) for one in events] == [
        ("denied", "challenge_unanswered")
    ]
    assert {gate.name: gate.passed for gate in events[0].trace}["challenge"] is False
