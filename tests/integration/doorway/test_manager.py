"""The door process and its service manager: ready, alive, stopping; one that stands still is not alive."""

import itertools
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.doorway import EXIT, FIRE, WAIT_SECONDS, DoorProcess, until


class Manager:
    """The other end of NOTIFY_SOCKET."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self.told: list[str] = []

    def hear(self, seconds: float = 0.0) -> list[str]:
        """Return everything that was told, also what comes within ``seconds``."""
        ends_at = time.monotonic() + seconds
        while True:
            self._socket.settimeout(max(0.001, ends_at - time.monotonic()))
            try:
                self.told.append(self._socket.recv(4096).decode())
            except TimeoutError:
                return self.told

    def count(self, word: str) -> int:
        return sum(word in told.splitlines() for told in self.hear())

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Manager]:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", "5000000")  # as in edged-door.service
    made = Manager(tmp_path / "notify")
    yield made
    made.close()


def granted() -> float:
    """The seconds that the unit gives the door process between two pings."""
    unit = (Path(__file__).parents[3] / "systemd/edged-door.service").read_text().splitlines()
    (seconds,) = [float(line.split("=")[1]) for line in unit if line.startswith("WatchdogSec=")]
    return seconds


def pauses(manager: Manager) -> list[float]:
    """How long it is between one ping and the next."""
    times: list[float] = []
    before = manager.count("WATCHDOG=1")
    ends_at = time.monotonic() + WAIT_SECONDS
    while len(times) < 3:
        assert time.monotonic() < ends_at, "it is not told to be alive"
        manager.hear(0.02)
        if (pings := manager.count("WATCHDOG=1")) > before:
            before = pings
            times.append(time.monotonic())
    return [after - earlier for earlier, after in itertools.pairwise(times)]


def test_the_manager_hears_that_the_door_is_ready_that_it_lives_and_that_it_stops(
    tmp_path: Path, manager: Manager
) -> None:
    with DoorProcess(tmp_path) as door:
        until(lambda: manager.count("READY=1"))
        assert manager.told[0].splitlines()[0] == "READY=1"
        assert min(pauses(manager)) < granted() / 2  # with room for one that is late
        assert door.process is not None
        door.process.send_signal(signal.SIGSTOP)
        manager.hear(0.3)  # what was on its way
        pings = manager.count("WATCHDOG=1")
        manager.hear(1.5)
        assert manager.count("WATCHDOG=1") == pings
        door.process.send_signal(signal.SIGCONT)
        until(lambda: manager.count("WATCHDOG=1") > pings)
        assert door.end() == 0
    until(lambda: manager.count("STOPPING=1"))


def test_the_manager_is_shown_which_input_cannot_be_read_and_that_there_is_a_fire(
    tmp_path: Path, manager: Manager
) -> None:
    with DoorProcess(tmp_path) as door:
        door.break_line(EXIT)
        until(lambda: any("does not work: exit" in told for told in manager.hear()))
        door.level(FIRE, high=True)
        until(lambda: any("STATUS=emergency" in told for told in manager.hear()))
        assert door.process is not None
        assert door.process.poll() is None
        assert door.end() == 0
