"""The door as a whole: leaf, lock line, alarms and emergency, one step at a time.

``edged.domain.door`` says how long one unlocked period lasts; this says what may begin one, what an open
leaf means, and what is worth a record. The line is released in two cases alone: a period that a grant or
the exit button began, and an emergency, which the fire input begins and only a reset by hand ends, once
the fire input is quiet. Every other signal, whatever its order, leaves the line secure or makes it so.

===========  ====================================================================================
condition    what it is
===========  ====================================================================================
locked       secure, the leaf is shut
granted      a period runs, the leaf is shut
open         the leaf was opened rightfully: in a period, on the way out, or in an emergency
held         the same, and it has been open for longer than it may
forced       the leaf was opened while the line was secure and nobody had asked to leave
emergency    the fire input was active; released until it is reset
===========  ====================================================================================
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from edged.domain.door import DoorState, Locked, PulseLimits, Unlocked, grant, is_over, lock

# Somebody who pulls as the bolt falls, and a contact that is debounced for some tens of milliseconds.
OPEN_GRACE_SECONDS = 1.0


class Condition(StrEnum):
    """What the door is in; see the module."""

    LOCKED = "locked"
    GRANTED = "granted"
    OPEN = "open"
    HELD = "held"
    FORCED = "forced"
    EMERGENCY = "emergency"


class Signal(StrEnum):
    """What may come from outside. ``TICK`` is nothing but the time."""

    TICK = "tick"
    GRANT = "grant"
    EXIT = "exit"
    DROP = "drop"  # the reader that a period belongs to is gone
    SECURE = "secure"
    OPENED = "opened"
    SHUT = "shut"
    FIRE = "fire"
    FIRE_OVER = "fire_over"
    RESET = "reset"
    TAMPER = "tamper"
    TAMPER_OVER = "tamper_over"


class Act(StrEnum):
    """What is worth a record; the types of the events."""

    UNLOCKED = "unlocked"
    LOCKED = "locked"
    NEVER_OPENED = "never_opened"
    EXIT = "exit"
    OPENED = "opened"
    SHUT = "shut"
    HELD_OPEN_SOON = "held_open_soon"
    HELD_OPEN = "held_open"
    HELD_OPEN_OVER = "held_open_over"
    FORCED_OPEN = "forced_open"
    FORCED_OPEN_OVER = "forced_open_over"
    EMERGENCY = "emergency"
    EMERGENCY_OVER = "emergency_over"
    RESET_REFUSED = "reset_refused"
    TAMPER = "tamper"
    TAMPER_OVER = "tamper_over"
    INPUT_FAULT = "input_fault"  # told by whoever reads the inputs; the reason names the one
    INPUT_FAULT_OVER = "input_fault_over"


@dataclass(frozen=True, slots=True)
class Holder:
    """On whose account a period runs: ``request`` is the event that granted it, ``reader`` who asked.

    Of the exit button both are None.
    """

    cause: str
    request: str | None = None
    reader: str | None = None


EXIT_BUTTON = Holder("exit")


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that happened; ``held_seconds`` is how long the line had been released by then."""

    act: Act
    holder: Holder | None = None
    held_seconds: float = 0.0
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class DoorLimits:
    """How long things may last, in seconds; ``has_contact`` is whether the leaf is watched at all.

    With ``exit_unlocks`` the exit button releases the line; without, it only makes the opening rightful,
    for a door whose handle opens it from within.
    """

    pulse: PulseLimits
    has_contact: bool = False
    soon_seconds: float = 20.0
    held_seconds: float = 30.0
    exit_unlocks: bool = True
    grace_seconds: float = OPEN_GRACE_SECONDS


