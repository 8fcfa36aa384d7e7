"""A key that was taken away commands nothing, even at a door that was away or whose broker keeps it back."""

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from edged.errors import StoreError
from edged.fleet.broker import Connected
from edged.fleet.gallery_topics import GalleryTopics
from edged.publishing.doors import add_commander, remove_commander
from edged.workers.fleet_member import FleetMemberWorker
from tests.integration.membership.fleet import GROUP, SITE, SPACE, door, publisher, wanted
from tests.integration.membership.fleet import Door as Member
from tests.integration.membership.test_commands import ALLOWED, Broker, Door, order


@pytest.fixture
def front(tmp_path: Path) -> Door:
    return Door(tmp_path, [ALLOWED])


def full(*_: object) -> None:
    raise StoreError("no space left")


@dataclass
class Line(Broker):
    """A line that is up: what was sent to the door arrives at its next turn."""

    connected: bool = True
    coming: list[Any] = field(default_factory=list)

    def poll(self, _timeout: float) -> list[Any]:
        coming, self.coming = self.coming, []
        return coming

    def room(self) -> int:
        return 0


class Following:
    """A door of a fleet: its worker, its update and its desk of commands, on one line."""

    def __init__(self, member: Member, front: Door) -> None:
        self.line, self.front, self.member = Line(), front, member
        self.wall, self.good = time.time(), True
        self.worker = FleetMemberWorker(
            self.line,  # type: ignore[arg-type]
            GalleryTopics("edged", SITE, GROUP), "receipt", member.store, member.identity,
            space=SPACE, clock=self, make_update=lambda _channel: lambda _now: member.attempt(),
            alarm=lambda _kind, _facts: None,
        )  # fmt: skip
        front.keys = []
        front.desk._keys = member.store.command_keys
        front.desk._withheld = self.worker.withheld
        self.worker.on_message = front.desk.heard
        self.connect()

    def monotonic(self) -> float:
        return 50.0

    def unix(self) -> float:
        return self.wall

    def synced(self) -> bool:
        return self.good

    def connect(self) -> None:
        self.line.coming.append(Connected("5", 1 << 20, 20))
        self.turn()

    def turn(self) -> None:
        self.worker._channel.turn(0.0)

    def command(self, action: str = "unlock") -> str:
        """Return what became of a whole command: hello, nonce, run."""
        told = [*self.front.results], [*self.front.dropped]
        self.front.desk._alarmed.clear()
        self.front.run(order(self.front, action=action))
        new = self.front.results[len(told[0]) :] + self.front.dropped[len(told[1]) :]
        assert len(new) == 1
        return new[0]


@pytest.fixture
def following(tmp_path: Path, front: Door) -> Following:
    folder = publisher(tmp_path / "fleet")
    member = door(tmp_path / "member", "front", folder)
    add_commander(folder, GROUP, ALLOWED)
    folder.publish(GROUP, wanted(1, 2))
    member.attempt()
    assert member.store.command_keys() == [ALLOWED]
    return Following(member, front)


def test_a_key_that_was_taken_away_opens_no_door_that_comes_back(following: Following) -> None:
    remove_commander(following.member.source.folder, GROUP, "reception")
    assert following.command() == "refused"
    assert following.front.done == []
    following.worker._follow()
    assert following.command() == "unknown_key"
    assert following.front.done == []


def test_a_door_obeys_once_it_has_heard_who_may_command_in_this_connection(following: Following) -> None:
    assert [following.command(action) for action in ("unlock", "release")] == ["refused", "refused"]
    assert following.command("lockdown") == "done"  # what locks waits for nothing
    following.worker._follow()
    assert [following.command(action) for action in ("unlock", "release")] == ["done", "done"]
    following.connect()
    assert following.command() == "refused"
    following.worker._follow()
    assert following.command() == "done"


@pytest.mark.parametrize("held_back", ["roles", "timestamp"])
def test_a_broker_that_keeps_the_removal_back_keeps_the_key_good_for_days_and_not_for_ever(
    following: Following, held_back: str
) -> None:
    folder, source = following.member.source.folder, following.member.source
    following.worker._follow()
    old = source.metadata("timestamp")
    remove_commander(folder, GROUP, "reception")
    if held_back == "roles":  # while the daily word that it is all still so passes
        roles = folder.repository(GROUP).target("roles")
        assert roles is not None
        source.lies[roles.hashes["sha256"]] = b"nothing"
    else:
        source.lies["timestamp"] = old
        following.worker._follow()
        assert following.command() == "done"
        following.wall += 4 * 86_400
    following.worker._follow()
    assert [following.command(action) for action in ("unlock", "release")] == ["refused", "refused"]
    assert following.command("lockdown") == "done"


def test_a_disk_that_fails_while_the_news_is_taken_keeps_no_key_good(
    following: Following, monkeypatch: pytest.MonkeyPatch
) -> None:
    following.worker._follow()
    monkeypatch.setattr(following.worker, "_attempt", full)
    following.worker._follow()
    assert following.command() == "refused"


def test_an_attempt_says_nothing_of_the_connection_that_came_meanwhile(
    following: Following, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = following.worker._attempt

    def slow(not_before: Any) -> Any:
        found = attempt(not_before)
        following.connect()
        return found

    monkeypatch.setattr(following.worker, "_attempt", slow)
    following.worker._follow()
    assert following.command() == "refused"


def test_the_receipt_tells_which_command_keys_are_in_force(following: Following) -> None:
    worker, store = following.worker, following.member.store
    before = worker._receipt(store.state()).roles
    remove_commander(following.member.source.folder, GROUP, "reception")
    assert worker._receipt(store.state()).roles == before > 0
    worker._follow()
    assert worker._receipt(store.state()).roles == before + 1
