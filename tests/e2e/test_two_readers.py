"""Two readers of one door, one for the way in and one for the way out: three programs, one lock line."""

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from edged.evaluation.scene import write_scene
from edged.metric_labels import DOOR_CONDITIONS
from tests.e2e.conftest import Cast
from tests.e2e.door import Daemon, OfficeDoor, environment

pytestmark = [pytest.mark.timeout(300), pytest.mark.parametrize("setting", ["bundled"], indirect=True)]

LOCK, EXIT = 17, 4
GRANTED = 'edged_decisions_total{decision="granted",reason="matched"}'
EXITS = 'edged_lock_actuations_total{cause="exit"}'


class Way(OfficeDoor):
    """One reader: a configuration, a camera and a journal of its own in the folder of the door."""

    def __init__(self, folder: Path, name: str, visit: list[Path]) -> None:
        super().__init__(folder, None)
        self.name = name
        write_scene([visit], folder / f"scene-{name}", frames_a_visit=12, gap_frames=26)
        (folder / f"{name}.yaml").write_text(f"""
site: test
door_id: {name}
camera: {{source: {{type: folder, path: scene-{name}, fps: 20, loop: true}}}}
{door_section(folder)}
mqtt: {{enabled: false}}
journal: {{path: {name}.db}}
gallery: {{path: people.db, key_file: vault.key}}
http: {{port: {self.http_port}}}
""")

    def start(self, *options: str) -> Daemon:
        return super().start("--config", f"{self.name}.yaml", *options)

    def told(self) -> list[dict[str, Any]]:
        """What its journal has of the door and of who came."""
        return self.events("--config", f"{self.name}.yaml")


def door_section(folder: Path) -> str:
    chip = f"chip: 'folder:{folder / 'shared'}'"
    return f"""
door:
  lock: {{driver: gpiod, {chip}, line: {LOCK}, active: high, power: fail_secure}}
  unlock_seconds: 0.5
  socket: shared.sock
  inputs: {{exit: {{{chip}, line: {EXIT}, active: high}}}}
"""


@contextmanager
def door_process(folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    (folder / "shared.yaml").write_text(door_section(folder))
    with (folder / "shared.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "edged", "door", "run", "--config", "shared.yaml", "--state", "kept"],
            cwd=folder, stderr=log, env=environment(),
        )  # fmt: skip
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(20)


def levels(folder: Path) -> list[bool]:
    lines = (folder / "shared/timeline.jsonl").read_text().splitlines()
    return [sample["high"] for sample in map(json.loads, lines) if sample["line"] == LOCK]


def left_by_the_button(folder: Path, *daemons: Daemon) -> float:
    """Press the button; how often it has begun a pulse. One that a grant began is made longer, no more."""
    line = os.open(folder / f"shared/line-{EXIT}", os.O_WRONLY)
    try:
        os.pwrite(line, b"1", 0)
        time.sleep(0.2)
        os.pwrite(line, b"0", 0)
        time.sleep(0.2)
    finally:
        os.close(line)
    return sum(figure(daemon, EXITS) for daemon in daemons)


def test_two_readers_share_one_door_process(door: OfficeDoor, cast: Cast) -> None:
    folder = door.folder
    way_in, way_out = (Way(folder, name, cast.visits[at]) for at, name in enumerate(("in", "out")))
    with door_process(folder) as keeper, way_in.start() as first, way_out.start() as second:
        for daemon in (first, second):
            daemon.until(lambda daemon=daemon: figure(daemon, GRANTED), 120)
        second.until(lambda: left_by_the_button(folder, first, second))
        # One of them is killed: the other, and the door, go on.
        first.process.send_signal(signal.SIGKILL)
        first.wait(30)
        second.until(lambda: all_told(folder, exits(way_in, way_out)))
        metrics = second.metrics()
        assert (metrics["edged_door_connected"], keeper.poll()) == (1, None)
        assert sum(metrics[f'edged_door_condition{{condition="{one}"}}'] for one in DOOR_CONDITIONS) == 1
        assert second.end() == 0
        keeper.terminate()
        assert keeper.wait(30) == 0
    assert not levels(folder)[-1]
    told = [way.told() for way in (way_in, way_out)]
    granted = [{e["event_id"] for e in events if e.get("decision") == "granted"} for events in told]
    asked = [{e["access_event_id"] for e in events if e.get("cause") == "face"} for events in told]
    for own, wanted in zip(granted, asked, strict=True):
        assert wanted
        assert wanted <= own  # and nothing of the other's
    people = [{e["person_id"] for e in events if e.get("decision") == "granted"} for events in told]
    assert [len(ids) for ids in people] == [1, 1]
    assert people[0] != people[1]
    assert all_told(folder, exits(way_in, way_out))
    assert "turned away" not in (folder / "shared.log").read_text()


def exits(*ways: Way) -> set[str]:
    """What nobody was granted is told to one of them.

    What was under way as that one was killed is told to the other as well, and it is the same event.
    """
    return {e["event_id"] for way in ways for e in way.told() if e.get("cause") == "exit"}


def all_told(folder: Path, found: set[str]) -> bool:
    """Whether the door is shut again, and all that it did for the button is found."""
    moved, log = levels(folder), (folder / "shared.log").read_text()
    shut = sum(before and not after for before, after in itertools.pairwise(moved))
    return (
        not moved[-1]
        and log.count("door locked") == shut
        and len(found) == log.count("locked cause=exit") > 0
    )


def figure(daemon: Daemon, name: str) -> float:
    try:
        return daemon.metrics()[name]
    except OSError:  # nobody listens there yet
        return 0.0