@dataclass(frozen=True, slots=True)
class Doorway:
    """Everything that is known of the door; times are monotonic seconds.

    ``rightful_until`` is until when an opening is no break-in though the line is secure; ``unused_at`` when
    a period that has ended counts as never used; ``open_since`` when the leaf was last opened or granted.
    """

    pulse: DoorState = field(default_factory=Locked)
    holder: Holder | None = None
    leaf_open: bool = False
    rightful: bool = True
    open_since: float = 0.0
    warned: bool = False
    held: bool = False
    used: bool = False
    unused_at: float | None = None
    rightful_until: float = float("-inf")
    exit_waits: bool = False
    fire: bool = False
    emergency: bool = False
    tampered: bool = False

    @property
    def released(self) -> bool:
        """Whether the line has to stand at its unlocked level."""
        return self.emergency or isinstance(self.pulse, Unlocked)

    @property
    def condition(self) -> Condition:
        """What the door is in; of two that hold, the one that matters more."""
        if self.emergency:
            return Condition.EMERGENCY
        if self.leaf_open and not self.rightful:
            return Condition.FORCED
        if self.leaf_open:
            return Condition.HELD if self.held else Condition.OPEN
        return Condition.GRANTED if isinstance(self.pulse, Unlocked) else Condition.LOCKED

    def resting(self, now: float) -> bool:
        """Whether the bolt still falls: no period may begin yet."""
        return isinstance(self.pulse, Locked) and now < self.pulse.rests_until


Step = tuple[Doorway, tuple[Happening, ...]]


def step(door: Doorway, signal: Signal, now: float, limits: DoorLimits, holder: Holder | None = None) -> Step:
    """Return the door after ``signal`` at ``now``, and what happened, in order.

    What time alone brings comes first: a grant at the deadline of a period does not revive it. ``holder``
    goes with ``GRANT`` and ``DROP``.
    """
    door, passed = _tick(door, now, limits)
    door, happened = _STEPS[signal](door, now, limits, holder)
    return door, (*passed, *happened)


def due_in(door: Doorway, now: float, limits: DoorLimits) -> float:
    """Return the seconds until time alone changes something; infinity where it never will."""
    times = []
    if isinstance(door.pulse, Unlocked):
        times.append(door.pulse.relock_at)
    elif door.exit_waits:
        times.append(door.pulse.rests_until)
    if door.unused_at is not None:
        times.append(door.unused_at)
    if _counts_as_held(door):
        times += [door.open_since + limits.soon_seconds] if not door.warned else []
        times += [door.open_since + limits.held_seconds] if not door.held else []
    return max(0.0, min(times) - now) if times else float("inf")


def _tick(door: Doorway, now: float, limits: DoorLimits) -> Step:
    happened: list[Happening] = []
    if isinstance(door.pulse, Unlocked) and is_over(door.pulse, now):
        door, ended = _relock(door, now, limits, None)
        happened += ended
    if door.unused_at is not None and now >= door.unused_at:
        happened.append(Happening(Act.NEVER_OPENED, door.holder))
        door = replace(door, unused_at=None)
    if door.exit_waits and not door.resting(now):
        door, begun = _begin(replace(door, exit_waits=False), now, limits, EXIT_BUTTON)
        happened += begun
    if _counts_as_held(door):
        open_for = now - door.open_since
        if not door.warned and open_for >= limits.soon_seconds:
            door = replace(door, warned=True)
            happened.append(Happening(Act.HELD_OPEN_SOON))
        if not door.held and open_for >= limits.held_seconds:
            door = replace(door, held=True)
            happened.append(Happening(Act.HELD_OPEN))
    return door, tuple(happened)


def _counts_as_held(door: Doorway) -> bool:
    return door.leaf_open and door.rightful and not door.emergency


def _relock(door: Doorway, now: float, limits: DoorLimits, reason: str | None) -> Step:
    """End the period that runs, whatever its deadline."""
    if not isinstance(door.pulse, Unlocked):
        return door, ()
    ended = Happening(Act.LOCKED, door.holder, now - door.pulse.started_at, reason)
    unused = limits.has_contact and not door.used
    locked = replace(
        door,
        pulse=lock(now, limits.pulse),
        unused_at=now + limits.grace_seconds if unused else None,
        rightful_until=now + limits.grace_seconds,
    )
    return locked, (ended,)


def _begin(door: Doorway, now: float, limits: DoorLimits, holder: Holder | None) -> Step:
    """Begin a period, or extend the one that runs; nothing at rest or in an emergency."""
    if holder is None or door.emergency or door.resting(now):
        return door, ()
    held = now - door.pulse.started_at if isinstance(door.pulse, Unlocked) else 0.0
    fresh = isinstance(door.pulse, Locked)
    begun = replace(
        door,
        pulse=grant(door.pulse, now, limits.pulse),
        holder=holder,
        used=door.leaf_open or (door.used and not fresh),
        unused_at=None,
        open_since=now,  # whoever is let in may hold the door as long as the first one
    )
    before = () if door.unused_at is None else (Happening(Act.NEVER_OPENED, door.holder),)
    return begun, (*before, Happening(Act.UNLOCKED, holder, held))


