"""A door process of one's own: started with ``edged run``, ended with it.

It owns the line and nothing else, so a fault of the reader, be it a crash of native code in mid-pulse or a
hang, leaves the line in the hands of a process that goes on living for as long as it takes to secure it.
A door process that hangs itself is killed by this one, and the line secured by whoever claims it next.

In an emergency it outlives this process, where that dies or fails: a door that a fire has opened must not be
shut by a crash. It ends once the emergency does, or when the next start takes over (``doorway.tenant``). An
orderly stop ends it always, and shuts the door.
"""

import logging
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from edged.config.document import write_document
from edged.config.door_lines import wired_lines
from edged.config.effective import effective
from edged.config.sections import Config, FakeLockConfig
from edged.devices.lock_factory import open_lock
from edged.doorway.channel import pair
from edged.doorway.latch import in_emergency
from edged.doorway.messages import MAX_BYTES, Welcome, from_door
from edged.doorway.tenant import tenant_of
from edged.errors import DoorwayError, LockError

logger = logging.getLogger(__name__)

# It claims the line within half a second, and a small board that starts everything at once is slower.
_START_SECONDS = 20.0
# What the service manager gave the daemon. A child that is ready, feeds the watchdog or stops must not say so
# in its name: the daemon may still load its models, or hang.
_OF_THE_DAEMON = ("NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC")
# It secures the line within a turn, and writes for two seconds at most.
_END_SECONDS = 2.5
_LOOK_SECONDS = 0.01
_USUAL_JOURNAL = "journal.db"


def door_child(config: Config) -> "DoorChild | None":
    """Return the process that ``config`` wants beside this one; None for a service of its own, or a fake."""
    door = config.door
    fake = isinstance(door.lock, FakeLockConfig) and not wired_lines(door.inputs, door.signals)
    if door.socket is not None or fake:
        return None
    return DoorChild(config, door_state(config))


def door_state(config: Config) -> Path:
    """Return the folder in which a door process without a socket keeps its events and the latch of a fire.

    Each journal has its own: doors that had one in common would end each other's processes, and open by each
    other's latch.
    """
    journal = config.journal.path
    return journal.with_name("door" if journal.name == _USUAL_JOURNAL else f"{journal.name}.door")


