"""The switches of the door as its keeper hears them: debounced, and set apart while they cannot be read.

A line may become unreadable while the process runs: an expander that lost its bus or its power. Such an input
is neither pressed nor released. It is told as a fault, what it said last stands, and everything else goes on:
a broken tamper switch must not take the exit button along.

That holds for the fire input too. A fault releases nothing, so a fire is then heard by whoever hears the
alarm, and by the fire alarm system itself, which has to cut a magnet's power by wire. An emergency that is on
stays on; its reset is refused where fire was the last that the input said.

A bus that hangs may hold up each read for a second, and the same thread ends the pulses: what failed is read
seldom, and not at all in mid-pulse. At the start a line that cannot be claimed is an error: a mistake in the
configuration must not look like a broken wire.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from edged.config.door_lines import InputsConfig
from edged.domain.debounce import Debounced
from edged.errors import LockError

logger = logging.getLogger(__name__)

# A press of a button lasts 50 ms at least; two samples fall into it.
SAMPLE_SECONDS = 0.02
# A bus that was disturbed answers again after some samples; an expander without power does not.
FAULT_SECONDS = 1.0
_AGAIN_SECONDS = 0.1
_FAULTY_AGAIN_SECONDS = 1.0
# A loose plug that comes and goes is one fault, not thousands of records.
SOUND_SECONDS = 10.0


class Readable(Protocol):
    """Lines by name; ``devices.gpio_lines.Switches`` is the real one."""

    @property
    def names(self) -> tuple[str, ...]:
        """Which there are."""
        ...

    def active(self, name: str) -> bool:
        """Whether the line stands at its active level now. Raises ``LockError``."""
        ...

    def close(self) -> None:
        """Give the lines back."""


@dataclass(frozen=True, slots=True)
class Settled:
    """The level of an input that counts has changed; ``first``: it was not known before."""

    name: str
    active: bool
    first: bool


@dataclass(frozen=True, slots=True)
class InputFault:
    """An input cannot be read, or can be again and has been for a while."""

    name: str
    over: bool


@dataclass(slots=True)
class _Input:
    bounce_seconds: float
    debounced: Debounced
    failing_since: float | None = None
    sound_since: float | None = None
    faulty: bool = False
    due_at: float = float("-inf")


class Inputs:
    """Reads ``switches``; one thread calls it. Times are monotonic seconds."""

    def __init__(self, switches: Readable, config: InputsConfig) -> None:
        self._switches = switches
        self._inputs = {}
        for name in switches.names:
            seconds = getattr(config, name).debounce_ms / 1000
            self._inputs[name] = _Input(seconds, Debounced(seconds))
        self._sample_at = float("-inf")

    @property
    def faulty(self) -> tuple[str, ...]:
        """Which inputs cannot be read."""
        return tuple(name for name, one in self._inputs.items() if one.faulty)

    def due_in(self, now: float) -> float:
        """Return the seconds until the next sample is due; infinity where there is no input."""
        return max(0.0, self._sample_at + SAMPLE_SECONDS - now) if self._inputs else float("inf")

    def sample(self, now: float, *, in_pulse: bool) -> Iterator[Settled | InputFault]:
        """Read the lines that are due, and yield what is new. Each is to be dealt with as it comes."""
        if now - self._sample_at < SAMPLE_SECONDS:
            return
        self._sample_at = now
        for name, one in self._inputs.items():
            if now < one.due_at or (one.failing_since is not None and in_pulse):
                continue
            try:
                level = self._switches.active(name)
            except LockError as exc:
                yield from self._failed(name, one, now, exc)
            else:
                yield from self._read(name, one, level=level, now=now)

    def close(self) -> None:
        """Give the lines back."""
        self._switches.close()

    def _failed(self, name: str, one: _Input, now: float, error: LockError) -> Iterator[InputFault]:
        one.sound_since = None
        one.due_at = now + (_FAULTY_AGAIN_SECONDS if one.faulty else _AGAIN_SECONDS)
        if one.failing_since is None:
            one.failing_since = now
        if one.faulty:
            # How it stands once it is back is no press: nobody saw it change.
            one.debounced = Debounced(one.bounce_seconds)
        elif now - one.failing_since >= FAULT_SECONDS:
            logger.error("input cannot be read, the door goes on without it name=%s error=%s", name, error)
            one.faulty = True
            one.debounced = Debounced(one.bounce_seconds)
            yield InputFault(name, over=False)

    @staticmethod
    def _read(name: str, one: _Input, *, level: bool, now: float) -> Iterator[Settled | InputFault]:
        one.failing_since = None
        if one.faulty:
            one.sound_since = now if one.sound_since is None else one.sound_since
            if now - one.sound_since >= SOUND_SECONDS:
                logger.info("input can be read again name=%s", name)
                one.faulty = False
                yield InputFault(name, over=True)
        first = one.debounced.settled is None
        if one.debounced.feed(level, now):
            yield Settled(name, level, first)
