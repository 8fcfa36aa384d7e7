"""A keeper with a line, switches and a clock that do what a test wants, and somebody who is told."""

from dataclasses import dataclass, field
from typing import Any

import msgspec

from edged.config.sections import DoorConfig
from edged.domain.doorway import Happening
from edged.doorway.keeper import Keeper, Refusal
from edged.doorway.messages import Unlock
from edged.errors import LockError

PULSE, TURN = 3.0, 0.02


class Line:
    """A lock line; ``disobeys`` names the orders that fail. A failed order may still have moved the line."""

    name = "a line"

    def __init__(self) -> None:
        self.unlocked = False
        self.orders: list[str] = []
        self.disobeys: list[str] = []
        self.slow_seconds = 0.0
        self.clock: Clock | None = None
        self.closed = False

    def unlock(self) -> None:
        """Release it."""
        self._order("unlock", unlocked=True)

    def secure(self) -> None:
        """Secure it."""
        self._order("secure", unlocked=False)

    def close(self) -> None:
        """Secure and give back."""
        if not self.closed:
            self.closed = True
            self.secure()

    def _order(self, what: str, *, unlocked: bool) -> None:
        self.orders.append(what)
        if self.clock is not None:
            self.clock.now += self.slow_seconds
        if what in self.disobeys:
            self.disobeys.remove(what)
            self.unlocked = True  # the worst that a failure may leave
            raise LockError("the line does not obey")
        self.unlocked = unlocked


@dataclass
class Clock:
    """Monotonic seconds that pass when a test says so."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


class Wires:
    """Switches: ``levels`` by name; those in ``broken`` cannot be read. ``hung_seconds`` in all."""

    def __init__(self, clock: Clock, *names: str) -> None:
        self.levels = dict.fromkeys(names, False)
        self.broken: set[str] = set()
        self.hung_seconds = 0.0
        self._clock = clock
        self._hung: set[str] = set()
        self._each_seconds = 0.0

    def hang(self, names: set[str], seconds: float, *, answers: bool = False) -> None:
        """Let each read of ``names`` take so long, and fail unless it ``answers``."""
        self._hung, self._each_seconds = names, seconds
        self.broken = set() if answers else set(names)

    @property
    def names(self) -> tuple[str, ...]:
        """Which there are."""
        return tuple(self.levels)

    def active(self, name: str) -> bool:
        """Whether it is active. Raises ``LockError``."""
        if name in self._hung:
            self._clock.now += self._each_seconds
            self.hung_seconds += self._each_seconds
        if name in self.broken:
            raise LockError(f"door.inputs.{name}: cannot be read")
        return self.levels[name]

    def close(self) -> None:
        """Nothing to give back."""


@dataclass
class Told:
    """A listener that remembers."""

    happenings: list[Happening] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    alarms: list[str] = field(default_factory=list)

    def happened(self, happening: Happening, at: float) -> None:
        """Remember what happened."""
        del at
        self.happenings.append(happening)

    def refused(self, refusal: Refusal) -> None:
        """Remember a refusal."""
        self.refusals.append(refusal)

    def alarm(self, what: str) -> None:
        """Remember an alarm."""
        self.alarms.append(what)

    @property
    def acts(self) -> list[str]:
        """What happened, without its particulars."""
        return [happening.act.value for happening in self.happenings]

    @property
    def reasons(self) -> list[str]:
        """Why grants were refused."""
        return [refusal.reason for refusal in self.refusals]


class Bench:
    """The keeper and all around it."""

    def __init__(self, *inputs: str, emergency: bool = False, **door: Any) -> None:
        self.line, self.clock, self.told = Line(), Clock(), Told()
        self.wires = Wires(self.clock, *inputs)
        self.line.clock = self.clock
        wired = {name: {"chip": "c", "line": 1, "active": "high", "debounce_ms": 30} for name in inputs}
        lock = {"driver": "fake"}
        config = msgspec.convert(
            {"lock": lock, "unlock_seconds": PULSE, "inputs": wired, **door}, DoorConfig, strict=False
        )
        self.keeper = Keeper(self.line, self.wires, config, self.told, self.clock, emergency=emergency)

    def ask(self, request: str = "R1", *, reader: str = "front") -> None:
        """Ask for the door, at this moment."""
        self.keeper.request(reader, Unlock(request=request, cause="face", granted_at=self.clock.now))

    def grant(self) -> None:
        """Ask, and let the keeper turn until the line is released."""
        self.ask()
        self.keeper.turn()
        assert self.line.unlocked

    def run(self, seconds: float) -> None:
        """Let time pass, turn by turn."""
        until = self.clock.now + seconds
        while self.clock.now < until:
            self.clock.now += TURN
            self.keeper.turn()

    def set(self, name: str, *, active: bool, seconds: float = 0.1) -> None:
        """Put a level on a wire and let it settle."""
        self.wires.levels[name] = active
        self.run(seconds)