class DoorChild:
    """``connect`` starts it, or starts it anew, and returns the one connection to it.

    ``leaves`` says whether ``close`` leaves it to itself in an emergency: this process ends by a failure.
    """

    def __init__(self, config: Config, state: Path) -> None:
        self._document = write_document({"door": effective(config)["door"]})
        self._lock = config.door.lock
        self._state = state
        self._process: subprocess.Popen[str] | None = None
        self._first: socket.socket | None = None
        self._spoken = False  # it has the line: that is when it says its first word
        self.quiet = False  # it logs what is wrong alone, for who has a terminal
        self.lock_name = "-"  # as it says with that
        self.leaves: Callable[[], bool] = lambda: False

    def begin(self) -> None:
        """Start it; it claims the line while this process does something else. Raises ``LockError``."""
        try:
            self._first = self._begun()
        except DoorwayError as exc:
            raise LockError(str(exc)) from exc

    def start(self) -> None:
        """Wait until it has the line; start it unless that was begun. Raises ``LockError``."""
        if self._first is None:
            self.begin()
        assert self._first is not None
        try:
            self._wait(self._first)
        except DoorwayError as exc:
            raise LockError(str(exc)) from exc

    def connect(self) -> socket.socket:
        """Return a connection to a process that has the line. Raises ``DoorwayError``."""
        first, self._first = self._first, None
        return first or self._spawn()

    def close(self) -> None:
        """End it: it secures the line and leaves when nobody is connected.

        One that is still starting does not hear of this until it has the line; it is killed where that takes
        long.
        """
        if self._first is not None:
            self._spoken = self._spoken or _has_spoken(self._first)
            self._first.close()
            self._first = None
        process = self._process
        if process is None:
            return
        if not self._goes(process):
            self._process = None
            return
        if process.poll() is None:
            self.kill()
        self._process = None
        # One that even a kill has not ended yet may be stuck with the line as it was.
        if process.poll() is None or process.returncode < 0:
            self._secure()

    def _goes(self, process: "subprocess.Popen[str]") -> bool:
        """Wait for its end, for as long as that may take; False where it is left to itself in an emergency.

        One that goes on without a connection, as it does in an emergency, is told to end.
        """
        began, told = time.monotonic(), False
        while process.poll() is None and (waited := time.monotonic() - began) < _END_SECONDS:
            alone = self._keeps_on_alone(process)
            if alone and self.leaves():
                logger.warning("there is an emergency: the door process goes on alone pid=%d", process.pid)
                return False
            if not told and (alone or (self._spoken and waited > _END_SECONDS / 2)):
                process.terminate()
                told = True
            time.sleep(_LOOK_SECONDS)
        return True

    def _keeps_on_alone(self, process: "subprocess.Popen[str]") -> bool:
        try:
            tenant = tenant_of(self._state)
        except DoorwayError:
            return False
        return tenant is not None and tenant.pid == process.pid and tenant.deserted and tenant.emergency

    def kill(self) -> None:
        """End a process that hangs or is still starting; ``connect`` or ``close`` secures the line then."""
        process = self._process
        if process is None or process.poll() is not None:
            return
        if self._spoken:
            logger.error("door process hangs, killing it pid=%d", process.pid)
        else:
            logger.warning("door process is to end while it still starts, killing it pid=%d", process.pid)
        process.kill()
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            logger.error("door process does not end, though it was killed pid=%d", process.pid)  # noqa: TRY400 - the text says it all

    def _secure(self) -> None:
        """Claim the line and let it go again: a process that was killed has left it as it was.

        A door that a fire has opened stays so.
        """
        if in_emergency(self._state):
            logger.warning("there is an emergency: the line is let be, until it is reset")
            return
        try:
            open_lock(self._lock).close()
        except LockError as exc:
            logger.error("line not secured after its process ended: %s", exc)  # noqa: TRY400 - the text says it all

    def _spawn(self) -> socket.socket:
        ours = self._begun()
        self._wait(ours)
        return ours

    def _begun(self) -> socket.socket:
        """Start it and tell it of its door; return the connection. Raises ``DoorwayError``."""
        self.close()
        self._spoken = False
        ours, theirs = pair()
        command = ["-m", "edged.doorway", "--config", "-", "--peer", str(theirs.fileno())]
        command += ["--state", os.fspath(self._state), *(["--quiet"] if self.quiet else [])]
        try:
            with theirs:
                self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                    [sys.executable, *command],
                    stdin=subprocess.PIPE, pass_fds=[theirs.fileno()], text=True, env=_environment(),
                    # What a terminal sends to its programs, such as Ctrl-Z, must not stop who ends a pulse.
                    start_new_session=True,
                )  # fmt: skip
            stdin = self._process.stdin
            if stdin is not None:
                with stdin:
                    stdin.write(self._document)
        except OSError as exc:
            ours.close()
            self.close()
            raise DoorwayError(f"the door process does not start: {exc}") from exc
        return ours

    def _wait(self, ours: socket.socket) -> None:
        """Wait for its first word, which it says once it has the line; end it where it says none.

        Raises ``DoorwayError``.
        """
        why = "the door process did not claim the line; its own message stands above"
        try:
            ready, _, _ = select.select([ours], [], [], _START_SECONDS)
            word = ours.recv(MAX_BYTES, socket.MSG_PEEK) if ready else b""
            self._spoken = bool(word)
        except OSError as exc:
            why = f"the door process does not start: {exc}"
        else:
            if self._spoken:
                welcome = from_door(word)
                self.lock_name = welcome.lock if isinstance(welcome, Welcome) else self.lock_name
                return
            if not ready:
                why = f"the door process has not claimed the line within {_START_SECONDS:g} s"
        ours.close()
        self.close()
        raise DoorwayError(why)


def _has_spoken(ours: socket.socket) -> bool:
    """Whether the other end has said something that nobody has read yet."""
    try:
        return bool(ours.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
    except OSError:  # nothing yet, or it has ended
        return False


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in _OF_THE_DAEMON}
