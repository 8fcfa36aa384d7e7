"""A camera that shows nothing new, or nothing: told by name, it opens nothing, and people still get out."""

import os
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from edged.evaluation.scene import write_scene
from tests.chaos.stage_camera import LOOPS
from tests.e2e.conftest import Cast
from tests.e2e.door import Daemon, OfficeDoor

pytestmark = [pytest.mark.timeout(300), pytest.mark.parametrize("setting", ["bundled"], indirect=True)]

EXIT = 4


def played(door: OfficeDoor, photo: Path, name: str = "stage", *, stranger: Path | None = None) -> Path:
    """What the camera may be told to show; a face is near enough to be let in by any of its frames."""
    stage = door.folder / name
    for loop in LOOPS:
        (stage / loop).mkdir(parents=True)
    near(photo, stage / "face")
    write_scene([], stage / "empty", gap_frames=12)
    near(stranger or photo, stage / "stranger")
    black(stage / "black")
    return stage


def near(photo: Path, folder: Path) -> None:
    write_scene([[photo]], folder, frames_a_visit=24, gap_frames=0)
    for far in sorted(folder.iterdir())[:12]:
        far.unlink()


def look_at(door: OfficeDoor, stage: Path) -> None:
    """Have a door that is configured look at the stage instead of its scene, where nobody is at first."""
    show(stage, "empty")
    argv = f"[{sys.executable}, -m, tests.chaos.stage_camera, '{stage}', '15']"
    camera = f"{{type: command, argv: {argv}, format: mjpeg}}"
    config = door.folder / "config.yaml"
    config.write_text(config.read_text().replace("{type: folder, path: scene, fps: 20}", camera))


def black(folder: Path) -> None:
    for number in range(12):
        grain = np.random.default_rng(number).integers(0, 6, (480, 640, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f"{number}.jpg"), grain)


def show(stage: Path, mode: str) -> None:
    beside = stage / "mode.new"
    beside.write_text(mode)
    beside.replace(stage / "mode")


def press_exit(door: OfficeDoor, daemon: Daemon) -> None:
    """Leave by the button, and shut the door behind."""
    name = 'edged_lock_actuations_total{cause="exit"}'
    before = daemon.metrics()[name]
    line = os.open(door.folder / f"wired/line-{EXIT}", os.O_WRONLY)
    try:
        os.pwrite(line, b"1", 0)
        daemon.until(lambda: daemon.metrics()[name] > before)
        os.pwrite(line, b"0", 0)
        daemon.until(lambda: daemon.metrics()["edged_lock_unlocked"] == 0)
    finally:
        os.close(line)


def test_a_frozen_face_and_a_covered_lens_are_told_open_nothing_and_the_exit_works(
    door: OfficeDoor, cast: Cast
) -> None:
    stage = played(door, cast.visits[0][0])
    chip = f"chip: 'folder:{door.folder / 'wired'}'"
    camera = f"argv: [{sys.executable}, -m, tests.chaos.stage_camera, '{stage}', '15'], format: mjpeg"
    (door.folder / "wired.yaml").write_text(f"""
site: test
door_id: wired
camera: {{source: {{type: command, {camera}}}, frozen_after_frames: 12, blind_after_frames: 12}}
door:
  unlock_seconds: 0.3
  lock: {{driver: gpiod, {chip}, line: 17, active: high, power: fail_secure}}
  inputs: {{exit: {{{chip}, line: {EXIT}, active: high}}}}
mqtt: {{enabled: false}}
journal: {{path: wired.db}}
gallery: {{path: people.db, key_file: vault.key}}
http: {{port: {door.http_port}}}
""")
    show(stage, "frozen")
    with door.start("--config", "wired.yaml") as daemon:
        for mode, alarm in (("frozen", "camera_frozen"), ("black", "camera_blind")):
            show(stage, mode)
            daemon.until(lambda alarm=alarm: count(daemon, f'edged_alarms_total{{alarm="{alarm}"}}'))
            assert daemon.metrics()["edged_camera_up"] == 0
            press_exit(door, daemon)
            assert count(daemon, 'edged_lock_actuations_total{cause="face"}') == 0
        show(stage, "face")  # the very face, once it moves
        daemon.until(lambda: count(daemon, 'edged_lock_actuations_total{cause="face"}'))
        assert daemon.end() == 0
    events = door.events("--config", "wired.yaml")
    told = [e["type"] for e in events if e["kind"] == "alarm"]
    assert [kind for kind in told if kind in ("camera_frozen", "camera_blind")] == [
        "camera_frozen",
        "camera_blind",
    ]
    opened = [e["cause"] for e in events if e["kind"] == "door" and e["type"] == "unlocked"]
    assert opened[:3] == ["exit", "exit", "face"]


def count(daemon: Daemon, name: str) -> float:
    try:
        return daemon.metrics()[name]
    except OSError:  # nobody listens there yet
        return 0.0
