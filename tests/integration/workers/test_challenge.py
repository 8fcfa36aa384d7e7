"""People and pictures that are asked to turn their heads, on the models that come with edged."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from edged.config.sections import LivenessConfig, ModelsConfig, QualityConfig
from edged.demo.bundled import bundled_cast
from edged.devices.clock import Clock
from edged.domain.access import AccessRules
from edged.domain.calibration import threshold_for
from edged.domain.challenge import ChallengeDesk, ChallengePolicy, Gesture, Prompt
from edged.domain.decision import DecisionPolicy
from edged.domain.gallery import build_snapshot
from edged.domain.people import Person, Template
from edged.domain.risk import Risk
from edged.domain.types import Decision, Face, FloatArray, Frame, Image, Outcome, Reason
from edged.evaluation.embedding import main_face
from edged.evaluation.scene_corridor import corridor
from edged.evaluation.scene_print import Grip, held_up, printed
from edged.evaluation.scene_turn import Turn, turned_figure
from edged.evaluation.scene_visitor import Figure, figure, placed
from edged.metrics import Metrics
from edged.vision.liveness_meter import FaceLiveness
from edged.vision.pipeline import FacePipeline
from edged.workers.gallery_sync import GalleryState
from edged.workers.liveness import liveness_watch
from edged.workers.prompting import Prompter
from edged.workers.recognition import RecognitionSettings, RecognitionWorker
from edged.workers.slot import LatestSlot
from tests.integration.vision.conftest import read

LEFT, RIGHT = Gesture.TURN_LEFT, Gesture.TURN_RIGHT
SIZE = (640, 480)
STEP = 0.1
# The cue that needs no network, at the demo's threshold.
LIVENESS = LivenessConfig(mode="required", cues=("border",), threshold=0.3, timeout_ms=60_000)
# Half a second to read, then out, held, and back.
WAY = (0, 0, 0, 0, 8, 16, 24, 31, 31, 24, 12, 0, 0, 0, 0, 0)

Act = Callable[[Gesture | None, int], Image]
GRANTED = (Outcome.GRANT, Reason.MATCHED)


class StandingClock(Clock):
    """Goes on by a tenth of a second a frame, however long that took."""

    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> FacePipeline:
    models = ModelsConfig(directory=tmp_path_factory.mktemp("none"), threads=1)
    return FacePipeline.load(models, QualityConfig())


@pytest.fixture(scope="module")
def cast() -> list[list[Path]]:
    return [list(photos) for photos in list(bundled_cast()[0].values())[1:5]]


class Door:
    """The recognition worker on real models; ``draws`` are the gestures that it will ask for."""

    def __init__(self, pipeline: FacePipeline, cast: list[list[Path]], *draws: Gesture) -> None:
        self.pipeline, self.clock = pipeline, StandingClock()
        noise = np.random.default_rng(1)
        self.grain = [noise.normal(0, 2, (SIZE[1], SIZE[0], 1)).astype(np.float32) for _ in range(5)]
        self.decisions: list[Decision] = []
        self.prompts: list[Prompt | None] = []
        left = list(draws)
        desk = ChallengeDesk(ChallengePolicy(len(draws), 6.0), lambda _turns: left.pop(0))
        metrics = Metrics(CollectorRegistry())
        meter = FaceLiveness.open(ModelsConfig(), LIVENESS)
        state = self.enrolled(cast)
        self.state = state
        self.worker = RecognitionWorker(
            LatestSlot(),
            pipeline,
            gallery=lambda: state,
            settings=RecognitionSettings(0.5, policy, AccessRules()),
            metrics=metrics,
            clock=self.clock,
            on_decision=lambda decision, _state: self.decisions.append(decision),
            liveness=liveness_watch(meter, LIVENESS, metrics, self.clock.monotonic),
            prompter=Prompter(desk, self.prompts.append),
        )
        self.seq = 0

    def enrolled(self, cast: list[list[Path]]) -> GalleryState:
        people = [Person(f"p-{number}", f"Person {number}") for number in range(len(cast))]
        templates = [
            Template(f"t-{number}-{index}", f"p-{number}", self.pipeline.space, self.vector(path), 1.0, b"")
            for number, photos in enumerate(cast)
            for index, path in enumerate(photos[:3])
        ]
        snapshot = build_snapshot(self.pipeline.space, self.pipeline.dimension, 1, people, templates)
        table = self.pipeline.calibration
        return GalleryState(snapshot, threshold_for(table, len(people), Risk(1e-2)), table)

    def vector(self, path: Path) -> FloatArray:
        image = read(path)
        face = main_face(self.pipeline.detect(image), image)
        assert face is not None
        return np.asarray(self.pipeline.embed([self.pipeline.align(image, face)])[0], np.float32)

    def show(self, act: Act, frames: int) -> None:
        """Let somebody act, who sees what is asked for and for how many frames it has been."""
        since, before = 0, None
        for _ in range(frames):
            told = self.prompts[-1] if self.prompts else None
            since = since + 1 if told == before else 0
            before = told
            picture = act(told.gesture if told else None, since)
            image = np.asarray(np.clip(picture + self.grain[self.seq % 5], 0, 255), np.uint8)
            self.seq, self.clock.now = self.seq + 1, self.clock.now + STEP
            self.worker._process(Frame(self.seq, self.clock.now - 0.02, image), self.state)
            self.worker._expire(self.state, self.clock.now)
            self.worker._prompt()

    @property
    def outcomes(self) -> list[tuple[Outcome, Reason]]:
        return [(one.outcome, one.reason) for one in self.decisions]

    @property
    def gestures(self) -> list[Gesture]:
        """What was asked for, one after the other."""
        return [
            prompt.gesture for prompt in self.prompts if prompt and prompt.gesture is not Gesture.LOOK_AHEAD
        ]


def policy(threshold: float | None) -> DecisionPolicy:
    return DecisionPolicy(
        threshold, 3, 5, 0.06, 10, 1, 2, 0.5, liveness_threshold=LIVENESS.threshold, liveness_required=True
    )


class Actor:
    """Somebody in the corridor, cut out of a photograph, who can turn the head."""

    def __init__(self, pipeline: FacePipeline, photo: Path) -> None:
        image = read(photo)
        face = main_face(pipeline.detect(image), image)
        assert face is not None
        self.person: Figure = figure(image)
        self.face: Face = face
        self.empty = corridor(SIZE)

    @cache  # noqa: B019 - lives as long as the test
    def turned(self, yaw: float) -> Image:
        return placed(self.empty, turned_figure(self.person, self.face.landmarks, Turn(yaw)), 0.85)

    def obeys(self, asked: Gesture | None, since: int) -> Image:
        """Turn as asked."""
        sign = {LEFT: 1, RIGHT: -1}.get(asked, 0) if asked else 0
        return self.turned(sign * WAY[since % len(WAY)])

    def mistakes(self, asked: Gesture | None, since: int) -> Image:
        """Turn the other way, as a film would that was made for another question."""
        other = {LEFT: RIGHT, RIGHT: LEFT}.get(asked) if asked else None
        return self.obeys(other, since)

    def stands(self, _asked: Gesture | None, _since: int) -> Image:
        return self.turned(0)

    def swings(self, photo: Path) -> Act:
        """Hold up a print and swing it about."""
        sheet = printed(read(photo))

        def act(_asked: Gesture | None, since: int) -> Image:
            swing = np.sin(since / 3)
            grip = Grip(
                top=0.2, height=0.6, lean=12 * swing, aside_px=30 * swing,
                skin=self.person.colour_at(0.5, 0.5), sleeve=self.person.colour_at(0.5, 0.95),
            )  # fmt: skip
            return held_up(self.turned(0), sheet, grip)

        return act


def test_who_turns_as_asked_comes_in(pipeline: FacePipeline, cast: list[list[Path]]) -> None:
    door = Door(pipeline, cast, LEFT, RIGHT)
    door.show(Actor(pipeline, cast[0][3]).obeys, 45)
    assert door.gestures == [LEFT, RIGHT]
    assert door.outcomes == [GRANTED]
    assert door.decisions[0].person_id == "p-0"
    assert door.prompts[-1] is None


def test_who_only_stands_there_does_not(pipeline: FacePipeline, cast: list[list[Path]]) -> None:
    door = Door(pipeline, cast, LEFT)
    door.show(Actor(pipeline, cast[1][3]).stands, 70)
    assert door.outcomes == [(Outcome.DENY, Reason.CHALLENGE_UNANSWERED)]


def test_nor_who_turns_the_other_way(pipeline: FacePipeline, cast: list[list[Path]]) -> None:
    door = Door(pipeline, cast, RIGHT)
    door.show(Actor(pipeline, cast[0][3]).mistakes, 16)
    assert door.outcomes == [(Outcome.DENY, Reason.CHALLENGE_WRONG)]


def test_nor_a_print_that_is_swung_about(pipeline: FacePipeline, cast: list[list[Path]]) -> None:
    """Even if the passive check took it for alive."""
    door = Door(pipeline, cast, LEFT, LEFT)
    door.worker.liveness = Fooled()  # type: ignore[assignment] - a fake
    door.show(Actor(pipeline, cast[3][3]).swings(cast[0][3]), 70)
    assert door.gestures[0] is LEFT
    assert {one.outcome for one in door.decisions} == {Outcome.DENY}
    assert (Outcome.DENY, Reason.CHALLENGE_UNANSWERED) in door.outcomes


class Fooled:
    """A passive check that takes everything for alive."""

    def measure(self, *_: object) -> float:
        return 1.0

    def forget(self, _track_id: int) -> None:
        pass


def test_nor_a_picture_for_which_somebody_else_turns(pipeline: FacePipeline, cast: list[list[Path]]) -> None:
    door = Door(pipeline, cast, LEFT)
    door.worker.liveness = Fooled()  # type: ignore[assignment] - a fake
    first, second = Actor(pipeline, cast[0][3]), Actor(pipeline, cast[1][3])
    door.show(lambda asked, since: (second if asked in (LEFT, RIGHT) else first).obeys(asked, since), 12)
    assert door.outcomes[0] == (Outcome.DENY, Reason.CHALLENGE_BROKEN)
    assert GRANTED not in door.outcomes