def _exit(door: Doorway, now: float, limits: DoorLimits, _holder: Holder | None) -> Step:
    if not limits.exit_unlocks:
        until = max(door.rightful_until, now + limits.pulse.unlock_seconds)
        return replace(door, rightful_until=until, open_since=now), (Happening(Act.EXIT, EXIT_BUTTON),)
    if door.resting(now) and not door.emergency:
        return replace(door, exit_waits=True), ()
    return _begin(door, now, limits, EXIT_BUTTON)


def _drop(door: Doorway, now: float, limits: DoorLimits, holder: Holder | None) -> Step:
    owned = door.holder is not None and holder is not None and door.holder.reader == holder.reader
    return _relock(door, now, limits, "reader_gone") if owned else (door, ())


def _opened(door: Doorway, now: float, _limits: DoorLimits, _holder: Holder | None) -> Step:
    if door.leaf_open:
        return door, ()
    rightful = door.released or now <= door.rightful_until
    by = door.holder if isinstance(door.pulse, Unlocked) or door.unused_at is not None else None
    opened = replace(
        door, leaf_open=True, rightful=rightful, open_since=now, warned=False, held=False, used=True,
        unused_at=None,
    )  # fmt: skip
    return opened, (Happening(Act.OPENED, by) if rightful else Happening(Act.FORCED_OPEN),)


def _shut(door: Doorway, _now: float, _limits: DoorLimits, _holder: Holder | None) -> Step:
    if not door.leaf_open:
        return door, ()
    happened = [Happening(Act.SHUT)]
    if door.held:
        happened.append(Happening(Act.HELD_OPEN_OVER))
    if not door.rightful:
        happened.append(Happening(Act.FORCED_OPEN_OVER))
    return replace(door, leaf_open=False, rightful=True, warned=False, held=False), tuple(happened)


def _fire(door: Doorway, _now: float, _limits: DoorLimits, _holder: Holder | None) -> Step:
    begins = not door.emergency
    # A period that runs is part of it: the line does not move until the reset.
    door = replace(
        door, fire=True, emergency=True, pulse=Locked(), holder=None, unused_at=None, exit_waits=False
    )
    return door, (Happening(Act.EMERGENCY),) if begins else ()


def _reset(door: Doorway, now: float, limits: DoorLimits, _holder: Holder | None) -> Step:
    if not door.emergency:
        return door, ()
    if door.fire:
        return door, (Happening(Act.RESET_REFUSED, reason="fire_input_active"),)
    # Who stands in the open door is no burglar, and gets the time that anybody gets.
    door = replace(
        door, emergency=False, pulse=lock(now, limits.pulse), rightful=True, open_since=now, warned=False,
        held=False, rightful_until=now + limits.grace_seconds,
    )  # fmt: skip
    return door, (Happening(Act.EMERGENCY_OVER),)


def _tamper(door: Doorway, _now: float, _limits: DoorLimits, _holder: Holder | None) -> Step:
    return replace(door, tampered=True), () if door.tampered else (Happening(Act.TAMPER),)


def _tamper_over(door: Doorway, _now: float, _limits: DoorLimits, _holder: Holder | None) -> Step:
    return replace(door, tampered=False), (Happening(Act.TAMPER_OVER),) if door.tampered else ()


_STEPS: Mapping[Signal, Callable[[Doorway, float, DoorLimits, Holder | None], Step]] = {
    Signal.TICK: lambda door, _now, _limits, _holder: (door, ()),
    Signal.GRANT: _begin,
    Signal.EXIT: _exit,
    Signal.DROP: _drop,
    Signal.SECURE: lambda door, now, limits, _holder: _relock(door, now, limits, "secured"),
    Signal.OPENED: _opened,
    Signal.SHUT: _shut,
    Signal.FIRE: _fire,
    Signal.FIRE_OVER: lambda door, _now, _limits, _holder: (replace(door, fire=False), ()),
    Signal.RESET: _reset,
    Signal.TAMPER: _tamper,
    Signal.TAMPER_OVER: _tamper_over,
}
