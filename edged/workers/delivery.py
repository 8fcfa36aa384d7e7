"""From the outbox to the broker, at least once.

A row leaves the outbox only after a PUBACK that means somebody got it and, with ``app_ack_seconds``,
after the collector's own word (see ``receipts``). Any other answer keeps it: nobody listens, no rights,
quota, a fault without a name. Its topic pauses (see ``lanes``) and is tried again for ever, at every
connection and start too. A row that is refused or ends the connection each time, while others might pass,
is held back and tried alone (see ``suspects``).

Only what can never go through as it is goes into the quarantine: larger than the broker's largest packet,
not to be written as a message, or malformed to the broker (0x99). It stays in the journal, is counted, and
``edged events quarantine retry`` puts it back.

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
from edged.workers.receipts import Receipts
from edged.workers.suspects import Suspects

logger = logging.getLogger(__name__)

# MQTT 5.0, 3.4.2.1: PUBACK reason codes.
_NOBODY = 0x10
_FAILURE = 0x80
_NOT_AUTHORIZED = 0x87
# Payload format invalid: the same bytes are as wrong tomorrow. An ACL (0x87), a topic prefix (0x90) and
# a quota (0x97) can be mended while the event waits.
_PERMANENT = frozenset({0x99})
# Unspecified, implementation specific: they may be about this one event, the others about all of a topic.
_OF_THE_EVENT = frozenset({0x80, 0x83})

# An event handed over later than this is no news, whenever the connection was made.
_LIVE_SECONDS = 30.0
_PAGE_ROWS = 64
_PAGES_A_TURN = 8
_UNHEARD_MIN_SECONDS = 2.0
_UNHEARD_MAX_SECONDS = 60.0
# Six minutes of a topic that stands still behind one row: then the row behind it has its turn.
_REFUSALS_BEFORE_HELD = 8
# From the second lost connection without a delivery between on rows go one by one, so that the next
# loss names one row. Held for half a minute, an innocent one is only late.
_LOSSES_BEFORE_SINGLE = 2
_HELD_MIN_SECONDS = 30.0
_HELD_MAX_SECONDS = 1800.0
# Above mosquitto's own retry and any sane round trip; MQTT 5 forbids to send again on the same connection.
_ACK_SECONDS = 30.0


class OutboxState(Protocol):
    """How much waits: ``oldest_occurred_at`` Unix seconds, None where nothing does."""

    @property
    def rows(self) -> int: ...  # noqa: D102 - named by the class
    @property
    def oldest_occurred_at(self) -> float | None: ...  # noqa: D102 - named by the class
    @property
    def quarantined(self) -> int: ...  # noqa: D102 - named by the class


class Outbox(Protocol):
    """Events not yet delivered, as the journal keeps them. Methods raise ``StoreError``."""

    def pending(self, after_seq: int, limit: int) -> list[StoredEvent]:
        """Return up to ``limit`` undelivered rows above ``after_seq``, oldest first."""
        ...

    def delivered(self, seqs: Sequence[int]) -> None:
        """Take rows off the outbox; unknown ones are ignored."""
        ...

    def quarantine(self, seq: int, reason: str) -> None:
        """Put a row aside until somebody asks for it; unknown ones are ignored."""
        ...

    def put_back_asked(self) -> list[int]:
        """Put back of the quarantine what somebody asked for since the last call; return the rows."""
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
    alone: bool = False
    again: bool = False


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
        app_ack_seconds: float | None = None,
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
        self._losses = 0
        self._suspects = Suspects(_HELD_MIN_SECONDS, _HELD_MAX_SECONDS)
        self._receipts = None if app_ack_seconds is None else Receipts(app_ack_seconds)
        self._refusals = {kind: Outage(logger, f"events of kind {kind.value}") for kind in EventKind}
        self._store_outage = Outage(logger, "outbox")
        self.elsewhere = 0  # messages of somebody else in flight, who shares the window

    @property
    def in_flight(self) -> int:
        """How many rows the broker has not answered."""
        return len(self._in_flight)

    @property
    def unacknowledged(self) -> int:
        """How many rows the collector has not acknowledged."""
        return 0 if self._receipts is None else len(self._receipts)

    def connected(self) -> None:
        """Begin at the oldest row: nothing of an earlier connection counts."""
        self._connected_at = self._clock()
        self._lanes.restart()

    def disconnected(self, word: Disconnected) -> None:
        """Take back what was in flight, and notice a row that was alone when the connection broke."""
        now = self._clock()
        rows = list(self._in_flight.values())
        for handed in rows:
            if handed.alone:  # whatever the cause: the others first, so that it cannot stall them each time
                self._hold(handed.seq, word.text, now)
        if word.cause == "lost" and any(not handed.alone for handed in rows):
            self._losses += 1
            if len(rows) == 1 and self._losses > _LOSSES_BEFORE_SINGLE:
                self._hold(rows[0].seq, f"the connection broke when it was sent: {word.text}", now)
        self._in_flight.clear()
        if self._receipts is not None:
            self._receipts.disconnected()

    def acknowledged(self, event_ids: Sequence[str]) -> tuple[int, int]:
        """Take the collector's word for events; return how many it had not said before, and how many else."""
        if self._receipts is None:
            return 0, len(event_ids)
        rows = self._receipts.acknowledged(event_ids, self._clock())
        for seq in rows:
            self._finished[seq] = None
        oldest = self._receipts.taken_up()
        if oldest is not None:
            self._lanes.rewind(oldest)
        return len(rows), len(event_ids) - len(rows)

    def answered(self, answer: Answer) -> None:
        """Judge the PUBACK of an event; others are ignored."""
        handed = self._in_flight.pop(answer.handle, None)
        if handed is None:
            return
        now = self._clock()
        if answer.code != _NOBODY and answer.code < _FAILURE:
            self._went_through(handed, now)
        elif answer.code in _PERMANENT:
            if not (handed.alone or handed.again):
                self._lanes.done(handed.kind)
            self._set_aside(handed.seq, f"the broker finds it malformed: {answer.text}", "refused")
        else:
            self._came_back(handed, answer, now)

    def _went_through(self, handed: _Handed, now: float) -> None:
        if self._receipts is None or not self._receipts.passed(handed.seq, now):
            self._finished[handed.seq] = None
        self._losses = 0
        if handed.alone:
            self._suspects.left(handed.seq)
            self._suspects.cleared(now)
        elif not (handed.alone or handed.again):
            self._lanes.done(handed.kind)
        self._refusals[handed.kind].recovered(now)
        self._metrics.publishes.labels("delivered").inc()

    def _came_back(self, handed: _Handed, answer: Answer, now: float) -> None:
        result = {_NOBODY: "nobody", _NOT_AUTHORIZED: "refused"}.get(answer.code, "failed")
        self._metrics.publishes.labels(result).inc()
        if self._receipts is not None:
            if handed.again:
                self._receipts.passed(handed.seq, now)
                return
            self._receipts.forget(handed.seq)
        if handed.alone:
            self._hold(handed.seq, f"the broker refused it again: {answer.text}", now)
            return
        if answer.code != _NOBODY:
            self._refusals[handed.kind].failed(f"the broker refused: {answer.text}; they wait", now)
        times = self._lanes.returned(handed.kind, handed.seq, now)
        logger.debug("event came back seq=%d code=0x%02x times=%d", handed.seq, answer.code, times)
        if answer.code in _OF_THE_EVENT and times >= _REFUSALS_BEFORE_HELD:
            self._hold(handed.seq, f"the broker refused it {times} times: {answer.text}", now)

    def _hold(self, seq: int, reason: str, now: float) -> None:
        log = logger.debug if seq in self._suspects else logger.warning
        log("event held back, to be tried alone seq=%d reason=%r", seq, reason[:200])
        self._suspects.failed(seq, now)

    def _set_aside(self, seq: int, reason: str, result: str) -> None:
        self._suspects.left(seq)
        if self._receipts is not None:
            self._receipts.forget(seq)
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
        """Return how long until a paused topic or a row held back may be tried; infinity where none is."""
        now = self._clock()
        due = float("inf") if self._receipts is None else self._receipts.next_at(now)
        return max(0.0, min(self._lanes.next_at(now), self._suspects.next_at(now), due) - now)

    def put_back(self) -> None:
        """Take up what somebody wants out of the quarantine. Raises ``StoreError``."""
        rows = self._outbox.put_back_asked()
        if rows:
            logger.info("events put back from the quarantine events=%d", len(rows))
            self._lanes.rewind(min(rows))

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
        return min(self._client.room(), window - len(self._in_flight) - self.elsewhere)

    def _room_for_new(self, now: float) -> int:
        room = self._room()
        return room if self._receipts is None or room <= 0 else min(room, self._receipts.room(now))

    def _hand_over(self, now: float) -> bool:
        if any(handed.alone for handed in self._in_flight.values()):
            return False
        suspect = self._suspects.due(now)
        if suspect is None:
            self._send_unacknowledged(now)
            return self._hand_over_in_order(now)
        return not self._in_flight and self._try_alone(suspect, now)

    def _hand_over_in_order(self, now: float) -> bool:
        if len(self._in_flight) > self._window // 2:
            return False  # a question to the database for each answer of the broker would be a waste
        for _ in range(_PAGES_A_TURN):
            after = self._lanes.start(now)
            if after is None or self._room_for_new(now) <= 0:
                return bool(self._finished)
            # Rows of a paused lane are read and skipped; otherwise none is read that cannot go out.
            limit = _PAGE_ROWS if self._lanes.paused else min(_PAGE_ROWS, self._room_for_new(now))
            rows = self._outbox.pending(after, limit)
            for row in rows:
                if self._room_for_new(now) <= 0:
                    return bool(self._finished)
                self._consider(row, now)
                self._lanes.passed(row.seq, now)
            if len(rows) < limit:
                return bool(self._finished)
        return True

    def _send_unacknowledged(self, now: float) -> None:
        """Send again what the collector did not acknowledge in time; half of the window is for it."""
        if self._receipts is None:
            return
        for seq in self._receipts.due(now, min(self._room(), self._window // 2 + 1)):
            rows = self._outbox.pending(seq - 1, 1)
            if not rows or rows[0].seq != seq:
                self._receipts.forget(seq)
            else:
                self._metrics.resends.inc()
                self._send(rows[0], now, again=True)

    def _try_alone(self, seq: int, now: float) -> bool:
        """Send a row that was held back; True where it did not go out and others may go at once."""
        rows = self._outbox.pending(seq - 1, 1)
        if not rows or rows[0].seq != seq:
            self._suspects.left(seq)
            return True
        if self._room() > 0:
            self._send(rows[0], now, alone=True)
        return bool(self._finished)

    def _consider(self, row: StoredEvent, now: float) -> None:
        kind = row.event.kind
        busy = row.seq in self._finished or any(row.seq == other.seq for other in self._in_flight.values())
        if self._receipts is not None:
            busy = busy or row.seq in self._receipts or self._receipts.has_let_go(kind, row.seq)
        if busy or row.seq in self._suspects or not self._lanes.wants(kind, row.seq, now):
            return
        self._send(row, now)

    def _send(self, row: StoredEvent, now: float, *, alone: bool = False, again: bool = False) -> None:
        kind = row.event.kind
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
            handed = self._in_flight[handle] = _Handed(row.seq, kind, now, alone, again)
            if self._receipts is not None:
                self._receipts.sent(row.seq, row.event.event_id, kind, now)
            if not (handed.alone or handed.again):
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
