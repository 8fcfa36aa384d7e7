"""The way of events to the journal, and the memory of those that did not arrive."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as WaitTimeoutError
from enum import Enum, auto
from typing import Any, Protocol

from ulid import ULID

from edged.devices.clock import Clock
from edged.domain.types import Event, EventKind, StoredEvent
from edged.errors import StoreError
from edged.metrics import Metrics
from edged.storage.journal import Journal

logger = logging.getLogger(__name__)

# A dead disk must not eat the memory: 1,000 visits are days of a small office.
_MAX_UNWRITTEN = 1000
_RETRY_SECONDS = 1.0
# A worn SD card may take hundreds of milliseconds for a write; one that takes seconds is dying.
_HUNG_SECONDS = 2.0


class Recorder(Protocol):
    """Where events go; ``storage.journal.Journal`` is the real one."""

    def submit(self, events: Sequence[Event]) -> Future[tuple[StoredEvent, ...]]:
        """Write all events in one transaction, without blocking the caller."""


class Written(Enum):
    """How far a record got in the time it was given."""

    YES = auto()
    LATER = auto()
    FAILED = auto()


def make_event(
    clock: Clock, boot_id: str, kind: EventKind, body: Mapping[str, Any], person_id: str | None = None
) -> Event:
    """Return an event of this moment."""
    return Event(
        event_id=str(ULID()),
        kind=kind,
        occurred_at=clock.unix(),
        monotonic_at=clock.monotonic(),
        boot_id=boot_id,
        time_synced=clock.synced(),
        person_id=person_id,
        body=body,
    )


def make_counted(  # noqa: PLR0917 - the first three are bound
    metrics: Metrics,
    clock: Clock,
    boot_id: str,
    kind: EventKind,
    body: Mapping[str, Any],
    person_id: str | None = None,
) -> Event:
    """Return an event of this moment; an alarm is counted, whether or not the disk will take it."""
    if kind is EventKind.ALARM:
        metrics.alarm(body["type"])
    return make_event(clock, boot_id, kind, body, person_id)


def reopen_damaged(journal: Journal) -> None:
    """Mend a journal that broke while it was written to, so that what waits in memory can be written.

    Only when nothing is delivered any more; see ``Journal.reopen``.
    """
    if not journal.damaged:
        return
    try:
        journal.reopen()
    except StoreError as exc:
        logger.error("journal not mended error=%s", exc)  # noqa: TRY400 - the disk is the fault


class EventLog:
    """Builds the events of this boot and keeps those that could not be written.

    ``on_recorded`` is called after each write, in whatever thread that was, and must not block.
    """

    def __init__(
        self,
        recorder: Recorder,
        metrics: Metrics,
        clock: Clock,
        boot_id: str,
        on_recorded: Callable[[], None] = lambda: None,
    ) -> None:
        self.on_recorded = on_recorded
        self.lost = 0  # events that nobody will see again
        self._lost_told = 0
        self._losing = threading.Lock()  # writes fail in the journal's thread and in those that record
        self.last_at: float | None = None  # Unix seconds of the newest event that is on disk
        self._recorder = recorder
        self._metrics = metrics
        self._clock = clock
        self.boot_id = boot_id
        self._unwritten: deque[tuple[Event, ...]] = deque()
        self._retry_at = float("-inf")
        self._late: tuple[float, Future[tuple[StoredEvent, ...]]] | None = None

    def event(self, kind: EventKind, body: Mapping[str, Any], *, person_id: str | None = None) -> Event:
        """Return a new event of now."""
        return make_counted(self._metrics, self._clock, self.boot_id, kind, body, person_id)

    def record(self, *events: Event) -> None:
        """Hand events to the journal; what fails is kept for ``retry``. Never blocks."""
        self._keep_on_failure(self._recorder.submit(events), events)

    def record_within(self, seconds: float, *events: Event) -> Written:
        """Wait up to ``seconds`` for the write.

        LATER: still being written, and kept if it fails. FAILED: not written and not kept. While a write
        that was LATER hangs for ``_HUNG_SECONDS``, the disk counts as dead and every further one fails.
        One thread calls this.
        """
        if self._hangs():
            logger.warning("the journal hangs, it counts as failed")
            self._metrics.journal_failures.inc(len(events))
            return Written.FAILED
        future = self._recorder.submit(events)
        try:
            future.result(seconds)
        except WaitTimeoutError:
            self._keep_on_failure(future, events)
            if self._late is None or self._late[1].done():
                self._late = (self._clock.monotonic(), future)
            return Written.LATER
        except StoreError as exc:
            self._metrics.journal_failures.inc(len(events))
            logger.warning("events not recorded error=%s", exc)
            return Written.FAILED
        self._recorded(events)
        return Written.YES

    def retry(self) -> None:
        """Offer the oldest unwritten events again, once a second while writes fail; call it often."""
        now = self._clock.monotonic()
        if self._unwritten and now >= self._retry_at:
            self._retry_at = now + _RETRY_SECONDS
            self.record(*self._unwritten.popleft())
        elif not self._unwritten:
            self._tell_lost()

    def retry_all(self) -> None:
        """Offer everything unwritten once more, without waiting; before the journal is closed."""
        for _ in range(len(self._unwritten)):
            self.record(*self._unwritten.popleft())
        self._tell_lost()

    def close(self) -> None:
        """Say how much is lost for good; after the journal was closed."""
        if self._unwritten:
            logger.error("events lost: %d writes failed until the end", len(self._unwritten))
        self._lose(sum(map(len, self._unwritten)))
        self._lost_told = self.lost  # here: nothing is recorded any more

    @property
    def unwritten(self) -> int:
        """How many writes wait in memory."""
        return len(self._unwritten)

    @property
    def trouble(self) -> str | None:
        """Say why the next event may not be recorded, None while all is well."""
        if self._unwritten:
            return f"{len(self._unwritten)} writes failed and wait in memory"
        return "a write hangs" if self._hangs() else None

    def _hangs(self) -> bool:
        if self._late is None or self._late[1].done():
            return False
        return self._clock.monotonic() - self._late[0] > _HUNG_SECONDS

    def _keep_on_failure(self, future: Future[tuple[StoredEvent, ...]], events: tuple[Event, ...]) -> None:
        future.add_done_callback(lambda done: self._settled(done, events))

    def _settled(self, done: Future[tuple[StoredEvent, ...]], events: tuple[Event, ...]) -> None:
        if not done.cancelled() and done.exception() is None:
            self._recorded(events)
            return
        self._metrics.journal_failures.inc(len(events))
        if not self._unwritten:
            error = "given up" if done.cancelled() else done.exception()
            logger.warning("events not recorded error=%s", error)
        self.keep(*events)

    def _recorded(self, events: tuple[Event, ...]) -> None:
        self._metrics.events.inc(len(events))
        self._retry_at = float("-inf")
        self.last_at = max(event.occurred_at for event in events) if events else self.last_at
        self.on_recorded()

    def keep(self, *events: Event) -> None:
        """Hold events in memory until ``retry`` gets them written."""
        if len(self._unwritten) >= _MAX_UNWRITTEN:
            self._lose(len(events))
            logger.error("events lost: the journal fails and %d writes wait already", _MAX_UNWRITTEN)
            return
        if not self._unwritten:
            logger.warning("events not recorded, kept in memory for another try")
        self._unwritten.append(events)

    def _lose(self, count: int) -> None:
        with self._losing:
            self.lost += count
        self._metrics.events_dropped.labels("journal_failed").inc(count)

    def _tell_lost(self) -> None:
        """Record how many were lost since that was last told."""
        count = self.lost - self._lost_told
        if count:
            self._lost_told += count
            self.record(self.event(EventKind.ALARM, {"type": "events_lost", "count": count}))
