"""Devices without hardware. They ship, and obey the rules of the real ones."""

import fcntl
import json
import time
from dataclasses import asdict, dataclass
from io import FileIO
from pathlib import Path
from typing import Literal

from edged.devices.lock import ClaimedLock
from edged.errors import LockError

# A desk's door may run for months.
_KEPT = 1000


@dataclass(frozen=True, slots=True)
class LockTransition:
    """One change of a fake line: seconds on the monotonic clock, Unix seconds, the state from then on."""

    monotonic_at: float
    unix_time: float
    state: Literal["locked", "unlocked"]


class FakeLock(ClaimedLock):
    """A ``DoorLock`` that records the newest thousand transitions; the very first is the claim.

    With ``trace_path`` each transition is also appended to that file as one JSON line with the fields of
    ``LockTransition``, written through at once. The file stands for the line: it has one owner among all
    processes, and its lock ends with the process that holds it.
    """

    def __init__(self, trace_path: Path | None = None) -> None:
        self.transitions: list[LockTransition] = []
        self._path = trace_path
        self._trace = None if trace_path is None else _claim(trace_path)
        try:
            self._record("locked")
        except LockError:
            self._release()
            raise

    @property
    def name(self) -> str:
        """The trace file, if there is one."""
        return "fake lock" if self._path is None else f"fake lock {self._path}"

    @property
    def unlocked(self) -> bool:
        """Whether the last transition was an unlock."""
        self._check_open()
        return self.transitions[-1].state == "unlocked"

    def unlock(self) -> None:
        """Record "unlocked" unless it is so."""
        self._drive("unlocked")

    def secure(self) -> None:
        """Record "locked" unless it is so."""
        self._drive("locked")

    def _drive(self, state: Literal["locked", "unlocked"]) -> None:
        self._check_open()
        if self.transitions[-1].state != state:
            self._record(state)

    def _record(self, state: Literal["locked", "unlocked"]) -> None:
        transition = LockTransition(time.monotonic(), time.time(), state)
        self.transitions.append(transition)
        del self.transitions[:-_KEPT]
        if self._trace is None:
            return
        try:
            self._trace.write(json.dumps(asdict(transition)).encode() + b"\n")
        except OSError as exc:
            raise LockError(f"{self.name}: cannot write the trace: {exc.strerror}") from exc

    def _release(self) -> None:
        self._closed = True
        if self._trace is not None:
            self._trace.close()


def _claim(path: Path) -> FileIO:
    """Open ``path`` for appending, unbuffered, and lock it against other owners."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        trace = path.open("ab", buffering=0)
    except OSError as exc:
        raise LockError(f"fake lock {path}: cannot be opened: {exc.strerror}") from exc
    try:
        fcntl.flock(trace, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as exc:
        trace.close()
        raise LockError(f"fake lock {path}: in use by another owner") from exc
    return trace
