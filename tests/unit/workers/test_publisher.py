"""The publisher's life, with a broker client that does what the test says."""

import threading
from collections.abc import Callable

import pytest
from prometheus_client import CollectorRegistry

from edged.config.sections import MqttConfig
from edged.fleet.broker import Connected, Disconnected, Happening
from edged.fleet.connection import Answer
from edged.fleet.messages import BirthMessage, StateMessage
from edged.fleet.topics import Topics
from edged.metrics import Metrics
from edged.workers.publisher import PublisherWorker
from tests.fakes.outbox import FakeOutbox, event

TOPICS = Topics("edged", "hq", "front")
TERMS = Connected("5", 100_000, 20)
BIRTH = BirthMessage(boot_id="boot-1", version="1", models={}, gallery_version=1, config_digest="")
STATE = StateMessage(lock="locked", camera="up", armed=True, time_synced=True)


class FakeClient:
    """Answers every publish at the next poll; ``script`` happens first, one list a poll."""

    def __init__(self, *script: list[Happening], answers: bool = True) -> None:
        self.script = list(script)
        self.answers = answers
        self.connected = False
        self.sent: list[tuple[str, bytes, int, bool]] = []
        self.goodbye: bool | None = None
        self.polled = threading.Event()
        self.error: Exception | None = None
        self._due: list[Happening] = []

    def poll(self, timeout: float) -> list[Happening]:
        if self.error is not None:
            raise self.error
        happened = self.script.pop(0) if self.script else []
        for one in happened:
            self.connected = isinstance(one, Connected)
        happened, self._due = happened + self._due, []
        if not self.script:
            self.polled.set()
        if not happened:
            threading.Event().wait(min(timeout, 0.01))
        return happened

    def publish(
        self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False, event_id: str | None = None
    ) -> int | None:
        if not self.connected:
            return None
        self.sent.append((topic, payload, qos, retain))
        if self.answers and qos:
            self._due.append(Answer(len(self.sent), 0, "Success"))
        return len(self.sent)

    def room(self) -> int:
        return 20

    def fits(self, *_: object) -> bool:
        return True

    def drop(self, why: str) -> None:
        self.connected = False

    def wake(self) -> None:
        self.polled.set()

    def close(self, *, goodbye: bool) -> None:
        self.goodbye = goodbye

    def topics(self) -> list[str]:
        return [topic.rsplit("/", 1)[-1] for topic, *_ in self.sent]


def worker(client: FakeClient, outbox: FakeOutbox | None = None, **parts: object) -> PublisherWorker:
    return PublisherWorker(
        outbox or FakeOutbox(), client, TOPICS, Metrics(CollectorRegistry()), MqttConfig(),  # type: ignore[arg-type]
        birth=BIRTH, state=STATE, **parts,
    )  # fmt: skip


def run(publisher: PublisherWorker, until: Callable[[], object]) -> None:
    publisher.start()
    for _ in range(10_000):
        if until():
            break
        threading.Event().wait(0.005)
    publisher.stop()
    assert publisher.join(30)


def test_the_status_is_said_before_any_event_and_stopped_at_last() -> None:
    client, outbox = FakeClient([TERMS]), FakeOutbox()
    outbox.add(event(), event())
    run(worker(client, outbox), lambda: len(outbox.removed) == 2)
    assert client.topics() == ["availability", "birth", "state", "health", "access", "access", "availability"]
    assert [payload for topic, payload, *_ in client.sent if topic == TOPICS.availability] == [
        b"online", b"stopped",
    ]  # fmt: skip
    assert client.goodbye is True


def test_every_connection_says_it_all_again() -> None:
    lost = Disconnected("lost", "gone")
    client = FakeClient([TERMS], [], [lost], [TERMS], [])
    run(worker(client), client.polled.is_set)
    assert client.topics()[:8] == ["availability", "birth", "state", "health"] * 2


def test_a_fault_in_the_client_ends_the_worker_and_leaves_the_will_to_the_broker() -> None:
    client = FakeClient([TERMS])
    client.error = RuntimeError("bug")
    publisher = worker(client)
    publisher.start()
    assert publisher.join(30)
    assert publisher.failure is client.error
    assert client.goodbye is False


def test_a_stopped_that_is_not_acknowledged_leaves_the_will_to_the_broker() -> None:
    client = FakeClient([TERMS], answers=False)
    ticks = iter(range(10_000))
    publisher = worker(client, clock=lambda: next(ticks) * 0.2)
    run(publisher, client.polled.is_set)
    assert client.sent[-1][1] == b"stopped"
    assert client.goodbye is False


def test_stopping_without_a_connection_is_quick_and_says_nothing() -> None:
    client = FakeClient([Disconnected("unreachable", "no route")])
    publisher = worker(client)
    run(publisher, client.polled.is_set)
    assert client.sent == []
    assert client.goodbye is False
    assert publisher.trouble == Disconnected("unreachable", "no route")


def test_an_outbox_that_fails_does_not_end_the_worker() -> None:
    client, outbox = FakeClient([TERMS]), FakeOutbox()
    outbox.down = True
    publisher = worker(client, outbox)
    run(publisher, lambda: client.polled.is_set() and len(client.sent) >= 3)
    assert publisher.failure is None
    assert client.topics() == ["availability", "birth", "state", "availability"]


def test_a_burst_of_states_publishes_the_newest() -> None:
    client = FakeClient()
    publisher = worker(client)
    for lock in ("unlocked", "fault", "locked", "unlocked"):
        publisher.set_state(StateMessage(lock=lock, camera="up", armed=True, time_synced=True))  # type: ignore[arg-type]
    client.script = [[TERMS]]
    run(publisher, lambda: "state" in client.topics())
    states = [payload for topic, payload, *_ in client.sent if topic == TOPICS.state]
    assert len(states) == 1
    assert b"unlocked" in states[0]


def test_replays_that_wait_for_a_broker_are_bounded_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    metrics = Metrics(CollectorRegistry())
    publisher = PublisherWorker(
        FakeOutbox(), FakeClient(), TOPICS, metrics, MqttConfig(), birth=BIRTH,  # type: ignore[arg-type]
    )  # fmt: skip
    assert [publisher.replay(1, None) for _ in range(100)] == [True] * 8 + [False] * 92
    assert metrics.replay_requests.labels("busy")._value.get() == 92
    assert "wait for the broker already" in caplog.text
