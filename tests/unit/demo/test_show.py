"""From the daemon's words to console, tally and picture."""

import io
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from edged.demo.console import DemoConsole
from edged.demo.moments import Moments
from edged.demo.reel import Reel, frame_digest
from edged.demo.show import Show
from edged.demo.stage import Appearance, Role
from edged.demo.tally import Tally
from edged.domain.calibration import CalibrationPoint, threshold_for
from edged.domain.gallery import build_snapshot
from edged.domain.people import Person
from edged.domain.risk import Risk
from edged.domain.types import (
    Box,
    Decision,
    Face,
    Frame,
    Image,
    Match,
    Observation,
    Outcome,
    Quality,
    Reason,
)
from edged.workers.door import DoorChange
from edged.workers.effects import Told
from edged.workers.gallery_sync import GalleryState
from edged.workers.recognition import Sight
from tests.unit.domain.conftest import template

TABLE = (CalibrationPoint(1e-2, 0.24, 10**7), CalibrationPoint(1e-6, 0.5, 10**7))
STATE = GalleryState(
    build_snapshot("toy/1", 8, 1, [Person("p-ada", "Ada")], [template("p-ada", 0)]),
    threshold_for(TABLE, 1, Risk(1e-3)),
    TABLE,
)
VISITS = (
    Appearance(Role.ENROLLED, "Ada", (Path("a.jpg"),)),
    Appearance(Role.STRANGER, "stranger A", (Path("x.jpg"),)),
    Appearance(Role.PRINT, "Ada", (Path("x.jpg"),), Path("a.jpg")),
)


def picture(visit: int) -> Image:
    return np.full((48, 64, 3), visit, np.uint8)


class Stage:
    """A show whose daemon is played by the test; visit n shows a picture of grey level n."""

    def __init__(self) -> None:
        self.out = io.StringIO()
        self.tally = Tally(VISITS)
        reel = Reel({frame_digest(picture(number)): number for number in range(len(VISITS))})
        console = DemoConsole(Console(file=self.out, soft_wrap=True))
        self.show = Show(console, self.tally, Moments(), reel, min_margin=0.06)
        self.listeners = self.show.listeners

    def sees(self, visit: int, *, track: int) -> None:
        face = Face(Box(10, 10, 30, 30), np.zeros((5, 2), np.float32), 0.9)
        quality = Quality(0.9, 80, 40, 200, 120, 0, 0, 0)
        seen = Observation(track, visit, 1.0, face.box, quality, Match("p-ada", 0.7, None, -1.0))
        self.listeners.on_seen(Sight(Frame(visit, 1.0, picture(visit)), face, seen))

    def decides(self, outcome: Outcome, reason: Reason, *, track: int) -> None:
        decision = Decision(outcome, reason, track, "p-ada", 0.7, 0.6, 3)
        self.listeners.on_told(Told(decision, "01J", None), STATE)

    @property
    def text(self) -> str:
        return self.out.getvalue()


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_a_visitor_is_announced_once_and_named_when_let_in(stage: Stage) -> None:
    for _ in range(2):
        stage.sees(0, track=1)
    stage.decides(Outcome.GRANT, Reason.MATCHED, track=1)
    assert stage.text.count("1 of 3") == 1
    assert "granted   Ada" in stage.text
    assert stage.tally.recognised == 1


def test_of_a_denied_stranger_the_nearest_person_is_not_told(stage: Stage) -> None:
    stage.sees(1, track=1)
    stage.decides(Outcome.DENY, Reason.UNKNOWN, track=1)
    assert "Ada" not in stage.text
    assert stage.tally.mistakes == []


def test_a_stranger_who_is_let_in_is_a_mistake(stage: Stage) -> None:
    stage.sees(1, track=1)
    stage.decides(Outcome.GRANT, Reason.MATCHED, track=1)
    assert stage.tally.mistakes == ["stranger A was let in as Ada"]


def test_a_print_that_is_let_in_is_called_what_it_is(stage: Stage) -> None:
    stage.sees(2, track=1)
    stage.decides(Outcome.GRANT, Reason.MATCHED, track=1)
    assert "A PHOTOGRAPH FOOLED THIS DOOR" in stage.text
    assert stage.tally.mistakes == []


def test_whoever_holds_the_print_and_is_denied_says_nothing_about_the_print(stage: Stage) -> None:
    stage.sees(2, track=1)
    stage.sees(2, track=2)
    stage.decides(Outcome.DENY, Reason.UNKNOWN, track=1)
    assert "FOOLED" not in stage.text
    stage.decides(Outcome.GRANT, Reason.MATCHED, track=2)
    assert "FOOLED" in stage.text


def test_pulses_are_counted_when_they_end(stage: Stage) -> None:
    stage.listeners.on_door(DoorChange("unlocked", 1.0, "01J", "face"))
    assert stage.show.pulses == 0
    stage.listeners.on_door(DoorChange("locked", 2.5, "01J", "face", held_seconds=1.5))
    assert stage.show.pulses == 1


def test_a_replay_that_did_not_end_was_cut_short(stage: Stage) -> None:
    stage.listeners.on_camera("up")
    assert stage.tally.cut_short
    stage.listeners.on_camera("ended")
    assert not stage.tally.cut_short
