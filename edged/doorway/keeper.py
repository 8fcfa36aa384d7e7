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
from edged.devices.gpio_lines import Switches
from edged.devices.lock import DoorLock
from edged.domain.debounce import Debounced
from edged.domain.door import PulseLimits, Unlocked
from edged.domain.doorway import DoorLimits, Doorway, Happening, Holder, Signal, due_in, step
from edged.domain.throttle import Throttle, ThrottleLimits
from edged.doorway.messages import Unlock
from edged.errors import LockError

logger = logging.getLogger(__name__)

INBOX = 2
# As in edged.workers.door: ten times what a waiting process oversleeps on an idle machine.
OVERRUN_SECONDS = 0.05
# A press of a button lasts 50 ms at least; two samples fall into it.
SAMPLE_SECONDS = 0.02
_FLOOD_QUIET_SECONDS = 10.0

_SIGNALS: dict[str, tuple[Signal | None, Signal | None]] = {  # when it becomes active, when it ceases to be
    "exit": (Signal.EXIT, None),
    "contact": (Signal.OPENED, Signal.SHUT),
    "fire": (Signal.FIRE, Signal.FIRE_OVER),
    "tamper": (Signal.TAMPER, Signal.TAMPER_OVER),
    "reset": (Signal.RESET, None),
}
# Buttons: one that is stuck when the door process starts is no press.
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
        switches: Switches,
        config: DoorConfig,
        listener: Listener,
        clock: Callable[[], float],
        *,
        emergency: bool = False,
    ) -> None:
        self._lock = lock
        self._switches = switches
        self._listener = listener
        self._clock = clock
        self._limits = limits_of(config)
        self._max_age_seconds = config.max_grant_age_ms / 1000
        self._throttle = Throttle(ThrottleLimits(config.max_requests, config.max_unlocked_share))
        self._debounced = {
            name: Debounced(getattr(config.inputs, name).debounce_ms / 1000) for name in switches.names
        }
        self._inbox: deque[tuple[str, Unlock]] = deque()
        self._sample_at = float("-inf")
        self._flooded_at = float("-inf")
        self._sealed = False
        self.door = Doorway(emergency=emergency)
        if emergency:
            self._lock.unlock()

    @property
    def has_contact(self) -> bool:
        """Whether the leaf is watched."""
        return self._limits.has_contact

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
        if self._switches.names:
            due = min(due, max(0.0, self._sample_at + SAMPLE_SECONDS - now))
        return due

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
                self._switches.close()

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
        now = self._clock()
        if now - self._sample_at < SAMPLE_SECONDS:
            return
        self._sample_at = now
        for name, switch in self._debounced.items():
            first = switch.settled is None
            if not switch.feed(self._switches.active(name), now):
                continue
            if first and (not switch.settled or name in _EDGES):
                continue  # how it stood at the start; what is at rest then is no news
            self._switched(name, active=bool(switch.settled), first=first)

    def _switched(self, name: str, *, active: bool, first: bool) -> None:
        signal = _SIGNALS[name][0 if active else 1]
        if name == "contact" and first:
            # Who opened it before there was anybody to see is not known: no burglar is made of it.
            now = self._clock()
            self.door = replace(self.door, leaf_open=True, rightful=True, open_since=now, used=True)
        elif signal is not None:
            self._step(signal)

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
            self._lock.secure()
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


def limits_of(config: DoorConfig) -> DoorLimits:
    """Return the limits that a configuration asks for."""
    contact, button = config.inputs.contact, config.inputs.exit
    return DoorLimits(
        PulseLimits(config.unlock_seconds, config.max_unlock_seconds),
        has_contact=contact is not None,
        soon_seconds=float("inf") if contact is None else contact.warn_after_seconds,
        held_seconds=float("inf") if contact is None else contact.alarm_after_seconds,
        exit_unlocks=button is None or button.unlocks,
    )
