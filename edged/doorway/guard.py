"""The guard of the line: a second, tiny process that secures it when the door process cannot.

Raspberry Pi kernels keep the level of a line whose owner dies, and a service manager needs a second to
notice and to claim it again; a process that stands still dies of its watchdog, seconds after the end of a
pulse. The guard is forked before the line is claimed, holds nothing of it, and sleeps on a pipe. It is told,
before the line is released, until when that may last. Where the pipe ends before the line was secured again,
or the time is over and the keeper does not move, the guard ends the keeper for good, claims the line, which
secures it, and leaves. Every second it is asked whether it is there. One that does not answer is ended: it
guards nothing, and the door process does without it as without one that died.

In an emergency it lets the line be: a door that a fire has opened must not be shut by a crash. Nor do the
service manager's ``--secure`` and the claim of the next start, which ask the latch of the emergency. What a
line without an owner does is the kernel's business in between; a stop, and an end by an error that the door
process itself notices, shut the door until the next start, in a fire too. So the way out belongs in hardware.
"""

import contextlib
import importlib
import logging
import math
import os
import select
import signal
import struct
import time
from pathlib import Path
from typing import NoReturn, Self

from edged.config.sections import FakeLockConfig, GpiodLockConfig, LockConfig
from edged.devices.lock import DoorLock
from edged.devices.lock_factory import open_lock
from edged.domain.door import Unlocked
from edged.domain.doorway import Doorway
from edged.errors import LockError

logger = logging.getLogger(__name__)

_WORD = struct.Struct("<d")
_SECURE, _EMERGENCY, _BYE, _ASK = 0.0, math.inf, -1.0, -2.0
# Past the end of a pulse: what a keeper needs, and far below the 50 ms from which on a relock counts as late,
# since on a busy machine the guard comes late as well.
_GRACE_SECONDS = 0.01
# A keeper that waits for the kernel to fetch a page comes back by itself, as a rule.
_FETCHING_SECONDS = 0.02
# A keeper that could run but is not given the time by a busy machine is no hung one yet.
_STARVED_SECONDS = 0.3
# The kernel frees a line within milliseconds of its owner's end.
_CLAIM_SECONDS = 2.0
_RETRY_SECONDS = 0.002
_LEAVE_SECONDS = 1.0
# Turns of the keeper's watchdog, a second each: a swapped-out guard on a slow card is back within those.
_MOST_UNANSWERED = 5
_STANDARD_ERROR = 2
# What a terminal or a service manager sends to a whole group.
_NOT_FOR_IT = (
    signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGTSTP, signal.SIGTTIN,
    signal.SIGTTOU,
)  # fmt: skip


class Guard:
    """The keeper's end. Every method is called by the thread that keeps the door, and none of them waits."""

    def __init__(self, words: int, pid: int, answers: int = -1) -> None:
        self._words = words
        self._pid = pid
        self._answers = answers
        self._unanswered = 0
        self._told = _SECURE
        self._alone = False

    @classmethod
    def start(cls, config: LockConfig) -> Self | None:
        """Fork it, before the line is claimed and before any thread is started.

        None for a fake lock, on which nothing hangs.
        """
        if isinstance(config, FakeLockConfig):
            return None
        # What a claim needs is there before it is needed, and in memory once.
        gpiod = isinstance(config, GpiodLockConfig)
        importlib.import_module(f"edged.devices.lock_{'gpiod' if gpiod else 'gpiozero'}")
        near, far = os.pipe()
        answers, answering = os.pipe()
        for end in (far, answers, answering):
            os.set_blocking(end, False)
        keeper = os.getpid()
        pid = os.fork()
        if pid == 0:
            _watch(near, answering, keeper, config)
        os.close(near)
        os.close(answering)
        return cls(far, pid, answers)

    @property
    def gone(self) -> bool:
        """Whether it has ended, as the pipe tells that nobody reads any more."""
        look = select.poll()
        look.register(self._words, 0)  # POLLERR is always told
        return bool(look.poll(0))

    def ask(self) -> None:
        """Ask whether it is there, for an answer until the next call; end it after too many without one."""
        if self.gone:
            return
        try:
            heard = bool(os.read(self._answers, 64))
        except BlockingIOError:
            heard = False
        if heard or not self._unanswered:
            self._unanswered = 1
            with contextlib.suppress(OSError):  # then it is gone, or has not read thousands of words
                os.write(self._words, _WORD.pack(_ASK))
            return
        self._unanswered += 1
        if self._unanswered > _MOST_UNANSWERED:
            logger.error("the guard of the line stands still, ending it pid=%d", self._pid)
            with contextlib.suppress(ProcessLookupError):  # a child of ours: the number is no other process
                os.kill(self._pid, signal.SIGKILL)

    def before_release(self, seconds: float) -> None:
        """Tell that the line is about to be released, for ``seconds`` unless another word comes."""
        self._say(time.monotonic() + seconds)

    def secured(self) -> None:
        """Tell that the line is secure."""
        self._say(_SECURE)

    def follow(self, door: Doorway) -> None:
        """Tell until when the line stands released, if that has changed."""
        if door.emergency:
            self._say(_EMERGENCY)
        elif isinstance(door.pulse, Unlocked):
            self._say(door.pulse.relock_at)
        else:
            self._say(_SECURE)

    def dismiss(self) -> None:
        """Send it away: the line is secure and given back."""
        self._say(_BYE)
        os.close(self._words)
        os.close(self._answers)
        until = time.monotonic() + _LEAVE_SECONDS
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(self._pid, os.WNOHANG) == (0, 0) and time.monotonic() < until:
                time.sleep(_RETRY_SECONDS)

    def _say(self, word: float) -> None:
        if word == self._told or self._alone:
            return
        self._told = word
        try:
            os.write(self._words, _WORD.pack(word))
        except OSError as exc:  # it is dead, or has not read thousands of words
            self._alone = True
            logger.error("the guard of the line is gone error=%s", exc.strerror)  # noqa: TRY400 - the text says it all


