"""Events of the door process on their way into the journal, and the word back once they are there.

The door process keeps an event until it is told that a journal has it. So nothing is kept here: what could
not be written is tried again, and what is written already, since the word got lost, is only acknowledged.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any, Protocol

from edged.domain.types import Event, EventKind, StoredEvent
from edged.doorway.messages import Happened

logger = logging.getLogger(__name__)

_RETRY_SECONDS = 1.0


class Recorder(Protocol):
    """Where events go; ``storage.journal.Journal`` is the real one."""

    def submit(self, events: Sequence[Event]) -> Future[tuple[StoredEvent, ...]]:
        """Write all events in one transaction, without blocking the caller."""


class DoorJournal:
    """One thread offers; ``holds`` says whether the journal has an event of this id, and may read the disk.

    ``on_recorded`` is called after each write, ``on_alarm`` with the body of each alarm that was written,
    once; both in the writer's thread. ``reader`` is the name of this one.
    """

    def __init__(
        self,
        recorder: Recorder,
        holds: Callable[[str], bool],
        on_alarm: Callable[[Mapping[str, Any]], None] = lambda _body: None,
        reader: str | None = None,
    ) -> None:
        self.on_recorded: Callable[[], None] = lambda: None
        self._on_alarm = on_alarm
        self._reader = reader
        self._recorder = recorder
        self._holds = holds
        self._open: dict[str, tuple[Event, Future[Any]]] = {}
        self._retry_at = float("-inf")

    @property
    def waiting(self) -> int:
        """How many events are not known to be written."""
        return len(self._open)

    def offer(self, happened: Happened) -> None:
        """Hand an event to the journal, unless that is done already."""
        if happened.event not in self._open:
            event = event_of(happened, self._reader)
            self._open[event.event_id] = (event, self._submit(event))

    def taken(self, now: float) -> list[str]:
        """Return the ids that are in the journal since the last call; try again what failed."""
        found = []
        for event_id, (event, future) in tuple(self._open.items()):
            if not future.done():
                continue
            if future.exception() is None:
                found.append(event_id)
            elif now >= self._retry_at:
                self._retry_at = now + _RETRY_SECONDS
                if self._holds(event_id):
                    found.append(event_id)
                else:
                    logger.warning("event of the door not recorded error=%s", future.exception())
                    self._open[event_id] = (event, self._submit(event))
        for event_id in found:
            del self._open[event_id]
        return found

    def forget(self) -> None:
        """Drop what waits: the door process that offered it is gone, and offers it again."""
        self._open.clear()

    def _submit(self, event: Event) -> "Future[Any]":
        future = self._recorder.submit([event])
        future.add_done_callback(partial(self._settled, event))
        return future

    def _settled(self, event: Event, future: "Future[Any]") -> None:
        if future.cancelled() or future.exception() is not None:
            return
        if event.kind is EventKind.ALARM:
            self._on_alarm(event.body)
        self.on_recorded()


def event_of(happened: Happened, reader: str | None = None) -> Event:
    """Return the journal's event for what the door process said to ``reader``.

    What happened to it under another name says so.
    """
    body: dict[str, Any] = {"type": happened.what}
    if happened.cause:
        body["cause"] = happened.cause
    if happened.request:
        body["access_event_id"] = happened.request
    if reader is not None and happened.reader not in (None, reader):
        body["reader"] = happened.reader
    if happened.reason:
        body["reason"] = happened.reason
    if happened.what == "locked":
        body["held_seconds"] = happened.held_seconds
    if happened.count is not None:
        body["count"] = happened.count
    return Event(
        event_id=happened.event,
        kind=EventKind.ALARM if happened.alarm else EventKind.DOOR,
        occurred_at=happened.ts,
        monotonic_at=happened.at,
        boot_id=happened.boot_id,
        time_synced=happened.time_synced,
        body=body,
    )
