"""The service manager's part of a fault: restart, watchdog, and what runs after the end.

A machine of its own would be needed to kill what systemd keeps; here its rules are played by a thread, with
the figures of the very unit files that are shipped.
"""

import configparser
import contextlib
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path

UNITS = Path(__file__).parents[2] / "systemd"
_TURN_SECONDS = 0.02


class Service:
    """Keeps ``argv`` running as ``unit`` says, from ``start`` to ``stop``; ``after`` is its ExecStopPost."""

    def __init__(
        self, unit: str, argv: Sequence[str], cwd: Path, *, after: Sequence[str] = (), env: dict[str, str]
    ) -> None:
        rules = _rules(UNITS / unit)
        self._argv, self._cwd, self._after = list(argv), cwd, list(after)
        self._watchdog = float(rules["WatchdogSec"])
        self._pause, self._abort = float(rules["RestartSec"]), float(rules["TimeoutAbortSec"])
        self._nice = int(rules.get("Nice", "0"))
        self._address = cwd / f"{unit}.notify"
        self._env = {
            **env, "NOTIFY_SOCKET": str(self._address), "WATCHDOG_USEC": str(int(self._watchdog * 1e6))
        }  # fmt: skip
        self._log = (cwd / f"{unit}.log").open("ab")
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._keep, name=f"service-{unit}")
        self.process: subprocess.Popen[bytes] | None = None
        self.ready = threading.Event()
        self.barked = 0  # watchdog
        self.exits: list[int] = []

    @property
    def log(self) -> str:
        """What the process and those after it have written."""
        return Path(self._log.name).read_text(errors="replace")

    def start(self) -> None:
        """Start it, and keep it running."""
        self._thread.start()
        self.wait_ready()

    def wait_ready(self, seconds: float = 90.0) -> None:
        """Wait for its READY=1. Raises ``RuntimeError``."""
        if not self.ready.wait(seconds):
            raise RuntimeError(f"{self._argv[2:]} is not ready: see {self._log.name}")

    def send(self, number: signal.Signals) -> float:
        """Send the process a signal; return when, in monotonic seconds."""
        if self.process is None:
            raise RuntimeError("there is no process")
        if number == signal.SIGKILL:
            self.ready.clear()
        self.process.send_signal(number)
        return time.monotonic()

    def stop(self) -> None:
        """End it for good; it is given the time that the unit gives it."""
        self._ending.set()
        self._thread.join(60)
        self._log.close()
        self._address.unlink(missing_ok=True)

    def _keep(self) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as words:
            self._address.unlink(missing_ok=True)
            words.bind(str(self._address))
            words.setblocking(False)
            while True:
                self._once(words)
                if self._ending.wait(self._pause):
                    return

    def _once(self, words: socket.socket) -> None:
        process = self.process = subprocess.Popen(
            self._argv, cwd=self._cwd, env=self._env, stdout=self._log, stderr=subprocess.STDOUT
        )
        self._prefer(process.pid)
        fed_at: float | None = None
        while process.poll() is None:
            said = _heard(words)
            now = time.monotonic()
            if b"READY=1" in said:
                self.ready.set()
            if b"WATCHDOG=1" in said or b"READY=1" in said:
                fed_at = now
            if self._ending.is_set():
                self._end(process, signal.SIGTERM, 15.0)
            elif fed_at is not None and now - fed_at > self._watchdog:
                self.barked += 1
                self._end(process, signal.SIGABRT, self._abort)
            time.sleep(_TURN_SECONDS)
        self.ready.clear()
        _heard(words)
        self.exits.append(process.returncode)
        if self._after:
            after = subprocess.Popen(
                self._after, cwd=self._cwd, env=self._env, stdout=self._log, stderr=self._log
            )
            self._prefer(after.pid)
            after.wait()

    def _prefer(self, pid: int) -> None:
        """Give a process the niceness that the unit gives all its commands."""
        if self._nice:
            with contextlib.suppress(PermissionError):
                os.setpriority(os.PRIO_PROCESS, pid, self._nice)

    @staticmethod
    def _end(process: "subprocess.Popen[bytes]", how: signal.Signals, seconds: float) -> None:
        process.send_signal(how)
        process.send_signal(signal.SIGCONT) if how == signal.SIGTERM else None
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
            return
        process.kill()
        process.wait()


def _heard(words: socket.socket) -> bytes:
    said = b""
    with contextlib.suppress(BlockingIOError):
        while True:
            said += words.recv(4096) + b"\n"
    return said


def _rules(path: Path) -> dict[str, str]:
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign] - systemd tells cases apart
    parser.read(path)
    return dict(parser["Service"])
