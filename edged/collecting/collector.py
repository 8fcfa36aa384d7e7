"""One collector: from the broker's shared subscription into the database, then the word that frees the door.

The order is what makes it safe. First the transaction is committed. Then the doors are told which events they
need not keep (``mqtt.app_ack``), then the broker. Killed anywhere between, the collector is told everything
again and stores nothing twice.

Without a database it stands aside: it leaves the group, so that the others get its share, and where there
is no other the broker tells the doors that nobody listens and they keep their events.
"""

import logging
import time
from collections.abc import Callable, Sequence
from threading import Event

from edged.collecting.event_store import EventStore, Stored
from edged.collecting.figures import Figures
from edged.collecting.incoming import Heard, Unfit, read
from edged.collecting.links import Link
from edged.errors import StoreError
from edged.fleet.acks import MOST_IDS, ack_payload
from edged.fleet.backoff import Backoff
from edged.fleet.broker import BrokerClient, Connected, Disconnected
from edged.fleet.connection import Arrived

logger = logging.getLogger(__name__)

# One transaction; also what the broker may have in flight to us.
BATCH = 200
BATCH_SECONDS = 0.2
# A broker that has no more in flight is silent: do not wait out the batch for it.
_LINGER_SECONDS = 0.005
_IDLE_SECONDS = 1.0
# Leaving: until nothing came for so long, and for so long at most.
_QUIET_SECONDS = 0.5
_DRAIN_SECONDS = 10.0
_RETRY_MIN_SECONDS, _RETRY_MAX_SECONDS = 0.5, 30.0
_STATS_SECONDS = 60.0


