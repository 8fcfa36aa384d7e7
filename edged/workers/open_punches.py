"""Punches whose door has not answered yet: one that the door refuses never happened.

A grant is recorded, with its punch, before the door is asked. Once the line has moved the punch stands.
Where the door refuses after all (too late, in the middle of a stop, a line that fails), the punch is taken
back by an event of its own, since what is recorded is never changed.
"""

import threading
from collections import OrderedDict, deque
from dataclasses import dataclass, replace

from edged.domain.attendance import AttendanceClock, Punch
from edged.domain.event_body import withdrawal_body
from edged.domain.types import Event, EventKind
from edged.workers.event_log import EventLog

# The door answers every request it took; more than its inbox and the period that runs are never open.
_MOST_OPEN = 16


@dataclass(frozen=True, slots=True)
class _Open:
    punch: Punch
    event: Event


class OpenPunches:
    """``answered`` may be called from any thread, the rest from the one that owns the time clock."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._lock = threading.Lock()
        self._open: OrderedDict[str, _Open] = OrderedDict()
        self._withdrawn: deque[Punch] = deque()

    def add(self, punch: Punch, event: Event, access_event_id: str) -> None:
        """Remember a recorded punch until the door has answered; before the door is asked."""
        with self._lock:
            self._open[access_event_id] = _Open(punch, event)
            while len(self._open) > _MOST_OPEN:
                self._open.popitem(last=False)

    def answered(self, access_event_id: str, *, unlocked: bool, reason: str | None) -> None:
        """Let the punch of a grant stand, or take it back."""
        with self._lock:
            found = self._open.pop(access_event_id, None)
        if found is None or unlocked:
            return
        body = withdrawal_body(found.event, reason or "refused")
        event = self._log.event(EventKind.ATTENDANCE, body, person_id=found.punch.person_id)
        # Beside the punch in every window of time that somebody asks for.
        self._log.record(replace(event, occurred_at=found.event.occurred_at))
        self._withdrawn.append(found.punch)

    def settle(self, clock: AttendanceClock | None) -> None:
        """Let the time clock forget what was taken back, so that the next grant punches again."""
        while self._withdrawn:
            punch = self._withdrawn.popleft()
            if clock is not None:
                clock.withdraw(punch)
