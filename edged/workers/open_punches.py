"""Punches whose door has not answered yet: one that the door refuses never happened.

A grant is recorded, with its punch, before the door is asked. Once the line has moved the punch stands.
Where the door refuses after all (too late, in the middle of a stop, a line that fails), the punch is taken
back by an event of its own, since what is recorded is never changed.
"""

import logging
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

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


class Telling(Protocol):
    """The door; ``workers.door_link.DoorLink`` is the one that may be away."""

    @property
    def caught_up(self) -> bool:
        """Whether what the door did before this start is in the journal."""


class LeftOpen:
    """What the last start left open, looked at once the door has told all that it knows of it.

    A door process may be away when the daemon starts, and with it the word that it did open. Make this before
    the time clock learns from the journal; ``on_late`` is called where a punch was taken back after that.
    """

    def __init__(self, journal: Path, log: EventLog, door: Telling, on_late: Callable[[], None]) -> None:
        self._journal = journal
        self._log = log
        self._door = door
        self._done = False
        self._on_late: Callable[[], None] = lambda: None
        self.look()
        self._on_late = on_late

    def look(self) -> None:
        """Take back what was never answered, once that is known; cheap to call often."""
        if self._done or not self._door.caught_up:
            return
        self._done = True
        if withdraw_unanswered(self._journal, self._log):
            self._on_late()


def withdraw_unanswered(journal: Path, log: EventLog) -> list[Event]:
    """Take back the punches of the last start whose door never answered; return the withdrawals.

    The power went, or the process was killed, between the commit of a grant and the door's answer.
    """
    try:
        with JournalReader.open(journal) as reader:
            newest = list(reader.events(after_seq=max(0, reader.last_seq() - _NEWEST_EVENTS)))
    except StoreError as exc:
        # A damaged row may have been the door's answer: then every punch stands.
        logger.warning("open punches not looked for error=%s", exc)
        return []
    taken_back = []
    for punched in unanswered(newest, log.boot_id):
        logger.warning("punch taken back, the door never answered event=%s", punched.event_id)
        event = log.event(
            EventKind.ATTENDANCE, withdrawal_body(punched, "not_answered"), person_id=punched.person_id
        )
        taken_back.append(_beside(event, punched))
    if taken_back and log.record_within(_WRITE_SECONDS, *taken_back) is Written.FAILED:
        log.keep(*taken_back)
    return taken_back


def unanswered(newest: Iterable[StoredEvent], boot_id: str | None = None) -> list[Event]:
    """Return the standing punches of the last start in ``newest`` (by seq) that no door event answers.

    The last start before the one of ``boot_id``, which is going on.
    Behind a storage that lost rows nothing is known of the door, so what stands before it stands.
    """
    events = [stored.event for stored in newest]
    news = (index for index, event in enumerate(events) if event.body.get("type") in _STORAGE_NEWS)
    events = events[max(news, default=-1) + 1 :]
    punched = (event.boot_id for event in reversed(events) if event.kind is EventKind.ATTENDANCE)
    boot = next((boot for boot in punched if boot != boot_id), None)
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
