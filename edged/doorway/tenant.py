"""Who keeps the door of a state folder, by the kernel's word: locks on the bytes of a file.

For a door process without a socket, which nobody could find else once its daemon has died. A lock of fcntl(2)
belongs to one process, ends with it however that ends, and does not pass to its guard; F_GETLK names the
holder. So no number that was written down is taken for a process, and none is signalled that is not the one
meant: a pidfd is held while the kernel is asked once more.
"""

import fcntl
import logging
import os
import signal
import struct
import time
from dataclasses import dataclass
from pathlib import Path

from edged.doorway.owner import inherit_owner
from edged.errors import DoorwayError

logger = logging.getLogger(__name__)

# Asks a door process for a reset. Not SIGUSR1, by which ``edged run`` is asked for its stacks.
RESET = signal.SIGRTMIN

_NAME = "keeper"
_KEEPS, _EMERGENCY, _DESERTED = range(3)  # which byte is locked for what
# struct flock with 64-bit offsets: l_type, l_whence, l_start, l_len, l_pid
_FLOCK = struct.Struct("hhqqi4x")
# It secures the line within a turn, and writes for two seconds at most.
_END_SECONDS = 3.0
_KILLED_SECONDS = 1.0
_LOOK_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class Tenant:
    """A door process: ``emergency`` is its own word, ``deserted`` that its daemon went and did not end it."""

    pid: int
    emergency: bool
    deserted: bool


class Tenancy:
    """The door process's own end: from ``take`` on it can be found, until ``close`` or its end.

    ``found`` is whether others see it, and how it stands: whoever is not found can be neither reset nor
    succeeded.
    """

    def __init__(self) -> None:
        self.found = False
        self._state: Path | None = None
        self._file: int | None = None
        self._told = (False, False)

    def take(self, state: Path) -> None:
        """Let the process be found in ``state``; one that cannot be keeps the door all the same."""
        self._state = state
        try:
            self._file = os.open(state / _NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            inherit_owner(state / _NAME)
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _KEEPS)
            self.found = True
        except OSError as exc:
            self.close()
            logger.error("this door process cannot be found by others: %s: %s", state / _NAME, exc.strerror)  # noqa: TRY400 - the text says it all

    def tell(self, *, emergency: bool, deserted: bool) -> None:
        """Say how it stands, where that has changed."""
        if (emergency, deserted) == self._told:
            return
        left_alone = deserted and emergency and not self._told[1]
        self._told = (emergency, deserted)
        if self._state is not None and not self._there(self._state):
            self.close()
            self.take(self._state)
        if self._file is not None:
            self._write(self._file, emergency=emergency, deserted=deserted)
        if left_alone and self.found:
            logger.warning("its daemon is gone, the door stays open in an emergency until it is reset")
        elif left_alone:
            logger.error("its daemon is gone, and nobody would find this process: it locks the door and ends")

    def _there(self, state: Path) -> bool:
        """Whether the file is the one that others look at; somebody may have cleared the folder."""
        try:
            return self._file is not None and os.path.samestat(os.fstat(self._file), (state / _NAME).stat())
        except OSError:
            return False

    def _write(self, file: int, *, emergency: bool, deserted: bool) -> None:
        try:
            for byte, locked in ((_EMERGENCY, emergency), (_DESERTED, deserted)):
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB if locked else fcntl.LOCK_UN, 1, byte)
            self.found = True
        except OSError as exc:
            self.found = False
            logger.error("how the door stands cannot be told to others: %s", exc.strerror)  # noqa: TRY400 - the text says it all

    def close(self) -> None:
        """Be found no more."""
        self.found = False
        if self._file is not None:
            os.close(self._file)
            self._file = None


def tenant_of(state: Path) -> Tenant | None:
    """Return who keeps the door of ``state`` now, None where nobody does.

    Raises ``DoorwayError`` where that cannot be said.
    """
    try:
        file = os.open(state / _NAME, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as exc:
        raise DoorwayError(f"{state / _NAME}: {exc.strerror}: who keeps the door cannot be told") from exc
    try:
        pid = _holder(file, _KEEPS)
        if pid is None:
            return None
        return Tenant(pid, _holder(file, _EMERGENCY) == pid, _holder(file, _DESERTED) == pid)
    except OSError as exc:
        raise DoorwayError(f"{state / _NAME}: {exc.strerror}: who keeps the door cannot be told") from exc
    finally:
        os.close(file)


def send(state: Path, tenant: Tenant, number: signal.Signals) -> None:
    """Send a signal to ``tenant``, if it keeps the door of ``state`` still. Raises ``DoorwayError``."""
    try:
        process = os.pidfd_open(tenant.pid)
    except ProcessLookupError:
        return
    except OSError as exc:  # EINVAL: it lives in another namespace, so that there is no number for it here
        raise DoorwayError(f"the door process cannot be reached from here: {exc.strerror}") from exc
    try:
        now = tenant_of(state)
        if now is not None and now.pid == tenant.pid:
            signal.pidfd_send_signal(process, number)
    except ProcessLookupError:
        return
    except OSError as exc:
        raise DoorwayError(f"the door process {tenant.pid} cannot be told: {exc.strerror}") from exc
    finally:
        os.close(process)


def succeed(state: Path) -> None:
    """See an earlier door process of ``state`` out before the line is claimed.

    One that ends is waited for, one whose daemon has left it is ended. One that is neither has the line, and
    whoever claims that next is told so.
    """
    try:
        tenant = _ended(state, signal.SIGTERM, _END_SECONDS)
        if tenant is not None and tenant.deserted:
            logger.error("the door process that was left does not end, killing it pid=%d", tenant.pid)
            _ended(state, signal.SIGKILL, _KILLED_SECONDS)
    except DoorwayError as exc:
        logger.warning("an earlier door process, if there is one, is let be: %s", exc)


def _ended(state: Path, number: signal.Signals, seconds: float) -> Tenant | None:
    """Wait until nobody keeps the door; return who still does after ``seconds``."""
    deadline, told = time.monotonic() + seconds, False
    while (tenant := tenant_of(state)) is not None and time.monotonic() < deadline:
        if tenant.deserted and not told:
            logger.warning("taking over from the door process that its daemon has left pid=%d", tenant.pid)
            send(state, tenant, number)
            told = True
        time.sleep(_LOOK_SECONDS)
    return tenant


def _holder(file: int, byte: int) -> int | None:
    """Return the process that has locked a byte of ``file``; 0 for one that has no number here."""
    asked = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, byte, 1, 0)
    kind, _, _, _, pid = _FLOCK.unpack(fcntl.fcntl(file, fcntl.F_GETLK, asked))
    return None if kind == fcntl.F_UNLCK else pid
