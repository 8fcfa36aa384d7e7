"""From the outbox to the broker, at least once.

A row leaves the outbox only after a PUBACK that means somebody got it. A PUBACK "no matching
subscribers" keeps it. What the broker will never take (no rights, impossible topic, too large) is put
aside in the quarantine: it stays in the journal, is counted, and does not hold up the rows behind it.

Collectors remove duplicates by event id: a row may arrive again after a broken connection. At most
``window`` rows are in memory.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from edged.domain.types import EventKind, StoredEvent
from edged.errors import FleetError, StoreError
from edged.fleet.broker import Disconnected
from edged.fleet.connection import Answer
from edged.fleet.messages import event_payload
from edged.fleet.topics import Topics
from edged.metrics import Metrics
from edged.workers.lanes import Lanes
from edged.workers.outage import Outage

logger = logging.getLogger(__name__)

# MQTT 5.0, 3.4.2.1: PUBACK reason codes.
_NOBODY = 0x10
_FAILURE = 0x80
_PERMANENT = frozenset({0x87, 0x90, 0x99})  # not authorized, topic name invalid, payload format invalid

# An event handed over later than this is no news, whenever the connection was made.
_LIVE_SECONDS = 30.0
_PAGE_ROWS = 64
_PAGES_A_TURN = 8
_UNHEARD_MIN_SECONDS = 2.0
_UNHEARD_MAX_SECONDS = 60.0
_REFUSALS_BEFORE_QUARANTINE = 8
# MQTT 3.1.1 cannot say "too large": the broker hangs up, and would after every reconnect. From the
# second such end on rows go one by one, so that the sixth names the culprit and not the network.
_LOSSES_BEFORE_SINGLE = 2
_LOSSES_BEFORE_QUARANTINE = 6
# Above mosquitto's own retry and any sane round trip; MQTT 5 forbids to send again on the same connection.
_ACK_SECONDS = 30.0


class OutboxState(Protocol):
    """How much waits: ``oldest_occurred_at`` Unix seconds, None where nothing does."""

    @property
    def rows(self) -> int: ...  # noqa: D102 - named by the class
    @property
    def oldest_occurred_at(self) -> float | None: ...  # noqa: D102 - named by the class


class Outbox(Protocol):
    """Events not yet delivered, as the journal keeps them. Methods raise ``StoreError``."""

    def pending(self, after_seq: int, limit: int) -> list[StoredEvent]:
        """Return up to ``limit`` undelivered rows above ``after_seq``, oldest first."""
        ...

    def delivered(self, seqs: Sequence[int]) -> None:
        """Take rows off the outbox; unknown ones are ignored."""
        ...

    def quarantine(self, seq: int, reason: str) -> None:
        """Put a row aside for good; unknown ones are ignored."""
        ...

    def outbox(self) -> OutboxState:
        """Say how much waits."""
        ...


class Broker(Protocol):
    """What of the broker client is needed here; see ``fleet.broker``."""

    def room(self) -> int:
        """Return how many more QoS 1 messages the broker takes now."""
        ...

    def fits(self, topic: str, payload: bytes, event_id: str | None = None) -> bool:
        """Whether the broker takes a packet this large."""
        ...

    def publish(
        self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False, event_id: str | None = None
    ) -> int | None:
        """Hand over one message; the handle of its answer, None without a connection."""
        ...

    def drop(self, why: str) -> None:
        """End the connection as broken."""
        ...


@dataclass(frozen=True, slots=True)
class _Handed:
    seq: int
    kind: EventKind
    handed_at: float


class Delivery:
    """For one thread. ``name_of`` gives the name of a person id where names were asked for."""

    def __init__(
        self,
        outbox: Outbox,
        client: Broker,
        topics: Topics,
        metrics: Metrics,
        *,
        boot_id: str,
        window: int,
        name_of: Callable[[str], str | None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._outbox = outbox
        self._client = client
        self._topics = topics
        self._metrics = metrics
        self._boot_id = boot_id
        self._window = window
        self._name_of = name_of
        self._clock = clock
        self._lanes = Lanes(_UNHEARD_MIN_SECONDS, _UNHEARD_MAX_SECONDS)
        self._in_flight: dict[int, _Handed] = {}
        self._finished: dict[int, str | None] = {}  # seq -> why it is put aside; None: delivered
        self._connected_at = 0.0
        self._suspect, self._losses = 0, 0
        self._store_outage = Outage(logger, "outbox")

    @property
    def in_flight(self) -> int:
        """How many rows the broker has not answered."""
        return len(self._in_flight)

    def connected(self) -> None:
        """Begin at the oldest row: nothing of an earlier connection counts."""
        self._connected_at = self._clock()
        self._lanes.restart()

    def disconnected(self, word: Disconnected) -> None:
        """Take back what was in flight, and notice a row that ends every connection."""
        if self._in_flight and word.cause == "lost":
            suspect = min(handed.seq for handed in self._in_flight.values())
            self._losses = self._losses + 1 if suspect == self._suspect else 1
            self._suspect = suspect
            if self._losses >= _LOSSES_BEFORE_QUARANTINE:
                self._set_aside(
                    suspect, f"the connection broke each time it was sent: {word.text}", "refused"
                )
                self._losses = 0
        self._in_flight.clear()

    def answered(self, answer: Answer) -> None:
        """Judge the PUBACK of an event; others are ignored."""
        handed = self._in_flight.pop(answer.handle, None)
        if handed is None:
            return
        if answer.code != _NOBODY and answer.code < _FAILURE:
            self._finished[handed.seq] = None
            self._losses = 0
            self._lanes.done(handed.kind)
            self._metrics.publishes.labels("delivered").inc()
        elif answer.code in _PERMANENT:
            self._lanes.done(handed.kind)
            self._set_aside(handed.seq, f"the broker refused it: {answer.text}", "refused")
        else:
            self._came_back(handed, answer)

    def _came_back(self, handed: _Handed, answer: Answer) -> None:
        nobody = answer.code == _NOBODY
        self._metrics.publishes.labels("nobody" if nobody else "failed").inc()
        times = self._lanes.returned(handed.kind, handed.seq, self._clock())
        logger.debug("event came back seq=%d code=0x%02x times=%d", handed.seq, answer.code, times)
        if not nobody and times >= _REFUSALS_BEFORE_QUARANTINE:
            self._set_aside(handed.seq, f"the broker refused it {times} times: {answer.text}", "refused")

    def _set_aside(self, seq: int, reason: str, result: str) -> None:
        logger.warning("event set aside seq=%d reason=%r", seq, reason[:200])
        self._metrics.publishes.labels(result).inc()
        self._finished[seq] = reason

    def pump(self) -> bool:
        """Settle what was answered and hand over what may go; True where more could go at once."""
        now = self._clock()
        try:
            self._settle()
            more = self._hand_over(now)
        except StoreError as exc:
            self._store_outage.failed(exc, now)
            return False
        self._store_outage.recovered(now)
        oldest = min((handed.handed_at for handed in self._in_flight.values()), default=now)
        if now - oldest > _ACK_SECONDS:
            self._client.drop(f"no answer to an event within {_ACK_SECONDS:g} s")
        return more

    def retry_seconds(self) -> float:
        """Return how long until a paused topic may be tried again; infinity where none is paused."""
        now = self._clock()
        return self._lanes.next_at(now) - now

    def _settle(self) -> None:
        """Tell the outbox; until it has noted everything nothing more is handed over."""
        for seq, reason in list(self._finished.items()):
            if reason is not None:
                self._outbox.quarantine(seq, reason)
                del self._finished[seq]
        if self._finished:
            self._outbox.delivered(sorted(self._finished))
            self._finished.clear()

    def _room(self) -> int:
        window = 1 if self._losses >= _LOSSES_BEFORE_SINGLE else self._window
        return min(self._client.room(), window - len(self._in_flight))

    def _hand_over(self, now: float) -> bool:
        if len(self._in_flight) > self._window // 2:
            return False  # a question to the database for each answer of the broker would be a waste
        for _ in range(_PAGES_A_TURN):
            after = self._lanes.start(now)
            if after is None or self._room() <= 0:
                return bool(self._finished)
            # Rows of a paused lane are read and skipped; otherwise none is read that cannot go out.
            limit = _PAGE_ROWS if self._lanes.paused else min(_PAGE_ROWS, self._room())
            rows = self._outbox.pending(after, limit)
            for row in rows:
                if self._room() <= 0:
                    return bool(self._finished)
                self._consider(row, now)
                self._lanes.passed(row.seq, now)
            if len(rows) < limit:
                return bool(self._finished)
        return True

    def _consider(self, row: StoredEvent, now: float) -> None:
        kind = row.event.kind
        busy = row.seq in self._finished or any(row.seq == other.seq for other in self._in_flight.values())
        if busy or not self._lanes.wants(kind, row.seq, now):
            return
        topic = self._topics.event(kind.value)
        try:
            payload = event_payload(row, self._name(row), historical=self._historical(row, now))
        except FleetError as exc:
            self._set_aside(row.seq, str(exc), "failed")
            return
        if not self._client.fits(topic, payload, row.event.event_id):
            self._set_aside(row.seq, f"{len(payload)} bytes are more than the broker takes", "oversized")
            return
        handle = self._client.publish(topic, payload, event_id=row.event.event_id)
        if handle is not None:
            self._in_flight[handle] = _Handed(row.seq, kind, now)
            self._lanes.handed(kind, row.seq)

    def _name(self, row: StoredEvent) -> str | None:
        person_id = row.event.person_id
        return None if self._name_of is None or person_id is None else self._name_of(person_id)

    def _historical(self, row: StoredEvent, now: float) -> bool:
        """Whether it was stored before it could be sent. Of another boot, its clock cannot be compared."""
        event = row.event
        if event.boot_id != self._boot_id:
            return True
        return event.monotonic_at < self._connected_at or now - event.monotonic_at > _LIVE_SECONDS
