"""The daemon and its door process: two processes, and what a fault of the one leaves to the other."""

import json
import re
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Cast
from tests.e2e.door import OfficeDoor
from tests.fakes.mosquitto import free_port

pytestmark = [pytest.mark.timeout(300), pytest.mark.parametrize("setting", ["bundled"], indirect=True)]

# 29 of the 60 seconds that a pulse lasts here: what ended earlier was ended.
PULSE = 29.0


def timeline(folder: Path) -> list[dict[str, Any]]:
    path = folder / "chip/timeline.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_a_kill_in_mid_pulse_secures_the_line_and_the_next_start_records_it(
    door: OfficeDoor, cast: Cast
) -> None:
    door.configure(free_port(), unlock_seconds=60)
    config = door.folder / "config.yaml"
    chip = f"chip: 'folder:{door.folder / 'chip'}'"
    wired = f"{{driver: gpiod, {chip}, line: 17, active: high, power: fail_secure}}"
    text = config.read_text().replace("{driver: fake, trace_path: lock.jsonl}", wired)
    text = re.sub(r"mqtt: .*", "mqtt: {enabled: false}", text)  # nothing is left for other tests to deliver
    config.write_text(text)
    door.scene(cast.visits[:1])
    earlier = len(door.events())
    with door.start() as daemon:
        daemon.until(lambda: timeline(door.folder) and timeline(door.folder)[-1]["high"], 120)
        daemon.process.send_signal(signal.SIGKILL)
        assert daemon.wait(30) == -signal.SIGKILL
    with door.start() as daemon:
        daemon.until(lambda: any(event.get("reason") == "reader_gone" for event in door.events()))
        daemon.until(daemon.answers)  # the door process tells its part before
        assert daemon.metrics()["edged_door_connected"] == 1
        assert json.loads(daemon.get("/readyz")[1])["checks"]["lock"]["detail"] in ("locked", "unlocked")
        assert daemon.end() == 0
    levels = timeline(door.folder)
    first = next(index for index, sample in enumerate(levels) if sample["high"])
    assert levels[first + 1]["at"] - levels[first]["at"] < PULSE
    assert not levels[-1]["high"]
    stored = door.events()[earlier:]
    granted = next(event for event in stored if event.get("decision") == "granted")
    answers = [event for event in stored if event.get("access_event_id") == granted["event_id"]]
    assert [(event["type"], event.get("reason")) for event in answers if event["kind"] == "door"] == [
        ("unlocked", None),
        ("locked", "reader_gone"),
    ]
    # The door was open to the person: the punch stands.
    assert not [event for event in stored if event.get("withdraws")]
    assert door.edged("events", "verify").returncode == 0
