"""The switches of the door as its keeper hears them: debounced, and set apart while they cannot be read.

A line may become unreadable while the process runs: an expander that lost its bus or its power. Such an input
is neither pressed nor released. It is told as a fault, what it said last stands, and everything else goes on:
a broken tamper switch must not take the exit button along.

That holds for the fire input too. A fault releases nothing, so a fire is then heard by whoever hears the
alarm, and by the fire alarm system itself, which has to cut a magnet's power by wire. An emergency that is on
stays on; its reset is refused where fire was the last that the input said.

A bus that hangs may hold up each read for a second, and the same thread ends the pulses. So a round ends at
the first read that hangs, of the inputs that failed before one is tried a round and none in mid-pulse, and
after a read that took long all of those are let be for twenty times as long. A line that answers, but takes
half a second for it, counts as one that fails; where it does so once it is asked again at once, since it may
have been this process that stood still. At the start a line that cannot be claimed is an error: a
mistake in the configuration must not look like a broken wire.
"""

import logging
from collections.abc import Callable, Iterator
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
# A sound line takes microseconds, over I2C a millisecond; readers ask nothing of a door silent for 1.5 s.
_SLOW_SECONDS = 0.5
# Reads that hang take a twentieth of the time. The second is for a process that was stopped meanwhile.
_REST_FACTOR, _LONGEST_REST_SECONDS = 20, 60.0
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
    """Reads ``switches``; one thread calls it. Times are monotonic seconds, of ``clock``."""

    def __init__(self, switches: Readable, config: InputsConfig, clock: Callable[[], float]) -> None:
        self._switches = switches
        self._clock = clock
        self._inputs = {}
        for name in switches.names:
            seconds = getattr(config, name).debounce_ms / 1000
            self._inputs[name] = _Input(seconds, Debounced(seconds))
        self._sample_at = float("-inf")
        self._failing_at = float("-inf")  # when one that failed may be tried again
        self._slow_at = float("-inf")
        self._hung_in_pulse = False

    @property
    def faulty(self) -> tuple[str, ...]:
        """Which inputs cannot be read."""
        return tuple(name for name, one in self._inputs.items() if one.faulty)

    def due_in(self, now: float) -> float:
        """Return the seconds until the next sample is due; infinity where there is no input."""
        return max(0.0, self._sample_at + SAMPLE_SECONDS - now) if self._inputs else float("inf")

    def sample(self, *, in_pulse: bool) -> Iterator[Settled | InputFault]:
        """Read the lines that are due, and yield what is new. Each is to be dealt with as it comes."""
        now = self._clock()
        if now - self._sample_at < SAMPLE_SECONDS:
            return
        self._sample_at = now
        self._hung_in_pulse = self._hung_in_pulse and in_pulse
        if self._hung_in_pulse:
            return  # the next one may hang as well, and the pulse is to end in time
        quiet = True
        for name in [name for name, one in self._inputs.items() if one.failing_since is None]:
            began = self._clock()
            for news in self._look(name):
                quiet = False
                yield news
            if self._inputs[name].failing_since is not None and self._clock() - began >= _SLOW_SECONDS:
                self._hung_in_pulse = in_pulse
                return
        # What is new may have begun a pulse.
        if quiet and not in_pulse and (failing := self._longest_due(now)) is not None:
            yield from self._look(failing)

    def close(self) -> None:
        """Give the lines back."""
        self._switches.close()

    def _longest_due(self, now: float) -> str | None:
        failing = [(one.due_at, name) for name, one in self._inputs.items() if one.failing_since is not None]
        if now < self._failing_at or not failing:
            return None
        due_at, name = min(failing)
        return name if now >= due_at else None

    def _look(self, name: str) -> Iterator[Settled | InputFault]:
        """Read a line, however long that takes."""
        one, began = self._inputs[name], self._clock()
        try:
            level = self._switches.active(name)
        except LockError as exc:
            yield from self._failed(name, one, str(exc), since=began, took=self._clock() - began)
            return
        now = self._clock()
        if now - began < _SLOW_SECONDS:
            yield from self._read(name, one, level=level, now=now)
        else:
            took = now - began
            # Once may be this process, stopped or starved in between: the button and the fire alarm are heard
            # again at once. A line that was slow before, or another one not long ago, is let be.
            once = one.failing_since is None and now - self._slow_at > _rest_after(took)
            self._slow_at = now
            yield from self._failed(
                name, one, f"answers after {took:.1f} s", since=now, took=0.0 if once else took
            )

    def _failed(
        self, name: str, one: _Input, error: str, *, since: float, took: float
    ) -> Iterator[InputFault]:
        now = self._clock()
        one.sound_since = None
        if one.failing_since is None:
            one.failing_since = since
        told = one.faulty
        if not told and now - one.failing_since >= FAULT_SECONDS:
            logger.error("input cannot be read, the door goes on without it name=%s error=%s", name, error)
            one.faulty = True
        if one.faulty:
            # How it stands once it is back is no press: nobody saw it change.
            one.debounced = Debounced(one.bounce_seconds)
        one.due_at = now + (_FAULTY_AGAIN_SECONDS if one.faulty else _AGAIN_SECONDS)
        self._failing_at = max(self._failing_at, now + _rest_after(took))
        if one.faulty and not told:
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


def _rest_after(took: float) -> float:
    return min(_REST_FACTOR * took, _LONGEST_REST_SECONDS)
