"""Where recognition looks: gate, cadence and governor together, on drawn clips and a clock that is set."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from edged.config.sections import MotionConfig
from edged.devices.board import Board
from edged.domain.cadence import Cadence
from edged.domain.governor import DEEPEST, Governor, Limits
from edged.domain.types import Frame, Image
from edged.evaluation.idle import Watched, watch
from edged.evaluation.idle_clips import Clip, empty_clips, visit_clips
from edged.metrics import Metrics
from edged.vision.motion import MotionGate
from edged.workers.attention import Attention

# Half as fine as a camera's: the grain is coarser to the gate, which is the harder case.
SIZE = (320, 240)
EMPTY = {clip.name: clip for clip in empty_clips(SIZE, seconds=14)}
VISITS = {clip.name: clip for clip in visit_clips(SIZE)}
# Every frame between two looks of a camera that sleeps, and one for the light.
SOON_FRAMES = 4
# One forced search in two seconds is a thirtieth of the frames; the rest is for what has to be learnt first.
SEARCHED = {"still": 0.06, "dark, with noise": 0.06, "dusk": 0.06, "clouds": 0.06, "lamp that beats": 0.15}
LOUD = 0.25


class Cool(Board):
    """A board as warm as the test says."""

    def __init__(self, celsius: float = math.nan) -> None:
        super().__init__(Path("/nowhere"))
        self.celsius = celsius

    def temperature(self) -> float:
        return self.celsius

    def throttled(self) -> float:
        return math.nan


class Door:
    """What stands before recognition, without recognition."""

    def __init__(self, level: int = 0) -> None:
        self.gate, self.cadence = MotionGate(MotionConfig()), Cadence(5)
        self.governor, self.board = Governor(Limits(75, 82, 0.85)), Cool()
        self.governor.level = level
        self.cadence.idle_fps *= self.governor.idle_share
        self.metrics = Metrics(CollectorRegistry())
        self.attention = Attention(self.metrics, self.cadence, self.governor, board=self.board)

    def worth(self, frame: Frame, *, tracking: bool = False) -> bool:
        return self.attention.wants(frame, self.gate, tracking=tracking)

    def watch(self, clip: Clip) -> Watched:
        return watch(clip, self.cadence.wanted, self.worth)

    def frames(self, fate: str) -> float:
        return self.metrics.registry.get_sample_value("edged_frames_total", {"result": fate}) or 0.0


def picture(seed: int = 0) -> Image:
    return (90 + np.random.default_rng(seed).normal(0, 2, (60, 80, 3))).astype(np.uint8)


@pytest.mark.parametrize("name", EMPTY)
def test_an_empty_corridor_is_hardly_searched_in_any_light(name: str) -> None:
    seen = Door().watch(EMPTY[name])
    assert seen.searched / seen.frames <= SEARCHED.get(name, LOUD)
    assert seen.searched >= seen.frames / 30 - 1  # and never left alone for longer than two seconds


@pytest.mark.parametrize("name", VISITS)
def test_whoever_comes_is_looked_for_within_a_third_of_a_second_at_any_level(name: str) -> None:
    clip = VISITS[name]
    pictures = list(clip.frames())
    for level in range(DEEPEST + 1):
        seen = Door(level).watch(replace(clip, frames=lambda: iter(pictures)))
        assert not seen.missed
        assert seen.waited is not None
        assert seen.waited <= SOON_FRAMES * (2 if level else 1)


@pytest.mark.parametrize("level", range(DEEPEST + 1))
def test_with_a_face_in_view_every_picture_is_searched(level: int) -> None:
    door = Door(level)
    assert all(door.worth(Frame(n, 100 + n / 15, picture()), tracking=True) for n in range(60))
    assert door.frames("shed") == door.frames("idle") == 0


def test_a_face_keeps_the_camera_awake_and_a_while_after_it_sleeps() -> None:
    door = Door()
    assert door.cadence.wanted(100.0)
    door.worth(Frame(1, 100.0, picture()), tracking=True)
    assert all(door.cadence.wanted(100 + n / 15) for n in range(1, 15))
    assert [door.cadence.wanted(101.2 + n / 15) for n in range(1, 7)].count(True) == 2


def test_a_search_that_is_due_wakes_nobody() -> None:
    door = Door()
    for n in range(60):
        door.worth(Frame(n, 100 + n / 5, picture(n)))
    asleep = [door.cadence.wanted(112 + n / 15) for n in range(30)]
    assert asleep.count(True) == 10


def test_without_a_gate_every_picture_is_taken_and_searched() -> None:
    door = Door(DEEPEST)
    for n in range(40):
        at = 100 + n / 15
        assert door.cadence.wanted(at)
        assert door.attention.wants(Frame(n, at, picture()), None, tracking=False)


def test_after_a_movement_every_third_picture_is_searched() -> None:
    door = Door()
    for n in range(40):
        door.worth(Frame(n, 100 + n / 15, picture(n)))
    moved = picture()
    moved[:, :40] = 200
    after = [door.worth(Frame(n, 103 + n / 15, moved)) for n in range(15)]
    assert after.count(True) == 5
    assert after[0]


def hot(door: Door, celsius: float, seconds: float, start: float = 200.0) -> None:
    door.board.celsius = celsius
    for step in range(round(seconds)):
        door.attention.observe(door.gate, start + step)


def test_a_hot_board_steps_down_says_so_and_counts_what_it_sheds(
    caplog: pytest.LogCaptureFixture,
) -> None:
    door = Door()
    sample = door.metrics.registry.get_sample_value
    hot(door, 90, 3)
    assert "level=3 because=heat" in caplog.text
    assert sample("edged_governor_level") == DEEPEST
    assert sample("edged_governor_pressure", {"cause": "heat"}) == 1
    assert sample("edged_governor_pressure", {"cause": "load"}) == 0
    assert door.cadence.idle_fps == 2.5
    searched = []
    for n in range(150):
        wild = np.full((60, 80, 3), 40 + 160 * (n % 2), np.uint8)
        frame = Frame(n, 300 + n / 15, wild)
        searched.append(door.worth(frame))
        door.governor.spent(door.attention.glance, 0.1 * searched[-1], 300 + n / 15)
    assert 8 <= searched.count(True) <= 20
    assert sample("edged_searches_shed_total", {"cause": "heat"}) == door.frames("shed") > 100


def test_a_board_that_cools_down_does_all_its_work_again() -> None:
    door = Door()
    hot(door, 90, 3)
    hot(door, 50, 100, start=210)
    assert door.governor.level == 0
    assert door.cadence.idle_fps == 5


@pytest.mark.parametrize(("busy", "age", "level"), [(0.06, 0.02, 1), (0.001, 0.4, 1), (0.01, 0.02, 0)])
def test_recognition_that_is_always_busy_or_late_is_under_load(busy: float, age: float, level: int) -> None:
    door = Door()

    class Watch:
        now = 200.0

        def monotonic(self) -> float:
            return self.now

    clock = Watch()
    for n in range(90):
        door.attention.observe(door.gate, clock.now)
        began = clock.now
        with door.attention.work(Frame(n, began - age, picture()), clock):  # type: ignore[arg-type]
            clock.now += busy
        clock.now = began + 1 / 15
    assert door.governor.level == level
