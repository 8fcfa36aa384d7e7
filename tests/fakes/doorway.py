"""A door process of its own, its GPIO lines as files, and a reader that says what a test wants."""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self, TypeVar

from msgspec import UNSET

from edged.doorway.channel import Channel, connect
from edged.doorway.messages import (
    BEAT_SECONDS,
    Beat,
    Former,
    FromDoor,
    FromReader,
    Happened,
    Hello,
    Status,
    Taken,
    Unlock,
    from_door,
)
from edged.errors import DoorwayError

T = TypeVar("T")
LOCK, EXIT, CONTACT, FIRE, TAMPER, RESET, BUZZER, LAMP, FAULT = 17, 4, 5, 6, 7, 8, 22, 23, 24
WAIT_SECONDS = 60.0
# A door that would wait for a minute of silence: the reader of a test beats only while it hears, and a busy
# machine holds it up for longer than the second and a half after which a reader counts as hung. And its guard
# does not end it for a third of a second without a core at the end of a pulse.
PATIENT = """
import sys
from edged.doorway import guard, main, server
guard._STARVED_SECONDS = server.SILENCE_SECONDS = 60.0
sys.exit(main.main())
"""
# What a door on a busy machine tells now and then, between whatever else happens.
LATE = "relocked_late"
AS_SHIPPED = ["-m", "edged.doorway"]
# Two samples 20 ms apart settle a switch. What a loop rests for beside is counted too, so some more.
_RESTS = 6


def until(found: Callable[[], T], seconds: float = WAIT_SECONDS) -> T:
    deadline = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.005)
    return value


