"""The publisher: one thread that keeps the broker informed.

It drives the broker client itself, so a fault in the network code ends this worker in plain sight.
At every connection it says ``online``, what runs here and how the door is, all retained, before any
event; when it leaves in order it says ``stopped``, and otherwise the broker says ``offline``.
"""

import contextlib
import logging
import queue
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from typing import Protocol

from edged.config.sections import MqttConfig
from edged.errors import FleetError, StoreError
from edged.fleet.acks import parse_ack
from edged.fleet.arrivals import UnheededError
from edged.fleet.broker import BrokerClient, Connected, Disconnected
from edged.fleet.connection import Answer, Arrived
from edged.fleet.messages import (
    BirthMessage,
    Fact,
    HealthMessage,
    StateMessage,
    availability_payload,
    birth_payload,
    health_payload,
    state_payload,
    timestamp,
)
from edged.fleet.replay import ReplayRequest, replay_payload
from edged.fleet.topics import Topics
from edged.metrics import Metrics
from edged.workers.delivery import Delivery, Outbox
from edged.workers.guest import Guest
from edged.workers.outage import Outage
from edged.workers.replay import Archive, Replay
from edged.workers.worker import Worker

logger = logging.getLogger(__name__)

HEALTH_SECONDS = 30.0
# Without a call of wake() a new event waits this long; the app wakes us at every commit.
_IDLE_SECONDS = 1.0
_GAUGE_SECONDS = 2.0
_DRAIN_SECONDS = 1.0
_STOPPED_SECONDS = 2.0
# What passes by is worth nothing later: so much waits for a connection, and the oldest goes first.
_MAX_PASSING = 32
# One runs at a time: of those that wait for a connection all but the first are answered "busy".
_MAX_WANTED = 8


class Events(Outbox, Archive, Protocol):
    """The journal as it is needed here."""


