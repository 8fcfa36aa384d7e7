"""In which order the database, the doors and the broker are told."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from edged.collecting import collector as module
from edged.collecting.collector import BATCH, Collector
from edged.collecting.event_store import EventStore
from edged.collecting.figures import Figures
from edged.collecting.links import Link, open_link
from edged.domain.types import EventKind, StoredEvent
from edged.errors import StoreError
from edged.fleet.acks import parse_ack
from edged.fleet.broker import Connected, Disconnected, Happening
from edged.fleet.connection import Arrived
from edged.fleet.messages import event_payload
from tests.fakes.outbox import EPOCH, event

TOPIC = "$share/g/edged/hq/+/event/+"


def arrived(seq: int, handle: int | None, payload: bytes | None = None) -> Arrived:
    content = payload or event_payload(StoredEvent(EPOCH, seq, event(EventKind.ACCESS), ""))
    return Arrived("edged/hq/front/event/access", content, len(content), False, handle=handle)


@dataclass
class FakeClient:
    """``steps`` says what each ``poll`` brings, then ``stop`` is called. ``told`` is what was said."""

    steps: list[list[Happening]]
    url: str
    now: float = 0.0
    connected: bool = True
    told: list[tuple[str, object]] = field(default_factory=list)
    collector: Collector | None = None

    def subscribe(self, topic: str) -> None:
        self.told.append(("subscribe", topic))

    def unsubscribe(self, topic: str) -> None:
        self.told.append(("unsubscribe", topic))

    def wake(self) -> None:
        pass

    def poll(self, timeout: float) -> list[Happening]:
        self.now += timeout
        if self.steps:
            return self.steps.pop(0)
        assert self.collector is not None
        self.collector.stop()
        return []

    def publish(self, topic: str, payload: bytes) -> int:
        assert topic == "edged/hq/front/events/ack"
        ids = parse_ack(Arrived(topic, payload, len(payload), False)).ids
        self.told.append(("ack", (len(ids), self.rows())))
        return 1

    def acknowledge(self, handle: int) -> None:
        self.told.append(("puback", (handle, self.rows())))

    def close(self, *, goodbye: bool) -> None:
        self.told.append(("close", goodbye))

    def rows(self) -> int:
        """How many events another process finds in the database at this moment."""
        link = open_link(self.url, writable=False)
        ((found,),) = link.execute("SELECT count(*) FROM events")
        link.close()
        return int(found)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:{tmp_path / 'events.db'}"


@dataclass
class Bench:
    client: FakeClient
    figures: Figures
    opened: int = 0

    def run(self, link: Link) -> list[tuple[str, object]]:
        assert self.client.collector is not None
        self.client.collector.run(link)
        return self.client.told


def bench(url: str, *steps: list[Happening]) -> Bench:
    made = Bench(FakeClient(list(steps), url), Figures(CollectorRegistry()))
    made.client.collector = Collector(
        made.client, TOPIC, "edged", lambda: open_link(url), made.figures,  # type: ignore[arg-type]
        clock=lambda: made.client.now, wall_clock=lambda: 1_800_000_000.0,
    )  # fmt: skip
    return made


def test_the_doors_and_the_broker_are_told_after_the_commit(url: str) -> None:
    made = bench(url, [arrived(1, 11), arrived(2, 12)])
    assert made.run(open_link(url)) == [
        ("subscribe", TOPIC), ("ack", (2, 2)), ("puback", (11, 2)), ("puback", (12, 2)),
        ("unsubscribe", TOPIC), ("close", True),
    ]  # fmt: skip


def test_a_burst_is_stored_in_batches(url: str) -> None:
    burst: list[Happening] = [arrived(seq, seq) for seq in range(1, BATCH + 1)]
    made = bench(url, burst, [arrived(BATCH + 1, BATCH + 1)])
    acks = [what for name, what in made.run(open_link(url)) if name == "ack"]
    assert acks == [(BATCH, BATCH), (1, BATCH + 1)]


def test_a_trickle_is_not_held_back_for_longer_than_a_batch_may_take(url: str) -> None:
    steps: list[list[Happening]] = [[arrived(seq, seq)] for seq in range(1, 101)]
    made = bench(url, *steps)
    acks = [what for name, what in made.run(open_link(url)) if name == "ack"]
    assert 1 < len(acks) <= 4


def test_what_is_no_event_is_freed_at_the_broker_and_not_at_the_door(url: str) -> None:
    made = bench(url, [arrived(1, 11, b"nonsense"), arrived(2, 12)])
    told = made.run(open_link(url))
    assert [what for name, what in told if name == "ack"] == [(1, 1)]
    assert [what[0] for name, what in told if name == "puback" and isinstance(what, tuple)] == [11, 12]
    assert made.figures.totals() == {"stored": 1, "duplicate": 0, "malformed": 1}


def test_a_second_event_of_a_number_is_stored_and_counted(url: str, caplog: pytest.LogCaptureFixture) -> None:
    made = bench(url, [arrived(1, 11), arrived(2, 12)], [arrived(2, 13)])
    made.run(open_link(url))
    assert made.figures.totals() == {"stored": 3, "duplicate": 0, "doubled": 1}
    assert "two events each" in caplog.text


def test_without_a_database_nobody_is_told_anything_and_the_group_is_left(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = bench(url, [arrived(1, 11)], [], [], [], [])
    store, failures = EventStore.store, [StoreError("gone"), StoreError("gone")]

    def failing(self: EventStore, *rest: object) -> object:
        if failures:
            raise failures.pop()
        return store(self, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(EventStore, "store", failing)
    told = made.run(open_link(url))
    assert told[:4] == [
        ("subscribe", TOPIC), ("unsubscribe", TOPIC), ("subscribe", TOPIC), ("unsubscribe", TOPIC)
    ]  # fmt: skip
    assert ("ack", (1, 1)) in told
    assert ("puback", (11, 1)) in told


def test_a_stop_without_a_database_frees_nothing(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object) -> None:
        raise StoreError("gone")

    monkeypatch.setattr(EventStore, "store", failing)
    made = bench(url, [arrived(1, 11)])
    assert [name for name, _ in made.run(open_link(url)) if name in ("ack", "puback")] == []


def test_handles_of_a_lost_connection_are_forgotten(url: str) -> None:
    made = bench(
        url,
        [
            arrived(1, 11),
            arrived(2, None),
            Disconnected("lost", "gone"),
            Connected("5", 1000, 20),
            arrived(1, 1),
        ],
    )
    told = made.run(open_link(url))
    assert [name_and[1] for name_and in told if name_and[0] == "puback"] == [(1, 2)]


def test_what_nobody_waits_for_does_not_fill_the_memory(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH", 5)
    made = bench(url, [arrived(seq, None) for seq in range(1, 16)])
    made.run(open_link(url))
    assert made.figures.totals() == {"stored": 10, "duplicate": 0, "dropped": 5}