class DoorProcess:
    """``edged.doorway`` in ``folder``; the lock is an active-low strike, as the trickiest wiring is.

    It is ``PATIENT`` with silent readers, unless its ``program`` is the one ``AS_SHIPPED``, and takes a grant
    that a busy machine brings it late, unless ``max_grant_age_ms`` is the second that is shipped.
    """

    def __init__(
        self, folder: Path, *, unlock_seconds: float = 0.4, max_grant_age_ms: int = 10_000, door: str = ""
    ) -> None:
        self.folder = folder
        self.chip = folder / "chip"
        self.socket = folder / "door.sock"
        self.state = folder / "state"
        self.process: subprocess.Popen[str] | None = None
        self.program = ["-c", PATIENT]
        wire = f"chip: 'folder:{self.chip}', debounce_ms: 20, active: high"
        (folder / "config.yaml").write_text(f"""
site: t
door_id: front
camera: {{source: {{type: file, path: x.mp4}}}}
mqtt: {{enabled: false}}
door:
  lock: {{driver: gpiod, chip: 'folder:{self.chip}', line: {LOCK}, active: low, power: fail_secure}}
  socket: door.sock
  max_unlock_seconds: 60
  unlock_seconds: {unlock_seconds}
  max_grant_age_ms: {max_grant_age_ms}
  inputs:
    exit: {{{wire}, line: {EXIT}}}
    contact: {{{wire}, line: {CONTACT}, warn_after_seconds: 0.3, alarm_after_seconds: 0.6}}
    fire: {{{wire}, line: {FIRE}}}
    tamper: {{{wire}, line: {TAMPER}}}
    reset: {{{wire}, line: {RESET}}}
  signals:
    buzzer: {{chip: 'folder:{self.chip}', line: {BUZZER}, active: high}}
    granted: {{chip: 'folder:{self.chip}', line: {LAMP}, active: high}}
    fault: {{chip: 'folder:{self.chip}', line: {FAULT}, active: high}}
{door}""")

    def start(self) -> Self:
        self.socket.unlink(missing_ok=True)
        with (self.folder / "door.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, *self.program, "--config", str(self.folder / "config.yaml"),
                 "--state", str(self.state)],
                text=True, stderr=log, env=environment(),
            )  # fmt: skip
        until(lambda: self.socket.exists() or self._ended())
        self.settle()  # what the switches are at the start is no press
        return self

    def settle(self) -> None:
        """Wait until what stands on the wires counts, however slow the machine: it rests once a sample."""
        seen = self._rests()
        until(lambda: self._rests() >= seen + _RESTS or self._ended())

    def _rests(self) -> int:
        """How often the thread that keeps the door has waited for something."""
        assert self.process is not None
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("\nvoluntary_ctxt_switches:")[2].split()[0])

    def _ended(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log
        return False

    @property
    def log(self) -> str:
        return (self.folder / "door.log").read_text()

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(how)
        return self.process.wait(WAIT_SECONDS)

    def level(self, line: int, *, high: bool) -> None:
        """Play the world: put a level on a wire."""
        self._put(line, b"1" if high else b"0")

    def break_line(self, line: int) -> None:
        """Play the world: the line cannot be read until it has a level again."""
        self._put(line, b"!")

    def _put(self, line: int, level: bytes) -> None:
        self.chip.mkdir(exist_ok=True)
        descriptor = os.open(self.chip / f"line-{line}", os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            os.pwrite(descriptor, level, 0)
        finally:
            os.close(descriptor)

    def press(self, line: int, seen: Callable[[], object] | None = None) -> None:
        """Press a button until what it does is seen, in the log if nowhere else."""
        before = len(self.log)
        self.level(line, high=True)
        until(seen or (lambda: len(self.log) > before))
        self.level(line, high=False)
        self.settle()  # the release too, or the next press would be no edge

    def on_disk(self, what: str) -> int:
        """How many events of a kind wait on the disk."""
        path = self.state / "events"
        return path.read_text().count(f'"what":"{what}"') if path.exists() else 0

    @property
    def timeline(self) -> list[tuple[float, bool]]:
        """When the lock was released (True: its line went low, relay on) and secured."""
        path = self.chip / "timeline.jsonl"
        lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        return [(line["at"], not line["high"]) for line in lines if line["line"] == LOCK]

    @property
    def released(self) -> bool:
        return self.timeline[-1][1]

    def lit(self, line: int) -> bool:
        return (self.chip / f"line-{line}").read_bytes()[:1] == b"1"

    def reader(self, name: str = "t.front", *formerly: Former, takes: bool = True) -> "Reader":
        return Reader(self.socket, name, *formerly, takes=takes)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(WAIT_SECONDS)


class Reader:
    """Says hello at once; hears, and beats, whenever it waits for something. ``LATE`` is not kept."""

    def __init__(self, path: Path, name: str, *formerly: Former, takes: bool = True) -> None:
        self.channel = Channel(connect(path))
        self.heard: list[FromDoor] = []
        self.takes = takes
        self._beat_at = 0.0
        self.say(Hello(reader=name, formerly=formerly or UNSET))
        self.wait(lambda: self.status)

    def say(self, message: FromReader) -> None:
        self.channel.send(message)

    def ask(self, request: str = "R1", *, age: float = 0.0, cause: Any = "face") -> None:
        self.say(Unlock(request=request, cause=cause, granted_at=time.monotonic() - age))

    def hear(self) -> None:
        """Take what there is; acknowledge events unless told not to."""
        now = time.monotonic()
        if now - self._beat_at > BEAT_SECONDS:
            self._beat_at = now
            self.say(Beat())
        select.select([self.channel], [], [], 0.01)
        while (packet := self.channel.receive()) is not None:
            message = from_door(packet)
            if isinstance(message, Happened) and self.takes:
                self.say(Taken(event=message.event))
            if not (isinstance(message, Happened) and message.what == LATE):
                self.heard.append(message)

    def wait(self, found: Callable[[], T], seconds: float = WAIT_SECONDS) -> T:
        def look() -> T:
            self.hear()
            return found()

        return until(look, seconds)

    def of(self, kind: type[T]) -> list[T]:
        return [message for message in self.heard if isinstance(message, kind)]

    @property
    def status(self) -> Status | None:
        found = self.of(Status)
        return found[-1] if found else None

    @property
    def events(self) -> list[str]:
        return [event.what for event in self.of(Happened)]

    def until_taken(self) -> None:
        """Wait until the door has heard that all that it offered was taken: a status says so afterwards."""
        told = len(self.of(Status))
        self.wait(lambda: (after := self.of(Status)[told:]) and after[-1].waiting == 0)

    def rest(self, seconds: float) -> None:
        ends_at = time.monotonic() + seconds
        while time.monotonic() < ends_at:
            self.hear()

    def ended(self) -> bool:
        try:
            self.hear()
        except DoorwayError:
            return True
        return False

    def close(self) -> None:
        self.channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def raw(path: Path) -> socket.socket:
    """A connection on which anything may be said."""
    end = connect(path)
    end.settimeout(WAIT_SECONDS)
    return end


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