class GuardedLock:
    """A lock whose guard hears of each release before it happens, and of its end after it."""

    def __init__(self, lock: DoorLock, guard: Guard, unlock_seconds: float) -> None:
        self._lock = lock
        self._guard = guard
        self._unlock_seconds = unlock_seconds

    @property
    def name(self) -> str:
        """As the lock's."""
        return self._lock.name

    @property
    def unlocked(self) -> bool:
        """As the lock's."""
        return self._lock.unlocked

    def unlock(self) -> None:
        """Tell, then unlock."""
        self._guard.before_release(self._unlock_seconds)
        self._lock.unlock()

    def secure(self) -> None:
        """Secure, then tell; a line that does not obey stays the guard's business."""
        self._lock.secure()
        self._guard.secured()

    def close(self) -> None:
        """Close the lock."""
        self._lock.close()

    def __enter__(self) -> Self:
        """Return this."""
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Close it."""
        self.close()


def _watch(words: int, answers: int, keeper: int, config: LockConfig) -> NoReturn:
    """Be the guard; never returns."""
    try:
        for number in _NOT_FOR_IT:
            signal.signal(number, signal.SIG_IGN)
        _close_all_but(words, answers)
        if _until_needed(words, answers, keeper):
            _secure(config)
    except BaseException:
        logger.critical("the guard of the line failed", exc_info=True)
    os._exit(0)


def _close_all_but(*kept: int) -> None:
    """Let go of what was inherited.

    Above all of the connection to a reader, whose other end must see the keeper's end as the end of it.
    """
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - numbers, one of which is the listing's own
        number = int(name)
        if number > _STANDARD_ERROR and number not in kept:
            with contextlib.suppress(OSError):
                os.close(number)


def _until_needed(words: int, answers: int, keeper: int) -> bool:
    """Hear the keeper; return whether it left, or was made to leave, a line that may be released."""
    relock_at = _SECURE
    while True:
        due = relock_at + _GRACE_SECONDS if _SECURE < relock_at < _EMERGENCY else None
        wait = None if due is None else max(0.0, due - time.monotonic())
        ready, _, _ = select.select([words], [], [], wait)
        if ready:
            said = os.read(words, 4096)
            if not said:
                break
            heard = [word for (word,) in _WORD.iter_unpack(said)]
            if _ASK in heard:
                with contextlib.suppress(OSError):  # it is gone, which the pipe of words tells
                    os.write(answers, b".")
            relock_at = ([relock_at] + [word for word in heard if word != _ASK])[-1]
            if relock_at == _BYE:
                return False
        elif due is not None and _stands(keeper, time.monotonic() - due):
            logger.critical("door process does not relock, ending it pid=%d", keeper)
            if os.getppid() == keeper:
                os.kill(keeper, signal.SIGKILL)
            break
        else:
            time.sleep(_RETRY_SECONDS)
    return _SECURE < relock_at < _EMERGENCY


def _stands(pid: int, late_seconds: float) -> bool:
    """Whether a process that is late by so much is stopped, stuck or gone: proc(5), field state."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return True
    patience = 0.0 if state in "TtZXx" else _FETCHING_SECONDS if state == "D" else _STARVED_SECONDS
    return late_seconds >= patience


def _secure(config: LockConfig) -> None:
    """Claim the line, which secures it, and let it go."""
    until = time.monotonic() + _CLAIM_SECONDS
    while True:
        try:
            lock = open_lock(config)
        except LockError as exc:
            if time.monotonic() > until:
                logger.critical("the guard cannot secure the line error=%s", exc)
                return
            time.sleep(_RETRY_SECONDS)
        else:
            lock.close()
            logger.warning("line secured by its guard lock=%s", lock.name)
            return
