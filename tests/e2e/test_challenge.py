"""Somebody at the door is asked over MQTT to turn the head, and does, or does not."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import pytest

from edged.config.sections import ModelsConfig, QualityConfig
from edged.domain.explanation import REASONS
from edged.evaluation.embedding import main_face, read_image
from edged.evaluation.scene_corridor import corridor
from edged.evaluation.scene_turn import Turn, turned
from edged.evaluation.scene_visitor import figure, placed
from edged.vision.pipeline import FacePipeline
from tests.e2e import actor
from tests.e2e.conftest import Cast
from tests.e2e.door import OfficeDoor
from tests.fakes.collector import Collector
from tests.fakes.mosquitto import Mosquitto

# What is tested here does not depend on whose models recognise whom.
pytestmark = [pytest.mark.timeout(300), pytest.mark.parametrize("setting", ["bundled"], indirect=True)]

SIZE = (640, 480)
# The person's own left is the picture's right.
YAW = {"turn_left": 31, "turn_right": -31}
STATE = "edged/test/front/state"


class Stage:
    """The folder that the actor takes poses and directions from."""

    def __init__(self, folder: Path, photo: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        image = read_image(photo)
        face = main_face(FacePipeline.load(ModelsConfig(threads=1), QualityConfig()).detect(image), image)
        assert face is not None
        empty = corridor(SIZE)
        for yaw in {share * top for share in actor.SHARES for top in YAW.values()}:
            picture = placed(empty, figure(turned(image, face.landmarks, Turn(yaw))), 0.85)
            cv2.imwrite(str(folder / f"pose_{yaw + 0:g}.jpg"), picture)
        cv2.imwrite(str(folder / "pose_away.jpg"), empty)
        self.direct("away")

    def direct(self, what: str) -> None:
        (self.folder / "new").write_text(what)
        (self.folder / "new").replace(self.folder / "direction")


@pytest.fixture
def stage(door: OfficeDoor, cast: Cast, broker: Mosquitto) -> Stage:
    door.configure(broker.port)
    path = door.folder / "config.yaml"
    argv = json.dumps([sys.executable, actor.__file__, "stage"])
    path.write_text(
        path.read_text().replace(
            "{type: folder, path: scene, fps: 20}", f"{{type: command, argv: {argv}, format: mjpeg}}"
        )
        + "liveness: {mode: required, cues: [border], threshold: 0.3, timeout_ms: 5000, challenge: turn}\n"
        "decision: {evidence_seconds: 4, cooldown_seconds: 0}\n"
    )
    return Stage(door.folder / "stage", cast.visits[1][0])


def prompt(collector: Collector) -> str | None:
    told = collector.on(STATE)
    return json.loads(told[-1])["asks"] if told else None


def obey(stage: Stage, collector: Collector, over: Callable[[], bool]) -> list[str]:
    """Do what the door asks for over MQTT until it is ``over``; return what that was."""
    asked: list[str] = []
    last, deadline = None, time.monotonic() + 120
    while not over():
        assert time.monotonic() < deadline, asked
        word = prompt(collector)
        if word != last:
            last = word
            asked += [word] if word in YAW else []
            stage.direct(str(YAW[word]) if word in YAW else "still")
        time.sleep(0.02)
    return asked


def test_who_turns_as_asked_is_let_in_and_who_does_not_is_denied(
    door: OfficeDoor, collector: Collector, stage: Stage
) -> None:
    earlier, moved = len(door.events()), len(door.trace())
    with door.start() as daemon:
        daemon.until(lambda: any(json.loads(told)["camera"] == "up" for told in collector.on(STATE)))
        stage.direct("still")
        asked = obey(stage, collector, lambda: any(e.kind == "access" for e in collector.events))
        daemon.until(lambda: prompt(collector) is None)
        stage.direct("away")
        daemon.until(
            lambda: any(e.body.get("type") == "locked" for e in collector.events if e.kind == "door")
        )
        time.sleep(1.5)
        stage.direct("still")
        daemon.until(lambda: len([e for e in collector.events if e.kind == "access"]) == 2)
        assert daemon.end() == 0
        log = daemon.log
    granted, denied = [event for event in door.events()[earlier:] if event["kind"] == "access"]
    assert len(asked) == 2
    assert (granted["decision"], granted["reason"]) == ("granted", "matched")
    assert (denied["decision"], denied["reason"], denied["person_id"]) == (
        "denied",
        "challenge_unanswered",
        None,
    )
    assert [change["state"] for change in door.trace()[moved:]].count("unlocked") == 1
    assert log.count("asked for gesture=turn_") >= 3
    explained = door.json("explain", denied["event_id"])
    assert explained["explanation"] == REASONS["challenge_unanswered"]
    assert [gate["name"] for gate in explained["trace"] if not gate["passed"]] == ["challenge"]
