"""The keeper of the door: takes grants and switches, moves the line, says what happened.

What may happen is decided in ``edged.domain.doorway``; here the line follows it. One thread calls it. The
line moves before anything is told, and whatever fails secures it.
"""

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from edged.config.sections import DoorConfig
from edged.devices.lock import DoorLock
from edged.domain.door import PulseLimits, Unlocked
from edged.domain.doorway import Act, DoorLimits, Doorway, Happening, Holder, Signal, due_in, step
from edged.domain.throttle import Throttle, ThrottleLimits
from edged.doorway.inputs import InputFault, Inputs, Readable, Settled
from edged.doorway.messages import Unlock
from edged.errors import LockError

logger = logging.getLogger(__name__)

INBOX = 2
# As in edged.workers.door: ten times what a waiting process oversleeps on an idle machine.
OVERRUN_SECONDS = 0.05
_FLOOD_QUIET_SECONDS = 10.0

_SIGNALS: dict[str, tuple[Signal | None, Signal | None]] = {  # when it becomes active, when it ceases to be
    "exit": (Signal.EXIT, None),
    "contact": (Signal.OPENED, Signal.SHUT),
    "fire": (Signal.FIRE, Signal.FIRE_OVER),
    "tamper": (Signal.TAMPER, Signal.TAMPER_OVER),
    "reset": (Signal.RESET, None),
}
# Buttons: one that is stuck when the door process starts, or when it can be read again, is no press.
_EDGES = ("exit", "reset")


@dataclass(frozen=True, slots=True)
class Refusal:
    """The answer to a grant that did not move the line."""

    reader: str
    request: str
    result: Literal["refused", "failed"]
    reason: str
    at: float


class Listener(Protocol):
    """Who is told; ``doorway.ledger`` writes it down for the readers."""

    def happened(self, happening: Happening, at: float) -> None:
        """Hear what happened, at ``at``."""

    def refused(self, refusal: Refusal) -> None:
        """Hear that a grant did not move the line."""

    def alarm(self, what: str) -> None:
        """Hear that something is wrong with who asks or with the door itself."""


