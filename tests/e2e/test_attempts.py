"""Strangers try five times: nobody is let in for a while, and nobody is kept in."""

import json
import re
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Cast
from tests.e2e.door import Daemon, OfficeDoor
from tests.fakes.mosquitto import free_port

pytestmark = [pytest.mark.timeout(300), pytest.mark.parametrize("setting", ["bundled"], indirect=True)]

EXIT, FIRE = 4, 6
REFUSED = 'edged_decisions_total{decision="denied",reason="too_many_attempts"}'


def wire(door: OfficeDoor) -> None:
    """Give the door a line, a button and a fire alarm."""
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
    text += "decision: {attempts_delay_seconds: 300}\n"  # so that a busy machine starts again within it
    config.write_text(re.sub(r"mqtt: .*", "mqtt: {enabled: false}", text))


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


def test_after_five_refused_visits_no_face_opens_but_the_button_and_the_fire_alarm_do(
    door: OfficeDoor, cast: Cast
) -> None:
    wire(door)
    # Of six the busy machine may miss one, and those within the delay are as they always were.
    strangers = [cast.strangers[number % len(cast.strangers)] for number in range(6)]
    door.scene(strangers)
    earlier = len(door.events())
    with door.start() as daemon:
        daemon.until(lambda: "too_many_attempts" in kinds(door), 90)
        daemon.end(signal.SIGKILL)
    door.scene([cast.visits[0], cast.visits[1]])
    with door.start() as daemon:
        daemon.until(daemon.answers)
        daemon.until(lambda: daemon.metrics()[REFUSED] == 2, 90)
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
    told = [event["type"] for event in stored if event["kind"] == "alarm" and "camera" not in event["type"]]
    assert told == ["too_many_attempts", "emergency"]
    assert [event["cause"] for event in stored if event.get("type") == "unlocked"] == ["exit"]
