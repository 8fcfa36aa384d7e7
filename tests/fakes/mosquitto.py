"""A real mosquitto as a child process, on a free loopback port, for one test."""

import contextlib
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PROGRAM = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
_START_SECONDS = 60.0
# Below the ports that Linux gives to outgoing connections, any of which could take one before it is listened
# on, or while a server is away that has to come back to it.
_PORTS = range(10_000, 32_000)
_given: set[int] = set()


def free_port() -> int:
    """A port that nobody listens on, and that is given once."""
    while True:
        port = random.choice(_PORTS)
        with socket.socket() as sock, contextlib.suppress(OSError):
            sock.bind(("127.0.0.1", port))
            if port not in _given:
                _given.add(port)
                return port


class Mosquitto:
    """``options`` are lines of mosquitto.conf; ``log`` is what the broker wrote about itself."""

    def __init__(self, folder: Path, *options: str, anonymous: bool = True) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self._folder = folder
        self._log = folder / "broker.log"
        self._config = folder / "mosquitto.conf"
        lines = [
            f"listener {self.port} 127.0.0.1",
            f"allow_anonymous {str(anonymous).lower()}",
            "persistence true", f"persistence_location {folder}/",
            "autosave_interval 1", "autosave_on_changes true",
            "log_type all", "connection_messages true",
            "user root",  # started by root it would drop its rights and could not write here
            *options,
        ]  # fmt: skip
        self._config.write_text("\n".join(lines) + "\n")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def start(self) -> None:
        assert PROGRAM is not None
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [PROGRAM, "-c", str(self._config), "-v"], stdout=log, stderr=subprocess.STDOUT
            )
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            assert self._process.poll() is None, self.log
            with socket.socket() as sock:
                if sock.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        raise AssertionError(f"mosquitto does not listen: {self.log}")

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def reload(self) -> None:
        """Have the broker read its files of users and rights again."""
        assert self._process is not None
        self._process.send_signal(signal.SIGHUP)

    def freeze(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.send_signal(how)
            self._process.wait(30)
            self._process = None


@contextmanager
def mosquitto(folder: Path, *options: str, anonymous: bool = True) -> Iterator[Mosquitto]:
    """Start a broker for one test."""
    if PROGRAM is None:
        pytest.fail("mosquitto is not installed: run make system")
    broker = Mosquitto(folder, *options, anonymous=anonymous)
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()
