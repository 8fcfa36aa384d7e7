"""Punches whose door has not answered yet: one that the door refuses never happened.

A grant is recorded, with its punch, before the door is asked. Once the line has moved the punch stands.
Where the door refuses after all (too late, in the middle of a stop, a line that fails), the punch is taken
back by an event of its own, since what is recorded is never changed.
"""

import logging
import threading
from collections import OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from edged.domain.attendance import AttendanceClock, Punch
from edged.domain.event_body import withdrawal_body
from edged.domain.types import Event, EventKind, StoredEvent
from edged.errors import StoreError
from edged.storage.journal_reader import JournalReader
from edged.workers.event_log import EventLog, Written

logger = logging.getLogger(__name__)

# The door answers every request it took; more than its inbox and the period that runs are never open.
_MOST_OPEN = 16
# Only the end of the journal can hold a grant without its answer: the door answers within seconds.
_NEWEST_EVENTS = 500
_WRITE_SECONDS = 5.0
_STORAGE_NEWS = frozenset({"storage_damaged", "storage_recovered"})


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
        self._log.record(_beside(event, found.event))
        self._withdrawn.append(found.punch)

    def settle(self, clock: AttendanceClock | None) -> None:
        """Let the time clock forget what was taken back, so that the next grant punches again."""
        while self._withdrawn:
            punch = self._withdrawn.popleft()
            if clock is not None:
                clock.withdraw(punch)


def _beside(withdrawal: Event, punched: Event) -> Event:
    """Return ``withdrawal`` on the punch's clocks: in every window of time they stand together.

    Also once the time of the punch's start is corrected.
    """
    return replace(
        withdrawal,
        occurred_at=punched.occurred_at,
        monotonic_at=punched.monotonic_at,
        boot_id=punched.boot_id,
        time_synced=punched.time_synced,
    )


def withdraw_unanswered(journal: Path, log: EventLog) -> list[Event]:
    """Take back the punches of the last start whose door never answered; return the withdrawals.

    The power went, or the process was killed, between the commit of a grant and the door's answer. Call
    it before anything is granted, and before the time clock learns from the journal.
    """
    try:
        with JournalReader.open(journal) as reader:
            newest = list(reader.events(after_seq=max(0, reader.last_seq() - _NEWEST_EVENTS)))
    except StoreError as exc:
        # A damaged row may have been the door's answer: then every punch stands.
        logger.warning("open punches not looked for error=%s", exc)
        return []
    taken_back = []
    for punched in unanswered(newest):
        logger.warning("punch taken back, the door never answered event=%s", punched.event_id)
        event = log.event(
            EventKind.ATTENDANCE, withdrawal_body(punched, "not_answered"), person_id=punched.person_id
        )
        taken_back.append(_beside(event, punched))
    if taken_back and log.record_within(_WRITE_SECONDS, *taken_back) is Written.FAILED:
        log.keep(*taken_back)
    return taken_back


def unanswered(newest: Iterable[StoredEvent]) -> list[Event]:
    """Return the standing punches of the last start in ``newest`` (by seq) that no door event answers.

    Behind a storage that lost rows nothing is known of the door, so what stands before it stands.
    """
    events = [stored.event for stored in newest]
    news = (index for index, event in enumerate(events) if event.body.get("type") in _STORAGE_NEWS)
    events = events[max(news, default=-1) + 1 :]
    boot = next((event.boot_id for event in reversed(events) if event.kind is EventKind.ATTENDANCE), None)
    answered = {event.body.get("access_event_id") for event in events if event.kind is EventKind.DOOR}
    withdrawn = {event.body.get("withdraws") for event in events}
    return [
        event
        for event in events
        if event.kind is EventKind.ATTENDANCE
        and event.boot_id == boot
        and "withdraws" not in event.body
        and event.event_id not in withdrawn
        and event.body.get("access_event_id") not in answered
    ]
