"""Strangers try five times: nobody is let in for a while, and nobody is kept in."""

import json
import re
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Cast
from tests.e2e.door import Daemon, OfficeDoor
from tests.e2e.test_camera_faults import look_at, played, show
from tests.fakes.doorway import LATE
from tests.fakes.mosquitto import free_port

pytestmark = [pytest.mark.timeout(300), pytest.mark.parametrize("setting", ["bundled"], indirect=True)]

EXIT, FIRE = 4, 6
DENIED = 'edged_decisions_total{{decision="denied",reason="{}"}}'
# For so long somebody may have to stand before a busy door, and has to be gone for the next visit to be one.
LOOK_SECONDS, GONE_SECONDS = 8.0, 1.5


def wire(door: OfficeDoor, stage: Path) -> None:
    """Give the door a line, a button and a fire alarm, and a delay that outlasts the test."""
    door.configure(free_port())
    chip = f"chip: 'folder:{door.folder / 'chip'}'"
    inputs = "".join(
        f"    {name}: {{{chip}, debounce_ms: 20, active: high, line: {line}}}\n"
        for name, line in (("exit", EXIT), ("fire", FIRE))
    )
    config = door.folder / "config.yaml"
    text = config.read_text().replace(
        "lock: {driver: fake, trace_path: lock.jsonl}",
        f"lock: {{driver: gpiod, {chip}, line: 17, active: high, power: fail_secure}}\n  inputs:\n{inputs}",
    )
    text = re.sub(r"mqtt: .*", "mqtt: {enabled: false}", text)
    config.write_text(f"{text}decision: {{attempts_window_seconds: 600, attempts_delay_seconds: 300}}\n")
    look_at(door, stage)


def kinds(door: OfficeDoor) -> list[str]:
    """What alarms are on record."""
    return [event["type"] for event in door.events() if event["kind"] == "alarm"]


def released(folder: Path) -> list[bool]:
    path = folder / "chip/timeline.jsonl"
    samples: list[dict[str, Any]] = [json.loads(line) for line in path.read_text().splitlines()]
    return [sample["high"] for sample in samples if sample["line"] == 17]


def switch(door: OfficeDoor, daemon: Daemon, line: int) -> None:
    """Press until the line moves, and let go."""
    path, before = door.folder / f"chip/line-{line}", len(released(door.folder))
    path.write_bytes(b"1")
    daemon.until(lambda: len(released(door.folder)) > before)
    path.write_bytes(b"0")


def come(stage: Path, daemon: Daemon, who: str, reason: str, times: int) -> None:
    """Let somebody come, and go, until the door has denied ``times`` visits for ``reason``."""

    def denied() -> bool:
        return daemon.metrics()[DENIED.format(reason)] >= times

    def came() -> bool:
        show(stage, who)
        gone_at = time.monotonic() + LOOK_SECONDS
        while not denied() and time.monotonic() < gone_at:
            time.sleep(0.05)
        show(stage, "empty")
        time.sleep(GONE_SECONDS)
        return denied()

    daemon.until(came, 120)


def test_after_five_refused_visits_no_face_opens_but_the_button_and_the_fire_alarm_do(
    door: OfficeDoor, cast: Cast
) -> None:
    stage = played(door, cast.visits[0][0], "attempts", stranger=cast.strangers[0][0])
    wire(door, stage)
    earlier = len(door.events())
    with door.start() as daemon:
        daemon.until(lambda: "edged starts" in daemon.log)
        for times in range(1, 6):
            come(stage, daemon, "stranger", "unknown", times)
        daemon.until(lambda: "too_many_attempts" in kinds(door))
        daemon.end(signal.SIGKILL)
    with door.start() as daemon:
        daemon.until(daemon.answers)
        for times in (1, 2):
            come(stage, daemon, "face", "too_many_attempts", times)
        assert True not in released(door.folder)
        switch(door, daemon, EXIT)
        daemon.until(lambda: not released(door.folder)[-1])
        switch(door, daemon, FIRE)
        assert released(door.folder)[-1]
        assert daemon.end() == 0
    # An emergency outlives the daemon, as it must; the next test's door is another morning's.
    for latch in door.folder.glob("**/emergency"):
        latch.unlink()
    stored = door.events()[earlier:]
    visits = [(event["decision"], event["reason"]) for event in stored if event["kind"] == "access"]
    assert visits[:5] == [("denied", "unknown")] * 5
    assert visits[-2:] == [("denied", "too_many_attempts")] * 2
    assert {decision for decision, _ in visits} == {"denied"}
    alarms = [event["type"] for event in stored if event["kind"] == "alarm"]
    told = [alarm for alarm in alarms if "camera" not in alarm and alarm != LATE]
    assert told == ["too_many_attempts", "emergency"]
    assert [event["cause"] for event in stored if event.get("type") == "unlocked"] == ["exit"]
