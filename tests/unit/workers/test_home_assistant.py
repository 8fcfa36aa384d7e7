"""A plain order: what it may do, and everything that keeps it from doing more."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from edged.config import parse
from edged.config.home_assistant_section import HomeAssistantConfig
from edged.domain.types import Event, EventKind
from edged.fleet.connection import Arrived
from edged.metrics import Metrics
from edged.workers.door import UnlockRequest
from edged.workers.home_assistant import HomeAssistant, PlainOrders
from edged.workers.lockdown import LockableDoor
from tests.fakes.outbox import event

ORDER, STATUS, ANNOUNCED = (
    "edged/hq/front/command/lock",
    "homeassistant/status",
    "homeassistant/device/hq/front/config",
)
CONFIG = """\
site: hq
door_id: front
camera: {source: {type: v4l2, device: /dev/video0}}
door: {lock: {driver: fake}}
mqtt: {username: door}
"""


@dataclass
class Log:
    """Takes what is recorded, in order with what the door was asked for."""

    done: list[str]
    trouble: str | None = None
    events: list[Event] = field(default_factory=list)

    def event(self, kind: EventKind, body: dict[str, Any]) -> Event:
        return event(kind, body, person_id=None)

    def record(self, one: Event) -> None:
        self.events.append(one)
        self.done.append(f"record {one.body['type']}")


@dataclass
class Line:
    done: list[str]
    why: str | None = None
    takes: bool = True

    def refusal(self, _granted_at: float) -> str | None:
        return self.why

    def request(self, request: UnlockRequest) -> bool:
        self.done.append(f"unlock {request.cause}")
        return self.takes


class Door:
    def __init__(self, **section: Any) -> None:
        self.now = 1000.0
        self.done: list[str] = []
        self.results: list[str] = []
        self.log, self.line = Log(self.done), Line(self.done)
        self.lockable = LockableDoor(self.line, Metrics(CollectorRegistry()))
        self.orders = PlainOrders(
            HomeAssistantConfig(enabled=True, **section),
            (self.lockable, self.log),  # type: ignore[arg-type]
            relock=lambda: self.done.append("relock"),
            count=self.results.append,
            needs_record=True,
            clock=lambda: self.now,
        )

    def order(self, payload: bytes, *, retain: bool = False, waited: bool = False) -> str:
        self.orders.take(Arrived(ORDER, payload, len(payload), retain), waited=waited)
        return self.results[-1]


@pytest.fixture
def door() -> Door:
    return Door(plain_unlock=True)


def test_an_unlock_is_recorded_before_the_door_is_asked(door: Door) -> None:
    assert door.order(b"UNLOCK") == "done"
    assert door.done == ["record command_unlock", "unlock command"]
    assert dict(door.log.events[0].body) == {"type": "command_unlock", "key": "home_assistant", "reason": ""}


def test_without_leave_nothing_unlocks_and_somebody_is_told() -> None:
    door = Door()
    assert door.order(b"UNLOCK") == "not_allowed"
    assert door.done == ["record command_dropped"]
    assert door.log.events[0].kind is EventKind.ALARM
    door.order(b"UNLOCK")
    assert door.done == ["record command_dropped"]  # once a minute
    assert door.order(b"LOCK") == "done"


@pytest.mark.parametrize(
    ("payload", "how", "result"),
    [
        (b"UNLOCK", {"retain": True}, "retained"),
        (b"UNLOCK", {"waited": True}, "expired"),
        (b"unlock", {}, "malformed"),
    ],
)
def test_what_is_not_in_order_is_dropped(
    door: Door, payload: bytes, how: dict[str, bool], result: str
) -> None:
    assert door.order(payload, **how) == result
    assert door.done == ["record command_dropped"]


def test_a_lockdown_keeps_it_out(door: Door) -> None:
    door.lockable.set(locked_down=True)
    assert door.order(b"UNLOCK") == "refused"
    assert "unlock command" not in door.done
    door.lockable.set(locked_down=False)
    assert door.order(b"UNLOCK") == "done"


def test_a_door_that_takes_none_or_cannot_record_it_stays_shut(door: Door) -> None:
    door.line.why = "emergency"
    assert door.order(b"UNLOCK") == "refused"
    door.line.why, door.log.trouble = None, "a write hangs"
    assert door.order(b"UNLOCK") == "refused"
    assert "unlock command" not in door.done
    door.log.trouble, door.line.takes = None, False
    assert door.order(b"UNLOCK") == "refused"


def test_one_at_a_time_and_so_many_an_hour() -> None:
    door = Door(plain_unlock=True, plain_unlock_seconds=5, plain_unlocks_per_hour=3)
    found = []
    for seconds in (0, 4.9, 0.2, 10, 10, 3600 - 25, 0.1):
        door.now += seconds
        found.append(door.order(b"UNLOCK"))
    assert found == ["done", "refused", "done", "done", "refused", "done", "refused"]


def test_lock_is_always_obeyed_and_not_always_recorded(door: Door) -> None:
    door.lockable.set(locked_down=True)
    for _ in range(3):
        assert door.order(b"LOCK", waited=True) == "done"
    assert door.done == ["relock", "record command", "relock", "relock"]


class Guest:
    """The guest over connections that the test makes."""

    def __init__(self, folder: Path, **section: Any) -> None:
        config = parse(CONFIG, base=folder)
        changed = HomeAssistantConfig(**section)
        config = msgspec.structs.replace(config, home_assistant=changed)
        self.now = 1000.0
        self.door = Door(plain_unlock=True)
        self.again = 0
        self.guest = HomeAssistant(config, self.door.orders, self._said, clock=lambda: self.now)

    def _said(self) -> None:
        self.again += 1

    def hear(self, topic: str, payload: bytes) -> None:
        self.guest.heard(Arrived(topic, payload, len(payload), False))


def test_it_is_announced_and_cleared_when_it_is_not_wanted_any_more(tmp_path: Path) -> None:
    assert dict(Guest(tmp_path).guest.statuses()) == {}
    announced = Guest(tmp_path, enabled=True).guest
    assert list(announced.statuses()) == [ANNOUNCED]
    announced.kept(ANNOUNCED)
    assert announced.statuses()[ANNOUNCED]
    moved = Guest(tmp_path, enabled=True, discovery_prefix="ha").guest
    assert moved.statuses()[ANNOUNCED] == b""
    moved.kept(ANNOUNCED)
    assert list(moved.statuses()) == ["ha/device/hq/front/config"]
    off = Guest(tmp_path).guest
    assert dict(off.statuses()) == {"ha/device/hq/front/config": b""}
    assert off.topics == ()
    assert dict(Guest(tmp_path).guest.statuses()) != {}  # the broker has not said that it took it
    off.kept("ha/device/hq/front/config")
    assert dict(off.statuses()) == dict(Guest(tmp_path).guest.statuses()) == {}


def test_a_home_assistant_that_starts_is_told_everything_anew(tmp_path: Path) -> None:
    there = Guest(tmp_path, enabled=True)
    there.hear(STATUS, b"online")
    there.hear(STATUS, b"online")
    there.hear(STATUS, b"offline")
    assert there.again == 1


def test_an_order_behind_a_gap_has_waited(tmp_path: Path) -> None:
    there = Guest(tmp_path, enabled=True)
    there.hear(ORDER, b"UNLOCK")
    there.guest.statuses()
    there.hear(ORDER, b"UNLOCK")
    there.now += 6
    there.hear(ORDER, b"UNLOCK")
    assert there.door.results == ["expired", "done", "expired"]
