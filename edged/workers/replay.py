"""Events sent once more because a collector asked, behind everything that is new.

The outbox knows only what was never delivered. A collector that lost what it had, or a broker that lost what
it acknowledged, asks on ``events/replay``, and the journal's rows go out again: read from the disk a page at
a time, under their own ids, on their own topics, in order. New events come first: nothing is replayed while
one waits for the broker, and of the window at most half is used.

Whoever may write to the topic can ask for ever. So one request runs at a time and one a second begins, it
sends a bounded number of events at a bounded rate, and refusals are answered once a second. A flood of
requests causes less traffic than it is. A request is forgotten with the connection or the start it came in;
whoever heard no result asks again.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from edged.domain.types import StoredEvent
from edged.errors import FleetError, StoreError
from edged.fleet.arrivals import UnheededError
from edged.fleet.connection import Answer, Arrived
from edged.fleet.messages import event_payload
from edged.fleet.replay import ReplayEnd, ReplayRequest, ReplayResult, parse_replay, replay_payload
from edged.fleet.topics import Topics
from edged.metrics import Metrics

logger = logging.getLogger(__name__)

# MQTT 5.0, 3.4.2.1, as in ``delivery``: nobody listens; payload format invalid, for ever.
_NOBODY, _FAILURE, _MALFORMED = 0x10, 0x80, 0x99
# A minute and a half at the rate below, and two weeks of a busy door; ``next_seq`` says where to go on.
MOST_EVENTS = 10_000
# From disk to socket an event takes 0.33 ms of a desk's core (5,000 of them to mosquitto, thread time). A
# small board is up to ten times slower, and there the door's own work comes first.
EVENTS_PER_SECOND = 100.0
# So that the rate is kept although the loop may look only several times a second.
_ARREARS_SECONDS = 0.25
_PAGE_ROWS = 64
# Pages without one event to send, all of them gone or damaged, are read a few at a time.
_PAGES_A_TURN = 4
_REFUSAL_SECONDS = 1.0
_BEGIN_SECONDS = 1.0
_ACK_SECONDS = 30.0
_UNREADABLE = "the journal cannot be read now"


class Page(Protocol):
    """A stretch of the journal; see ``storage.journal_replay.Recorded``."""

    @property
    def epoch(self) -> str: ...  # noqa: D102 - named by the class
    @property
    def oldest(self) -> int: ...  # noqa: D102 - named by the class
    @property
    def newest(self) -> int: ...  # noqa: D102 - named by the class
    @property
    def upto(self) -> int: ...  # noqa: D102 - named by the class
    @property
    def events(self) -> Sequence[StoredEvent]: ...  # noqa: D102 - named by the class
    @property
    def damaged(self) -> int: ...  # noqa: D102 - named by the class
    @property
    def gone(self) -> int: ...  # noqa: D102 - named by the class


class Archive(Protocol):
    """Where events stay after their delivery; ``storage.journal.Journal`` is the real one."""

    def recorded(self, after_seq: int, upto: int | None, limit: int) -> Page:
        """Return up to ``limit`` events above ``after_seq``, up to ``upto``. Raises ``StoreError``."""
        ...


class Broker(Protocol):
    """What of the broker client is needed here; see ``fleet.broker``."""

    def room(self) -> int:
        """Return how many more QoS 1 messages the broker takes now."""
        ...

    def fits(
        self, topic: str, payload: bytes, event_id: str | None = None, *, replayed: bool = False
    ) -> bool:
        """Whether the broker takes a packet this large."""
        ...

    def publish(
        self, topic: str, payload: bytes, *, event_id: str | None = None, replayed: bool = False
    ) -> int | None:
        """Hand over one message; the handle of its answer, None without a connection."""
        ...

    def drop(self, why: str) -> None:
        """End the connection as broken."""
        ...


@dataclass(slots=True)
class _Run:
    """The request in work: numbers up to ``upto`` were read, ``rows`` of them are not sent yet."""

    request: ReplayRequest
    upto: int
    epoch: str = ""
    oldest: int = 0
    newest: int = 0
    rows: deque[StoredEvent] = field(default_factory=deque)
    read: bool = False
    left: int = field(default_factory=lambda: MOST_EVENTS)
    sent: int = 0
    unheard: int = 0
    unsendable: int = 0
    gone: int = 0
    stopped_at: int | None = None
    trouble: str = ""

    @property
    def last(self) -> int:
        """The last number to send, as far as the journal goes."""
        wanted = self.request.to_seq
        return self.newest if wanted is None else min(wanted, self.newest)

    @property
    def following(self) -> int:
        """The first number that was not handed over."""
        return self.rows[0].seq if self.rows else self.upto + 1


class Replay:
    """For the publisher's thread. ``name_of`` as for ``Delivery``, ``window`` is shared with it."""

    def __init__(
        self,
        archive: Archive,
        client: Broker,
        topics: Topics,
        metrics: Metrics,
        *,
        window: int,
        name_of: Callable[[str], str | None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._archive = archive
        self._client = client
        self._topics = topics
        self._metrics = metrics
        self._most_in_flight = max(1, window // 2)
        self._name_of = name_of
        self._clock = clock
        self._run: _Run | None = None
        self._in_flight: dict[int, tuple[int, float]] = {}  # handle -> seq, handed over at
        self._results: deque[bytes] = deque(maxlen=8)
        self._free_at = 0.0
        self._begin_at = self._refuse_at = float("-inf")
        self._ready = False

    @property
    def in_flight(self) -> int:
        """How many replayed events the broker has not answered."""
        return len(self._in_flight)

    def asked(self, message: Arrived) -> None:
        """Take up a request, or refuse it; what is none is counted and forgotten."""
        try:
            request = parse_replay(message)
        except UnheededError as exc:
            self._metrics.replay_requests.labels(exc.result).inc()
            logger.debug("replay request ignored reason=%r", str(exc))
            return
        now = self._clock()
        if self._run is None and now >= self._begin_at:
            self._begin_at = now + _BEGIN_SECONDS
            self._begin(request)
        elif self._run is None:
            self._refuse(request, "busy", "asked too often")
        elif request.request == self._run.request.request:
            self._metrics.replay_requests.labels("repeated").inc()  # at least once, as everything
        else:
            self._refuse(request, "busy", "another request runs")

    def _begin(self, request: ReplayRequest) -> None:
        run = _Run(request, request.from_seq - 1)
        try:
            self._read(run)
        except StoreError as exc:
            logger.warning("replay refused, the journal cannot be read error=%s", exc)
            self._refuse(request, "failed", _UNREADABLE)
            return
        if request.epoch not in (None, run.epoch):
            self._refuse(request, "epoch", "the journal is of another epoch", run)
            return
        self._metrics.replay_requests.labels("taken").inc()
        self._metrics.replay_running.set(1)
        self._run = run
        logger.info(
            "replay begins request=%s from=%d to=%s", request.request, request.from_seq, request.to_seq
        )

    def _refuse(
        self, request: ReplayRequest, result: ReplayEnd, reason: str, run: _Run | None = None
    ) -> None:
        self._metrics.replay_requests.labels(result).inc()
        now = self._clock()
        if now >= self._refuse_at:
            self._refuse_at = now + _REFUSAL_SECONDS
            known = _Run(request, 0) if run is None else run
            refusal = ReplayResult(
                v=1, request=request.request, result=result, reason=reason, epoch=known.epoch,
                oldest_seq=known.oldest, newest_seq=known.newest, next_seq=request.from_seq,
            )  # fmt: skip
            self._results.append(replay_payload(refusal))

    def answered(self, answer: Answer) -> bool:
        """Judge the PUBACK of a replayed event; False where it is about something else."""
        seq, _ = self._in_flight.pop(answer.handle, (0, 0.0))
        run = self._run
        if seq == 0 or run is None:
            return seq != 0
        if answer.code == _NOBODY:
            run.unheard += 1
            self._count("nobody")
        elif answer.code < _FAILURE:
            run.sent += 1
            self._count("delivered")
        elif answer.code == _MALFORMED:
            run.unsendable += 1
            self._count("unsendable")
        else:
            self._count("refused")
            run.stopped_at = min(seq, run.stopped_at or seq)
            run.trouble = f"the broker refuses: {answer.text}"[:200]
        return True

    def disconnected(self) -> None:
        """Give up what ran; the next connection says how far it came."""
        self.interrupt("the connection to the broker was lost")

    def interrupt(self, why: str) -> None:
        """End what runs and say so."""
        if self._run is not None:
            self._finish(self._run, "interrupted", why)
        self._in_flight.clear()

    def wait_seconds(self) -> float:
        """Return when ``pump`` has something to do without an answer of the broker; infinity for never."""
        run = self._run
        if run is None or not self._ready or (run.read and not run.rows):
            return float("inf")
        if len(self._in_flight) >= self._most_in_flight or self._client.room() <= 0:
            return float("inf")
        return max(0.0, self._free_at - self._clock())

    def pump(self, *, idle: bool) -> None:
        """Send what may go and say results; ``idle`` where nothing new waits for the broker."""
        self._ready = False
        if self._run is not None:
            self._work(self._run, self._clock(), idle=idle)
        while self._results and self._client.room() > 0:
            self._client.publish(self._topics.replayed, self._results.popleft())

    def _work(self, run: _Run, now: float, *, idle: bool) -> None:
        oldest = min((handed_at for _, handed_at in self._in_flight.values()), default=now)
        if now - oldest > _ACK_SECONDS:
            self._client.drop(f"no answer to a replayed event within {_ACK_SECONDS:g} s")
            return
        self._ready = idle and not run.trouble
        if self._ready:
            try:
                self._send_some(run, now)
            except StoreError as exc:
                logger.warning("replay ends, the journal cannot be read error=%s", exc)
                run.trouble = _UNREADABLE
        if not self._in_flight and (run.trouble or (run.read and not run.rows)):
            self._finish(run, "failed" if run.trouble else "done", run.trouble or None)

    def _send_some(self, run: _Run, now: float) -> None:
        pages = 0
        while len(self._in_flight) < self._most_in_flight and self._client.room() > 0:
            if not run.rows:
                if run.read or pages >= _PAGES_A_TURN:
                    return
                self._read(run)
                pages += 1
            elif self._free_at > now:
                return
            else:
                self._send(run.rows.popleft(), run, now)
                self._free_at = max(self._free_at, now - _ARREARS_SECONDS) + 1 / EVENTS_PER_SECOND

    def _read(self, run: _Run) -> None:
        """Read the next page. Raises ``StoreError``, also where the journal is no longer the same."""
        page = self._archive.recorded(run.upto, run.request.to_seq, min(_PAGE_ROWS, run.left))
        if run.epoch not in ("", page.epoch):
            raise StoreError("the journal was made anew")
        if not run.epoch:
            run.newest = page.newest  # what is recorded from now on is sent as it happens
        run.epoch, run.oldest = page.epoch, page.oldest
        fresh = [stored for stored in page.events if stored.seq <= run.last]
        run.rows.extend(fresh)
        run.upto, run.gone = page.upto, run.gone + page.gone
        run.unsendable += page.damaged
        run.left -= len(page.events) + page.damaged
        run.read = run.upto >= run.last or run.left <= 0

    def _send(self, stored: StoredEvent, run: _Run, now: float) -> None:
        event = stored.event
        topic = self._topics.event(event.kind.value)
        name = None if self._name_of is None or event.person_id is None else self._name_of(event.person_id)
        try:
            payload = event_payload(stored, name, historical=True)
        except FleetError:
            payload = None
        if payload is None or not self._client.fits(topic, payload, event.event_id, replayed=True):
            run.unsendable += 1
            self._count("unsendable")
            return
        handle = self._client.publish(topic, payload, event_id=event.event_id, replayed=True)
        if handle is None:
            run.rows.appendleft(stored)  # the next poll tells of the end of the connection
            run.trouble = "no connection to the broker"
        else:
            self._in_flight[handle] = (stored.seq, now)

    def _finish(self, run: _Run, result: ReplayEnd, reason: str | None) -> None:
        starts = [seq for seq, _ in self._in_flight.values()]
        following = min([run.following, *starts, run.stopped_at or run.following])
        over = ReplayResult(
            v=1, request=run.request.request, result=result, reason=reason, epoch=run.epoch, sent=run.sent,
            unheard=run.unheard, unsendable=run.unsendable, gone=run.gone, oldest_seq=run.oldest,
            newest_seq=run.newest, next_seq=following if following <= run.last else None,
        )  # fmt: skip
        self._results.append(replay_payload(over))
        self._run = None
        self._metrics.replay_running.set(0)
        logger.info(
            "replay over request=%s result=%s sent=%d unheard=%d unsendable=%d gone=%d next=%s",
            over.request, result, over.sent, over.unheard, over.unsendable, over.gone, over.next_seq,
        )  # fmt: skip

    def _count(self, result: str) -> None:
        self._metrics.replayed_events.labels(result).inc()