class PublisherWorker(Worker):
    """See the module. ``set_state``, ``set_birth`` and ``wake`` may be called from any thread.

    The worker owns ``client`` and closes it. ``health`` adds facts to the vital signs; it runs in
    this thread and must not block. ``name_of`` is used only where ``mqtt.person_names`` is set.
    """

    # An attempt at a connection waits for the resolver, then 5 s for TCP and 5 s for TLS.
    stall_seconds = 60.0

    def __init__(
        self,
        outbox: Events,
        client: BrokerClient,
        topics: Topics,
        metrics: Metrics,
        config: MqttConfig,
        *,
        birth: BirthMessage,
        state: StateMessage | None = None,
        name_of: Callable[[str], str | None] | None = None,
        health: Callable[[], Mapping[str, Fact]] = dict,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        # A daemon thread: a resolver that hangs must not keep the process from ending.
        super().__init__("publisher", daemon=True)
        self._outbox = outbox
        self._client = client
        self._topics = topics
        self._metrics = metrics
        self._health = health
        self._clock = clock
        self._wall_clock = wall_clock
        self._birth, self._state = birth, state
        self._boot_id = birth.boot_id
        self._delivery = Delivery(
            outbox, client, topics, metrics,
            boot_id=birth.boot_id, window=config.max_in_flight,
            app_ack_seconds=config.app_ack_seconds if config.app_ack else None,
            name_of=name_of if config.person_names else None, clock=clock,
        )  # fmt: skip
        if config.app_ack:
            client.subscribe(topics.ack)
        if config.replay:
            client.subscribe(topics.replay)
        # Without the topic too: a signed command may ask for it.
        self._replay = Replay(
            outbox, client, topics, metrics, window=config.max_in_flight,
            name_of=name_of if config.person_names else None, clock=clock,
        )  # fmt: skip
        self.guest: Guest | None = None
        self._again = False
        self._wanted: queue.Queue[Arrived] = queue.Queue(_MAX_WANTED)
        self._outage = Outage(logger, "mqtt connection")
        self._request_outage = Outage(logger, "return of events from the quarantine")
        self._trouble: Disconnected | None = None
        self._published: dict[str, bytes] = {}
        self._status_handles: dict[int, str] = {}
        self._passing: deque[tuple[str, bytes, float]] = deque(maxlen=_MAX_PASSING)
        self._heard: dict[str, Callable[[Arrived], None]] = {}
        self._connections = 0
        self._started_at = clock()
        self._health_at = self._gauges_at = 0.0

    @property
    def connected(self) -> bool:
        """Whether the broker answers."""
        return self._client.connected

    @property
    def trouble(self) -> Disconnected | None:
        """Why there is no connection; None while there is one or before the first attempt."""
        return self._trouble

    def set_state(self, state: StateMessage) -> None:
        """Publish how the door is, now and at every later connection."""
        self._state = state
        self._client.wake()

    def set_birth(self, birth: BirthMessage) -> None:
        """Publish what runs here, now and at every later connection."""
        self._birth = birth
        self._client.wake()

    @property
    def topics(self) -> Topics:
        """Where this door speaks and listens."""
        return self._topics

    def listen(self, topic: str, heard: Callable[[Arrived], None]) -> None:
        """Pass the messages of one more topic to ``heard``, which must not block; before ``start``."""
        self._heard[topic] = heard
        self._client.subscribe(topic)

    def say(self, topic: str, payload: bytes, seconds: float) -> None:
        """Publish what is news for so many seconds and is dropped after, not retained; from any thread."""
        self._passing.append((topic, payload, self._clock() + seconds))
        self._client.wake()

    def replay(self, from_seq: int, to_seq: int | None) -> bool:
        """Send events of the journal once more, as if a collector had asked; from any thread.

        False where too many such wishes wait for the broker already: it is counted and forgotten.
        """
        request = ReplayRequest(v=1, request=uuid.uuid4().hex, from_seq=from_seq, to_seq=to_seq)
        payload = replay_payload(request)
        try:
            self._wanted.put_nowait(Arrived(self._topics.replay, payload, len(payload), retain=False))
        except queue.Full:
            self._metrics.replay_requests.labels("busy").inc()
            logger.warning("replay refused, %d wait for the broker already", _MAX_WANTED)
            return False
        self._client.wake()
        return True

    def say_again(self) -> None:
        """Publish everything that is retained once more, as at a new connection; from any thread."""
        self._again = True
        self._client.wake()

    def wake(self) -> None:
        """Say that the outbox has a new row."""
        self._client.wake()

    def stop(self) -> None:
        """Ask the loop to end; returns at once."""
        super().stop()
        self._client.wake()

    def run(self) -> None:
        """Publish until told to stop; then leave the broker in order."""
        goodbye = False
        try:
            more = False
            while not self.stopping.is_set():
                self.beat()
                more = self._turn(0.0 if more else self._wait_seconds())
            goodbye = self._leave()
        finally:
            self._client.close(goodbye=goodbye)
            self._metrics.mqtt_connected.set(0)

    def _turn(self, timeout: float) -> bool:
        """Serve the connection, then say what there is to say; True where more could go at once."""
        self._listen(timeout)
        more = False
        if self._again:
            self._again = False
            self._published.clear()
        if self._client.connected:
            self._say_statuses()
            self._say_passing()
            more = self._pump()
        if self._clock() >= self._gauges_at:
            self._gauges_at = self._clock() + _GAUGE_SECONDS
            self._put_back(self._clock())
            self._show_gauges()
        return more

    def _wait_seconds(self) -> float:
        return min(_IDLE_SECONDS, self._delivery.retry_seconds(), self._replay.wait_seconds())

    def _pump(self) -> bool:
        """Hand over what is new, and behind it what was asked for again."""
        delivery, replay = self._delivery, self._replay
        with contextlib.suppress(queue.Empty):
            while True:
                replay.asked(self._wanted.get_nowait())
        delivery.elsewhere = replay.in_flight
        more = delivery.pump()
        replay.pump(idle=not (more or delivery.in_flight or self.stopping.is_set()))
        return more

    def _listen(self, timeout: float) -> None:
        for happening in self._client.poll(timeout):
            match happening:
                case Connected():
                    self._on_connected(happening)
                case Disconnected():
                    self._on_disconnected(happening)
                case Answer():
                    self._on_answer(happening)
                case Arrived():
                    self._on_arrived(happening)

    def _on_connected(self, terms: Connected) -> None:
        self._connections += 1
        if self._connections > 1:
            self._metrics.mqtt_reconnects.inc()
        self._metrics.mqtt_connected.set(1)
        self._outage.recovered(self._clock())
        self._trouble = None
        self._published.clear()
        self._health_at = 0.0
        self._delivery.connected()
        logger.info("mqtt connected protocol=%s max_packet_bytes=%d", terms.version, terms.max_packet_bytes)
        if terms.version != "5":
            log = logger.warning if self._connections == 1 else logger.info
            log("mqtt has no reason codes: a refused or unheard event looks delivered protocol=3.1.1")

    def _on_disconnected(self, word: Disconnected) -> None:
        self._metrics.mqtt_connected.set(0)
        if self._trouble is not None and self._trouble.cause != word.cause:
            logger.warning(
                "mqtt connection fails differently cause=%s reason=%r", word.cause, word.text[:200]
            )
        self._outage.failed(f"{word.cause}: {word.text}", self._clock())
        self._trouble = word
        self._status_handles.clear()
        self._delivery.disconnected(word)
        self._replay.disconnected()

    def _on_answer(self, answer: Answer) -> None:
        topic = self._status_handles.pop(answer.handle, None)
        if topic is None and self._replay.answered(answer):
            return
        if topic is None:
            self._delivery.answered(answer)
        elif answer.code >= 0x80:
            logger.warning("the broker refuses a status topic=%s reason=%r", topic, answer.text)
        elif self.guest is not None:
            self.guest.kept(topic)

    def _on_arrived(self, message: Arrived) -> None:
        """Take a collector's word; whatever else comes is counted and forgotten."""
        if (heard := self._heard.get(message.topic)) is not None:
            heard(message)
            return
        if message.topic == self._topics.replay:
            self._replay.asked(message)
            return
        try:
            ack = parse_ack(message)
        except UnheededError as exc:
            self._metrics.acks.labels(exc.result).inc()
            logger.debug("acknowledgement ignored reason=%r", str(exc))
            return
        taken, unknown = self._delivery.acknowledged(ack.ids)
        self._metrics.acks.labels("taken").inc(taken)
        self._metrics.acks.labels("unknown").inc(unknown)

    def _say_statuses(self) -> None:
        self._say(self._topics.availability, availability_payload("online"))
        self._say(self._topics.birth, birth_payload(self._birth))
        if self._state is not None:
            self._say(self._topics.state, state_payload(self._state))
        for topic, payload in ({} if self.guest is None else dict(self.guest.statuses())).items():
            self._say(topic, payload)
        now = self._clock()
        if now >= self._health_at:
            self._health_at = now + HEALTH_SECONDS
            self._say_health(now)

    def _say(self, topic: str, payload: bytes) -> None:
        """Publish a retained status, unless this connection has it already."""
        if self._published.get(topic) == payload or self._client.room() <= 0:
            return
        if not self._client.fits(topic, payload):
            logger.warning("status is too large for the broker topic=%s bytes=%d", topic, len(payload))
            self._published[topic] = payload
            return
        handle = self._client.publish(topic, payload, retain=True)
        if handle is not None:
            self._published[topic] = payload
            self._status_handles[handle] = topic

    def _say_passing(self) -> None:
        """Publish what was handed to ``say``, as far as it is news and the broker takes it."""
        while self._passing and self._client.room() > 0:
            topic, payload, until = self._passing.popleft()
            if self._clock() < until and self._client.fits(topic, payload):
                handle = self._client.publish(topic, payload)
                if handle is not None:
                    self._status_handles[handle] = topic

    def _say_health(self, now: float) -> None:
        """Publish the vital signs; what cannot be told now is told half a minute later."""
        try:
            waiting = self._outbox.outbox()
            oldest = waiting.oldest_occurred_at
            payload = health_payload(
                HealthMessage(
                    boot_id=self._boot_id,
                    ts=timestamp(self._wall_clock()),
                    uptime_seconds=round(now - self._started_at, 3),
                    outbox_rows=waiting.rows,
                    outbox_oldest=None if oldest is None else timestamp(oldest),
                    facts=dict(self._health()),
                )
            )
        except (StoreError, FleetError) as exc:
            logger.debug("health cannot be told error=%r", str(exc))
            return
        if self._client.fits(self._topics.health, payload):
            self._client.publish(self._topics.health, payload, qos=0)

    def _put_back(self, now: float) -> None:
        try:
            self._delivery.put_back()
        except StoreError as exc:
            self._request_outage.failed(exc, now)
        else:
            self._request_outage.recovered(now)

    def _show_gauges(self) -> None:
        try:
            waiting = self._outbox.outbox()
        except StoreError as exc:
            logger.debug("outbox cannot be counted error=%r", str(exc))
            return
        self._metrics.outbox_unacked.set(self._delivery.unacknowledged)
        self._metrics.outbox_rows.set(waiting.rows)
        self._metrics.outbox_oldest.set(waiting.oldest_occurred_at or 0)
        self._metrics.outbox_quarantined.set(waiting.quarantined)

    def _leave(self) -> bool:
        """Deliver what is left, then say ``stopped``; True once the broker has acknowledged that."""
        self._replay.interrupt("the door stops")
        deadline = self._clock() + _DRAIN_SECONDS
        more = True
        delivery = self._delivery
        while (
            self._client.connected
            and self._clock() < deadline
            and (more or delivery.in_flight or delivery.unacknowledged)
        ):
            more = self._turn(0.0 if more else 0.05)
        handle = None
        if self._client.connected:
            handle = self._client.publish(
                self._topics.availability, availability_payload("stopped"), retain=True
            )
        if handle is None:
            return False
        self._status_handles[handle] = self._topics.availability
        deadline = self._clock() + _STOPPED_SECONDS
        while handle in self._status_handles and self._client.connected and self._clock() < deadline:
            self._listen(0.05)
        return self._client.connected and handle not in self._status_handles
