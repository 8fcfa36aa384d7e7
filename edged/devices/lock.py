"""The door lock: one output line, and the rules that every driver obeys.

1. Construction claims the line at its SECURE level in one step; no other level is ever seen first.
2. ``unlock`` and ``secure`` drive the line at once. ``secure`` reads it back and raises if it did not follow.
3. ``close`` secures before it lets the line go. It may be called again; anything else then raises.
4. Nothing here keeps time. How long the door may stay unlocked is the door worker's business.
5. A line has one owner. Claiming one that is in use raises and leaves it alone.

Two facts about the wiring are stated in the configuration and have no default. ``active`` is the level of
the line that ENERGISES the relay. ``power`` says what the energised lock does:

========  ============  ==================  ============  ==============
active    power         the lock            secure level  unlocked level
========  ============  ==================  ============  ==============
high      fail_secure   power unlocks it    low           high
low       fail_secure   power unlocks it    high          low
high      fail_safe     power holds it      high          low
low       fail_safe     power holds it      low           high
========  ============  ==================  ============  ==============

Read with a fail-safe lock (a magnet) in mind, "secure" means energised: ``secure`` and ``close`` leave the
line energised, and the magnet holds for as long as the level lasts. What a line does after its release is
the kernel driver's choice: Raspberry Pi kernels keep the level, others turn the line into an input, and
then the magnet lets go. So with ``fail_safe`` the end of the program may release the door by nature, as a
power cut does. That is what such a lock is for; where it must hold through a restart, hardware has to
hold it. With ``fail_secure`` the same event leaves a line that a pull resistor must keep at the secure level.
"""

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal, Protocol, Self

from edged.errors import LockError

Level = Literal["high", "low"]
Power = Literal["fail_secure", "fail_safe"]

# A pin follows its register within microseconds; a loaded or isolated one is given some milliseconds.
_SETTLE_SECONDS = 0.001
_SETTLE_READS = 5


class DoorLock(Protocol):
    """A claimed line; also a context manager that closes it. Every method may raise ``LockError``."""

    @property
    def name(self) -> str:
        """What the line is called in messages."""

    @property
    def unlocked(self) -> bool:
        """Whether the line stands at its unlocked level now, read back where the hardware can."""

    def unlock(self) -> None:
        """Drive the line to its unlocked level."""

    def secure(self) -> None:
        """Drive the line to its secure level and check that it got there."""

    def close(self) -> None:
        """Secure the line, then release it; a second call does nothing."""

    def __enter__(self) -> Self:
        """Return the lock itself."""

    def __exit__(self, *exc_info: object) -> None:
        """Close it."""


@dataclass(frozen=True, slots=True)
class Levels:
    """The physical levels of a line in its two states."""

    secure: Level
    unlocked: Level


def levels(active: Level, power: Power) -> Levels:
    """Return the levels that ``active`` and ``power`` lead to: the table above."""
    idle: Level = "low" if active == "high" else "high"
    if power == "fail_secure":
        return Levels(secure=idle, unlocked=active)
    return Levels(secure=active, unlocked=idle)


class ClaimedLock(ABC):
    """A line in hand: the third rule, the same for every driver. A driver's ``_release`` sets ``_closed``."""

    _closed = False

    @property
    @abstractmethod
    def name(self) -> str:
        """What the line is called in messages."""

    @abstractmethod
    def secure(self) -> None:
        """Drive the line to its secure level and check that it got there. Raises ``LockError``."""

    @abstractmethod
    def _release(self) -> None:
        """Let the line go."""

    def close(self) -> None:
        """Secure the line, then release it; a second call does nothing. Raises ``LockError``."""
        if self._closed:
            return
        try:
            self.secure()
        finally:
            self._release()

    def __enter__(self) -> Self:
        """Return the lock itself."""
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Close it."""
        self.close()

    def _check_open(self) -> None:
        if self._closed:
            raise LockError(f"{self.name}: used after it was closed")


def confirm_secure(lock: DoorLock) -> None:
    """Raise ``LockError`` unless the line reads secure: a shorted or contested pin does not follow."""
    for _ in range(_SETTLE_READS):
        if not lock.unlocked:
            return
        time.sleep(_SETTLE_SECONDS)
    raise LockError(f"{lock.name}: expected the secure level after driving it, the line still reads unlocked")