class Keeper:
    """``lock`` and ``switches`` are its own from here on. ``clock`` is monotonic seconds."""

    def __init__(
        self,
        lock: DoorLock,
        switches: Readable,
        config: DoorConfig,
        listener: Listener,
        clock: Callable[[], float],
        *,
        emergency: bool = False,
    ) -> None:
        self._lock = lock
        self._inputs = Inputs(switches, config.inputs, clock)
        self._listener = listener
        self._clock = clock
        self._config = config
        self._limits = limits_of(config)
        self._max_age_seconds = config.max_grant_age_ms / 1000
        self._throttle = Throttle(ThrottleLimits(config.max_requests, config.max_unlocked_share))
        self._inbox: deque[tuple[str, Unlock]] = deque()
        self._flooded_at = float("-inf")
        self._sealed = False
        self._guarded = True
        self._leaf_seen = False
        self.door = Doorway(emergency=emergency)
        if emergency:
            self._lock.unlock()
            # The line moves, so there is a record of it, which says that no fire was seen now.
            self._listener.happened(Happening(Act.EMERGENCY, reason="latched"), self._clock())

    @property
    def has_contact(self) -> bool:
        """Whether the leaf is watched: there is a contact, and it can be read."""
        return self._limits.has_contact

    @property
    def faulty(self) -> tuple[str, ...]:
        """Which inputs cannot be read, and ``guard`` where that is gone."""
        return self._inputs.faulty if self._guarded else (*self._inputs.faulty, "guard")

    def request(self, reader: str, wanted: Unlock) -> None:
        """Hear a grant of ``reader``. It is answered at once, or at the next ``turn`` that has room."""
        now = self._clock()
        if not self._throttle.admits(now):
            self._refuse(reader, wanted, "rate_limited")
            if now - self._flooded_at > _FLOOD_QUIET_SECONDS:
                self._listener.alarm("request_flood")
            self._flooded_at = now
        elif len(self._inbox) >= INBOX:
            self._refuse(reader, wanted, "queue_full")
        else:
            self._inbox.append((reader, wanted))

    def drop(self, reader: str) -> None:
        """End what ``reader`` was granted: it is gone, hangs, or asks for it. Raises ``LockError``."""
        for waiting in tuple(self._inbox):
            if waiting[0] == reader:
                self._inbox.remove(waiting)
                self._refuse(*waiting, "reader_gone")
        self._step(Signal.DROP, holder=Holder("", reader=reader))

    def reset(self) -> None:
        """End an emergency, as the reset input does."""
        self._step(Signal.RESET)

    def guard_gone(self) -> None:
        """Hear that nobody would secure the line if this process died in mid-pulse; told once."""
        if self._guarded:
            self._guarded = False
            self._listener.alarm("guard_gone")

    def turn(self) -> None:
        """Relock if it is time, read the switches, answer a grant. Raises ``LockError``."""
        self._step(Signal.TICK)
        self._sample()
        now = self._clock()
        if self._inbox and not self.door.resting(now):
            self._admit(*self._inbox.popleft())

    def due_in(self) -> float:
        """Return the seconds until ``turn`` has to be called again."""
        now = self._clock()
        due = due_in(self.door, now, self._limits)
        if self._inbox:
            due = min(due, 0.01)
        return min(due, self._inputs.due_in(now))

    def close(self) -> None:
        """Secure the line whatever the door is in, answer what waits, give every line back.

        Raises ``LockError`` where the line is not secure.
        """
        self._sealed = True
        self.door = replace(self.door, exit_waits=False)
        while self._inbox:
            self._refuse(*self._inbox.popleft(), "stopping")
        try:
            if self.door.emergency:
                self._lock.secure()
            else:
                self._step(Signal.SECURE)
        finally:
            try:
                self._lock.close()
            finally:
                self._inputs.close()

    def _admit(self, reader: str, wanted: Unlock) -> None:
        now = self._clock()
        reason = self._reason_against(wanted, now)
        if reason is not None:
            self._refuse(reader, wanted, reason)
            return
        try:
            self._step(Signal.GRANT, holder=Holder(wanted.cause, wanted.request, reader))
        except LockError:
            self._refuse(reader, wanted, "line_failed", result="failed")
            raise

    def _reason_against(self, wanted: Unlock, now: float) -> str | None:
        if self._sealed:
            return "stopping"
        if self.door.emergency:
            return "emergency"
        if not 0 <= now - wanted.granted_at <= self._max_age_seconds:
            return "stale"
        pulse = self.door.pulse
        since = pulse.started_at if isinstance(pulse, Unlocked) else None
        if not self._throttle.affords(now, since, self._limits.pulse.unlock_seconds):
            return "unlocked_too_much"
        return None

    def _sample(self) -> None:
        in_pulse = isinstance(self.door.pulse, Unlocked)
        for news in self._inputs.sample(in_pulse=in_pulse):
            if isinstance(news, InputFault):
                self._faulted(news)
            elif not (news.first and news.name in _EDGES):
                self._switched(news)

    def _switched(self, input_: Settled) -> None:
        signal = _SIGNALS[input_.name][0 if input_.active else 1]
        now, seen = self._clock(), self._leaf_seen
        self._leaf_seen = seen or input_.name == "contact"
        if signal is Signal.OPENED and input_.first and self.door.leaf_open:
            self.door = replace(self.door, open_since=now)  # nobody saw whether it was open all the time
        elif signal is Signal.OPENED and input_.first:
            # Who opened it before there was anybody to see is not known: no burglar is made of it.
            self.door = replace(self.door, leaf_open=True, rightful=True, open_since=now, used=True)
            if seen:
                # It was shut when the contact failed. At the start it may be open for days already.
                self._listener.happened(Happening(Act.OPENED, reason="found_open"), now)
        elif signal is not None:
            self._step(signal)

    def _faulted(self, fault: InputFault) -> None:
        """Tell of an input that cannot be read. Of a leaf that nobody sees nothing is said meanwhile."""
        if fault.name == "contact":
            self._limits = limits_of(self._config, contact_works=fault.over)
            self.door = replace(self.door, unused_at=None)
        act = Act.INPUT_FAULT_OVER if fault.over else Act.INPUT_FAULT
        self._listener.happened(Happening(act, reason=fault.name), self._clock())

    def _step(self, signal: Signal, *, holder: Holder | None = None) -> None:
        before, now = self.door, self._clock()
        after, happenings = step(before, signal, now, self._limits, holder)
        self._move(before, after, holder)
        self.door = after
        at = self._clock()
        self._account(before, after, now, at)
        for happening in happenings:
            self._listener.happened(happening, at)

    def _move(self, before: Doorway, after: Doorway, holder: Holder | None) -> None:
        """Let the line follow. A line that does not obey is secured, and the error goes on."""
        if before.released == after.released:
            return
        try:
            self._lock.unlock() if after.released else self._lock.secure()
        except LockError:
            logger.exception("the line does not obey cause=%s", None if holder is None else holder.cause)
            try:
                self._lock.secure()
            finally:
                self._listener.alarm("line_failed")
            self.door = Doorway(leaf_open=before.leaf_open, tampered=before.tampered)
            raise

    def _account(self, before: Doorway, after: Doorway, now: float, at: float) -> None:
        """Count a period that ended, and one that ended late."""
        if not isinstance(before.pulse, Unlocked) or after.pulse == before.pulse:
            return
        if isinstance(after.pulse, Unlocked) and after.pulse.started_at == before.pulse.started_at:
            return
        if before.holder is not None and before.holder.reader is not None:
            self._throttle.ended(before.pulse.started_at, now)
        if at - before.pulse.relock_at > OVERRUN_SECONDS and not after.emergency:
            logger.warning("door relocked late by_ms=%.0f", 1000 * (at - before.pulse.relock_at))
            self._listener.alarm("relocked_late")

    def _refuse(
        self, reader: str, wanted: Unlock, reason: str, *, result: Literal["refused", "failed"] = "refused"
    ) -> None:
        self._listener.refused(Refusal(reader, wanted.request, result, reason, self._clock()))


def limits_of(config: DoorConfig, *, contact_works: bool = True) -> DoorLimits:
    """Return the limits that a configuration asks for; a contact that does not work counts as none."""
    contact, button = config.inputs.contact if contact_works else None, config.inputs.exit
    return DoorLimits(
        PulseLimits(config.unlock_seconds, config.max_unlock_seconds),
        has_contact=contact is not None,
        soon_seconds=float("inf") if contact is None else contact.warn_after_seconds,
        held_seconds=float("inf") if contact is None else contact.alarm_after_seconds,
        exit_unlocks=button is None or button.unlocks,
    )