class Collector:
    """For one thread, but for ``stop``. It owns ``client`` and closes it.

    ``open_link`` connects to the database; its first call is the caller's, see ``run``. ``alive`` is called
    each turn.
    """

    def __init__(
        self,
        client: BrokerClient,
        topic: str,
        prefix: str,
        open_link: Callable[[], Link],
        figures: Figures,
        *,
        acks: bool = True,
        alive: Callable[[], object] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._topic = topic
        self._prefix = prefix
        self._open_link = open_link
        self._figures = figures
        self._acks = acks
        self._alive = alive
        self._clock = clock
        self._wall_clock = wall_clock
        self._stopping = Event()
        self._link: Link | None = None
        self._store: EventStore | None = None
        self._held: list[Heard | Unfit] = []
        self._held_since = self._retry_at = 0.0
        self._backoff = Backoff(_RETRY_MIN_SECONDS, _RETRY_MAX_SECONDS)
        self._subscribed = False
        self._stats_at = clock() + _STATS_SECONDS
        self._told: dict[str, int] = {}

    def stop(self) -> None:
        """Leave the group, store what is here, and end ``run``; from any thread or a signal handler."""
        self._stopping.set()
        self._client.wake()

    def run(self, link: Link) -> None:
        """Collect until ``stop``; ``link`` is the first connection to the database."""
        try:
            self._up(link)
            while not self._stopping.is_set():
                self._turn(_IDLE_SECONDS)
            self._drain()
        finally:
            self._client.close(goodbye=True)
            if self._link is not None:
                self._link.close()

    def _turn(self, idle: float) -> bool:
        """Hear and store; False where nothing was heard."""
        self._alive()
        now = self._clock()
        if self._store is None and now >= self._retry_at:
            self._connect()
        heard = self._hear(min(idle, self._pause(now)))
        if self._held and self._store is not None and (not heard or self._full()):
            self._flush(self._store)
        self._stats()
        return heard

    def _pause(self, now: float) -> float:
        if self._store is None:
            return max(0.0, self._retry_at - now)
        return _LINGER_SECONDS if self._held else _IDLE_SECONDS

    def _full(self) -> bool:
        return len(self._held) >= BATCH or self._clock() - self._held_since >= BATCH_SECONDS

    def _hear(self, timeout: float) -> bool:
        heard = False
        for happening in self._client.poll(timeout):
            if isinstance(happening, Arrived):
                heard = True
                self._arrived(happening)
            elif isinstance(happening, Connected):
                logger.info("broker connected topic=%s", self._topic)
                self._figures.connected.set(1)
            elif isinstance(happening, Disconnected):
                # The broker sends again what it got no word for; what it asked no word for is in no session.
                self._held = [one for one in self._held if one.handle is None]
                self._figures.connected.set(0)
                logger.warning("no broker cause=%s reason=%r", happening.cause, happening.text)
        return heard

    def _arrived(self, message: Arrived) -> None:
        one = read(message, self._prefix)
        if one is None:
            self._figures.events.labels("check").inc()
            if message.handle is not None:
                self._client.acknowledge(message.handle)
        elif message.handle is None and len(self._held) >= 2 * BATCH:
            self._figures.events.labels("dropped").inc()  # QoS 0: whoever sent it expects no more
        else:
            if not self._held:
                self._held_since = self._clock()
            self._held.append(one)

    def _flush(self, store: EventStore) -> None:
        began = self._clock()
        batch = self._held[: 2 * BATCH]
        try:
            result = store.store(batch, self._wall_clock())
        except StoreError as exc:
            self._down(exc)
            return
        self._held = self._held[len(batch) :]
        self._figures.commit.observe(self._clock() - began)
        self._figures.last.set(self._wall_clock())
        self._tell(batch, result)
        self._count(result)

    def _tell(self, batch: Sequence[Heard | Unfit], result: Stored) -> None:
        """Free the doors, then the broker; all of it is committed."""
        if self._acks:
            for root, ids in result.acked.items():
                for start in range(0, len(ids), MOST_IDS):
                    self._client.publish(f"{root}/events/ack", ack_payload(ids[start : start + MOST_IDS]))
        for one in batch:  # in the order of arrival (MQTT 5.0, 4.6)
            if one.handle is not None:
                self._client.acknowledge(one.handle)

    def _count(self, result: Stored) -> None:
        events = self._figures.events
        events.labels("stored").inc(result.stored)
        events.labels("duplicate").inc(result.duplicates)
        events.labels("overflow").inc(result.overflowed)
        if result.doubled:
            self._figures.doubled.inc(result.doubled)
            logger.warning(
                "numbers of two events each; `edged fleet gaps` names them events=%d", result.doubled
            )
        for one in result.rejected:
            events.labels(one.reason).inc()
            logger.warning(
                "message set aside topic=%r reason=%s detail=%r",
                one.topic[:100],
                one.reason,
                one.detail[:100],
            )

    def _connect(self) -> None:
        try:
            link = self._open_link()
        except StoreError as exc:
            self._down(exc)
            return
        self._up(link)

    def _up(self, link: Link) -> None:
        self._link, self._store = link, EventStore(link)
        try:
            again = self._store.retry_rejected(self._prefix, self._wall_clock())
        except StoreError as exc:
            self._down(exc)
            return
        if again:
            logger.info("events that were set aside can be read now events=%d", again)
        self._figures.database.set(1)
        self._backoff = Backoff(_RETRY_MIN_SECONDS, _RETRY_MAX_SECONDS)
        if not self._subscribed and not self._stopping.is_set():
            self._subscribed = True
            self._client.subscribe(self._topic)
        logger.info("database takes events")

    def _down(self, exc: StoreError) -> None:
        """Stand aside until the database is back; what is here stays here, with no word to anybody."""
        if self._link is not None:
            self._link.close()
        self._link = self._store = None
        self._leave()
        self._figures.database.set(0)
        delay = self._backoff.delay()
        self._retry_at = self._clock() + delay
        logger.warning("no database held=%d retry_seconds=%.1f error=%s", len(self._held), delay, exc)

    def _leave(self) -> None:
        if self._subscribed:
            self._subscribed = False
            self._client.unsubscribe(self._topic)

    def _drain(self) -> None:
        self._leave()
        now = self._clock()
        quiet_since, end = now, now + _DRAIN_SECONDS
        while self._client.connected and now < end:
            if self._turn(0.1):
                quiet_since = self._clock()
            now = self._clock()
            if not self._held and now - quiet_since >= _QUIET_SECONDS:
                break
        if self._held:
            logger.warning("stopped with messages not stored; they come again messages=%d", len(self._held))
        self._say()

    def _stats(self) -> None:
        if self._clock() >= self._stats_at:
            self._stats_at = self._clock() + _STATS_SECONDS
            self._say()

    def _say(self) -> None:
        totals = self._figures.totals()
        if totals != self._told:
            self._told = totals
            logger.info("events %s", " ".join(f"{name}={count}" for name, count in totals.items()))
