"""The door's state machine: a table of what each signal does in each condition, and what never happens."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.domain.door import PulseLimits
from edged.domain.doorway import (
    Act,
    Condition,
    DoorLimits,
    Doorway,
    Happening,
    Holder,
    Signal,
    Step,
    due_in,
    step,
)

LIMITS = DoorLimits(PulseLimits(3.0, 10.0), has_contact=True, soon_seconds=20.0, held_seconds=30.0)
FACE = Holder("face", "R1", "in")
OTHER = Holder("face", "R2", "out")
START = 1000.0


def after(*signals: Signal, door: Doorway | None = None, limits: DoorLimits = LIMITS) -> Doorway:
    """The door after signals a tenth of a second apart, the last one at ``START``."""
    door = door or Doorway()
    for index, signal in enumerate(signals):
        door, _ = step(door, signal, START - 0.1 * (len(signals) - 1 - index), limits, FACE)
    return door


DOORS = {
    "locked": after(),
    "granted": after(Signal.GRANT),
    "open": after(Signal.GRANT, Signal.OPENED),
    "held": replace(after(Signal.GRANT, Signal.OPENED, Signal.SECURE), warned=True, held=True),
    "forced": after(Signal.OPENED),
    "emergency": after(Signal.FIRE),
    "quiet": after(Signal.FIRE, Signal.FIRE_OVER),
}

# condition before, signal -> condition after, whether the line is released, what happened
TABLE = [
    ("locked", Signal.TICK, "locked", False, []),
    ("locked", Signal.GRANT, "granted", True, [Act.UNLOCKED]),
    ("locked", Signal.EXIT, "granted", True, [Act.UNLOCKED]),
    ("locked", Signal.DROP, "locked", False, []),
    ("locked", Signal.SECURE, "locked", False, []),
    ("locked", Signal.OPENED, "forced", False, [Act.FORCED_OPEN]),
    ("locked", Signal.SHUT, "locked", False, []),
    ("locked", Signal.FIRE, "emergency", True, [Act.EMERGENCY]),
    ("locked", Signal.FIRE_OVER, "locked", False, []),
    ("locked", Signal.RESET, "locked", False, []),
    ("locked", Signal.TAMPER, "locked", False, [Act.TAMPER]),
    ("locked", Signal.TAMPER_OVER, "locked", False, []),
    ("granted", Signal.GRANT, "granted", True, [Act.UNLOCKED]),
    ("granted", Signal.EXIT, "granted", True, [Act.UNLOCKED]),
    ("granted", Signal.DROP, "locked", False, [Act.LOCKED]),
    ("granted", Signal.SECURE, "locked", False, [Act.LOCKED]),
    ("granted", Signal.OPENED, "open", True, [Act.OPENED]),
    ("granted", Signal.FIRE, "emergency", True, [Act.EMERGENCY]),
    ("granted", Signal.RESET, "granted", True, []),
    ("open", Signal.GRANT, "open", True, [Act.UNLOCKED]),
    ("open", Signal.DROP, "open", False, [Act.LOCKED]),
    ("open", Signal.SECURE, "open", False, [Act.LOCKED]),
    ("open", Signal.OPENED, "open", True, []),
    ("open", Signal.SHUT, "granted", True, [Act.SHUT]),
    ("open", Signal.FIRE, "emergency", True, [Act.EMERGENCY]),
    ("held", Signal.SHUT, "locked", False, [Act.SHUT, Act.HELD_OPEN_OVER]),
    ("held", Signal.FIRE, "emergency", True, [Act.EMERGENCY]),
    ("forced", Signal.GRANT, "forced", True, [Act.UNLOCKED]),
    ("forced", Signal.SHUT, "locked", False, [Act.SHUT, Act.FORCED_OPEN_OVER]),
    ("forced", Signal.FIRE, "emergency", True, [Act.EMERGENCY]),
    ("emergency", Signal.GRANT, "emergency", True, []),
    ("emergency", Signal.EXIT, "emergency", True, []),
    ("emergency", Signal.DROP, "emergency", True, []),
    ("emergency", Signal.SECURE, "emergency", True, []),
    ("emergency", Signal.OPENED, "emergency", True, [Act.OPENED]),
    ("emergency", Signal.FIRE, "emergency", True, []),
    ("emergency", Signal.FIRE_OVER, "emergency", True, []),
    ("emergency", Signal.RESET, "emergency", True, [Act.RESET_REFUSED]),
    ("quiet", Signal.RESET, "locked", False, [Act.EMERGENCY_OVER]),
    ("quiet", Signal.FIRE, "emergency", True, []),
]


@pytest.mark.parametrize(("before", "signal", "condition", "released", "acts"), TABLE)
def test_table(before: str, signal: Signal, condition: str, released: bool, acts: list[Act]) -> None:
    door, happened = step(DOORS[before], signal, START, LIMITS, FACE)
    assert (door.condition, door.released) == (condition, released)
    assert [happening.act for happening in happened] == acts


def test_the_table_begins_in_the_conditions_that_it_names() -> None:
    assert {name: door.condition.value for name, door in DOORS.items() if name != "quiet"} == {
        name: name for name in DOORS if name != "quiet"
    }
    assert DOORS["quiet"].condition is Condition.EMERGENCY


def at(door: Doorway, seconds: float, signal: Signal = Signal.TICK, limits: DoorLimits = LIMITS) -> Step:
    return step(door, signal, START + seconds, limits, FACE)


def test_a_period_ends_at_its_deadline_and_counts_as_unused_a_moment_later() -> None:
    door, happened = at(DOORS["granted"], 3.0)
    assert happened == (Happening(Act.LOCKED, FACE, 3.0),)
    assert due_in(door, START + 3.0, LIMITS) == pytest.approx(1.0)
    door, happened = at(door, 4.0)
    assert happened == (Happening(Act.NEVER_OPENED, FACE),)
    assert due_in(door, START + 4.0, LIMITS) == float("inf")


def test_without_a_contact_nobody_is_said_not_to_have_come() -> None:
    limits = replace(LIMITS, has_contact=False)
    door, _ = step(Doorway(), Signal.GRANT, START, limits, FACE)
    door, _ = at(door, 3.0, limits=limits)
    assert at(door, 9.0, limits=limits)[1] == ()


def test_who_pulls_as_the_bolt_falls_is_no_burglar() -> None:
    door, _ = at(DOORS["granted"], 3.0)
    door, happened = at(door, 3.9, Signal.OPENED)
    assert happened == (Happening(Act.OPENED, FACE),)
    assert at(door, 4.5)[1] == ()
    late, _ = at(DOORS["granted"], 3.0)
    assert at(late, 4.1, Signal.OPENED)[0].condition is Condition.FORCED


def test_a_door_that_stays_open_is_warned_of_then_alarmed_and_forgiven_with_each_grant() -> None:
    door, _ = at(DOORS["open"], 19.9)
    assert due_in(door, START + 19.9, LIMITS) == pytest.approx(0.1)
    door, happened = at(door, 20.0)
    assert [happening.act for happening in happened] == [Act.HELD_OPEN_SOON]
    again, _ = at(door, 25.0, Signal.GRANT)
    assert at(again, 40.0)[0].condition is Condition.OPEN
    door, happened = at(door, 30.0)
    assert [happening.act for happening in happened] == [Act.HELD_OPEN]
    assert door.condition is Condition.HELD
    assert at(door, 99.0)[1] == ()


def test_a_button_pressed_while_the_bolt_falls_opens_when_it_has_fallen() -> None:
    door, _ = at(DOORS["granted"], 1.0, Signal.SECURE)
    door, _ = at(door, 1.1, Signal.EXIT)
    assert not door.released
    assert due_in(door, START + 1.1, LIMITS) == pytest.approx(0.15)
    door, happened = at(door, 1.25)
    assert door.released
    assert happened[-1] == Happening(Act.UNLOCKED, Holder("exit"))


def test_a_button_that_does_not_unlock_makes_the_opening_rightful() -> None:
    limits = replace(LIMITS, exit_unlocks=False)
    door, happened = at(Doorway(), 0.0, Signal.EXIT, limits)
    assert not door.released
    assert [happening.act for happening in happened] == [Act.EXIT]
    assert at(door, 2.9, Signal.OPENED, limits)[0].condition is Condition.OPEN
    assert at(door, 3.1, Signal.OPENED, limits)[0].condition is Condition.FORCED


def test_a_reader_that_is_gone_takes_its_own_grant_alone() -> None:
    door = DOORS["granted"]
    assert step(door, Signal.DROP, START, LIMITS, Holder("", reader="out"))[0].released
    extended, _ = step(door, Signal.GRANT, START, LIMITS, OTHER)
    assert step(extended, Signal.DROP, START, LIMITS, Holder("", reader="in"))[0].released
    assert not step(extended, Signal.DROP, START, LIMITS, Holder("", reader="out"))[0].released
    pressed, _ = at(Doorway(), 0.0, Signal.EXIT)
    assert step(pressed, Signal.DROP, START, LIMITS, Holder("", reader="in"))[0].released


def test_a_grant_at_the_deadline_does_not_revive_the_period() -> None:
    door, happened = at(DOORS["granted"], 3.0, Signal.GRANT)
    assert not door.released
    assert [happening.act for happening in happened] == [Act.LOCKED]


def test_who_stands_in_the_door_at_the_reset_is_no_burglar() -> None:
    door, _ = at(DOORS["emergency"], 1.0, Signal.OPENED)
    door, _ = at(door, 2.0, Signal.FIRE_OVER)
    door, _ = at(door, 50.0, Signal.RESET)
    assert (door.condition, door.released) == (Condition.OPEN, False)
    assert [happening.act for happening in at(door, 81.0)[1]] == [Act.HELD_OPEN_SOON, Act.HELD_OPEN]


moves = st.lists(st.tuples(st.sampled_from(list(Signal)), st.floats(0, 8)), max_size=60)


@given(moves)
def test_whatever_comes_nothing_unlocks_unasked_and_nothing_for_too_long(
    sequence: list[tuple[Signal, float]],
) -> None:
    door, now = Doorway(), START
    released_since: float | None = None
    asked_at = float("-inf")
    for signal, seconds in sequence:
        # Time passes in steps as small as the loop's own; it is never late here.
        until = now + seconds
        while now < until:
            now = min(until, now + max(due_in(door, now, LIMITS), 1e-9))
            door, _ = step(door, Signal.TICK, now, LIMITS)
            released_since = _check(door, now, released_since, asked_at)
        if signal in (Signal.GRANT, Signal.EXIT):
            asked_at = now
        door, _ = step(door, signal, now, LIMITS, FACE)
        released_since = _check(door, now, released_since, asked_at)


def _check(door: Doorway, now: float, since: float | None, asked_at: float) -> float | None:
    if not door.released or door.emergency:
        return None
    if since is None:
        # A press waits for the bolt to fall, a quarter of a second at most.
        assert now - asked_at <= 0.25 + 1e-6
        return now
    assert now - since < LIMITS.pulse.max_unlock_seconds
    return since


@given(moves)
def test_whatever_comes_every_period_is_told_from_beginning_to_end(
    sequence: list[tuple[Signal, float]],
) -> None:
    door, now, running = Doorway(), START, False
    for signal, seconds in sequence:
        now += seconds
        door, happened = step(door, signal, now, LIMITS, FACE)
        for happening in happened:
            if happening.act is Act.UNLOCKED:
                running = True
            elif happening.act in (Act.LOCKED, Act.EMERGENCY):
                running = False
        assert running == (door.released and not door.emergency)
