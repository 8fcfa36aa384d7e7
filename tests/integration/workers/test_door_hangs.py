"""A door process that is killed, stopped or hangs in mid-grant: nothing invented, nothing lost."""

import contextlib
import select
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edged.doorway.channel import connect, pair
from edged.doorway.messages import MAX_BYTES, SILENCE_SECONDS
from edged.workers import door_link, door_opening
from tests.fakes.doorway import DoorProcess, until
from tests.integration.workers.test_door_link import Site, site_of

# What stands for the 30 seconds after which an answer is no longer waited for: longer than a silence, too.
SOON = 1.1 * SILENCE_SECONDS


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door_link, "_ANSWER_SECONDS", SOON)


@pytest.fixture
def door(tmp_path: Path) -> Iterator[DoorProcess]:
    with DoorProcess(tmp_path, max_grant_age_ms=1000) as running:
        yield running


class Wire:
    """What lies between a reader and its door: either way can be held up, with what is on it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.held = False  # what the door says does not arrive

    def connect(self) -> socket.socket:
        door = connect(self._path)
        ours, theirs = pair()
        threading.Thread(target=self._carry, args=(theirs, door), daemon=True).start()
        return ours

    def _carry(self, reader: socket.socket, door: socket.socket) -> None:
        with reader, door, contextlib.suppress(OSError):
            while True:
                for end in select.select([reader, *([] if self.held else [door])], [], [], 0.02)[0]:
                    if end is door and self.held:
                        continue
                    packet = end.recv(MAX_BYTES)
                    if not packet:
                        return
                    (door if end is reader else reader).send(packet)


@pytest.fixture
def wire(door: DoorProcess) -> Wire:
    return Wire(door.socket)


@pytest.fixture
def site(door: DoorProcess, wire: Wire, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A reader whose door takes grants."""
    monkeypatch.setattr(door_opening, "connect", lambda _path: wire.connect())
    made = site_of(door.folder, shared=True)
    until(lambda: made.link.refusal(time.monotonic()) is None)
    yield made
    made.close()


def nothing_said(site: Site) -> None:
    """Let the time pass after which an answer is no longer waited for."""
    time.sleep(1.2 * SOON)
    assert site.changes.empty()


def test_a_door_that_opened_and_died_before_it_could_say_so_did_open(
    site: Site, door: DoorProcess, wire: Wire
) -> None:
    wire.held = True
    assert site.ask("A")
    until(lambda: door.on_disk("unlocked"))
    door.end(signal.SIGKILL)
    nothing_said(site)
    wire.held = False
    door.start()
    assert site.change().state == "unlocked"
    until(lambda: ("unlocked", "A") in site.recorded and not door.on_disk("unlocked"))
    assert site.recorded.count(("unlocked", "A")) == 1


def test_a_door_that_died_before_it_heard_of_it_did_not_open(site: Site, door: DoorProcess) -> None:
    assert door.process is not None
    door.process.send_signal(signal.SIGSTOP)
    assert site.ask("A")
    door.end(signal.SIGKILL)
    nothing_said(site)
    door.start()
    change = site.change()
    assert (change.state, change.reason, change.event_id) == ("refused", "away", "A")
    assert ("unlocked", "A") not in site.recorded


def test_a_door_process_that_is_stopped_takes_no_grant_and_goes_on_when_continued(
    site: Site, door: DoorProcess
) -> None:
    """It is somebody else's process, with a watchdog of its own: it is let be."""
    assert door.process is not None
    door.process.send_signal(signal.SIGSTOP)
    assert site.ask("A")
    until(lambda: site.link.refusal(time.monotonic()) == "away")
    until(lambda: site.alarms == ["door_hung"])
    nothing_said(site)
    assert not site.ask("B")
    door.process.send_signal(signal.SIGCONT)
    until(lambda: site.link.refusal(time.monotonic()) is None)
    change = site.change()
    assert (change.state, change.event_id) == ("refused", "A")
    assert site.ask("C")
    assert (site.change().event_id, site.alarms) == ("C", ["door_hung"])
    assert not any(event == "A" for _, event in site.recorded)


@pytest.fixture
def own(tmp_path: Path) -> Iterator[tuple[Site, DoorProcess]]:
    """A reader that keeps its door process itself, and a pulse that no test waits for the end of."""
    door = DoorProcess(tmp_path, unlock_seconds=60)
    site = site_of(tmp_path, shared=False)
    until(lambda: site.link.refusal(time.monotonic()) is None)
    yield site, door
    site.close()
    assert not door.released


def child(site: Site) -> "subprocess.Popen[str]":
    """The door process that is there now, by its id."""
    keeper = site.link._connect.__self__  # type: ignore[attr-defined]
    return keeper._process  # type: ignore[no-any-return]


def hung_open(site: Site) -> "subprocess.Popen[str]":
    """The door process, stopped just after it has opened the door for A."""
    assert site.ask("A")
    assert site.change().state == "unlocked"
    hung = child(site)
    hung.send_signal(signal.SIGSTOP)
    return hung


def test_a_child_that_hangs_with_the_door_open_is_killed_and_the_line_secured(
    own: tuple[Site, DoorProcess],
) -> None:
    site, door = own
    hung = hung_open(site)
    assert door.released
    until(lambda: site.link.refusal(time.monotonic()) == "away")
    assert not site.ask("B") or site.change().state == "refused"
    until(lambda: not door.released)
    assert hung.wait(60) == -signal.SIGKILL
    until(lambda: site.link.refusal(time.monotonic()) is None)
    assert site.alarms == ["door_hung"]
    assert ("unlocked", "B") not in site.recorded
    assert site.ask("C")
    until(lambda: site.change().event_id == "C")


def test_a_stop_while_the_child_hangs_leaves_neither_it_nor_an_open_door(
    own: tuple[Site, DoorProcess],
) -> None:
    site, door = own
    hung = hung_open(site)
    site.link.stop()
    assert site.link.join(60)
    assert hung.poll() == -signal.SIGKILL
    assert not door.released
