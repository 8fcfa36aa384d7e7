import json
from collections import deque
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from edged.domain.types import EventKind
from edged.fleet.broker import Disconnected
from edged.fleet.connection import Answer
from edged.fleet.topics import Topics
from edged.metrics import Metrics
from edged.workers.delivery import Delivery, Outbox
from tests.fakes.outbox import FakeOutbox, event

TOPICS = Topics("edged", "hq", "front")
GOT, NOBODY, DENIED, QUOTA = 0x00, 0x10, 0x87, 0x97


@dataclass
class FakeBroker:
    """Takes ``receive_maximum`` messages and answers when told, in order, as MQTT does."""

    receive_maximum: int = 20
    max_bytes: int = 10_000
    waiting: deque[tuple[int, str, dict[str, object]]] = field(default_factory=deque)
    seen: list[dict[str, object]] = field(default_factory=list)
    most: int = 0
    dropped: list[str] = field(default_factory=list)
    handles: int = 0

    def room(self) -> int:
        return self.receive_maximum - len(self.waiting)

    def fits(self, topic: str, payload: bytes, event_id: str | None = None) -> bool:
        return len(payload) <= self.max_bytes

    def publish(
        self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False, event_id: str | None = None
    ) -> int:
        assert self.room() > 0
        assert not retain
        self.handles += 1
        self.waiting.append((self.handles, topic, json.loads(payload)))
        self.most = max(self.most, len(self.waiting))
        return self.handles

    def drop(self, why: str) -> None:
        self.dropped.append(why)

    def answer(self, code: int) -> Answer:
        handle, _, message = self.waiting.popleft()
        if code == GOT:
            self.seen.append(message)
        return Answer(handle, code, f"code {code}")


class Bench:
    """A delivery, its outbox, its broker and a clock that stands still."""

    def __init__(self, window: int = 4, receive_maximum: int = 20, max_bytes: int = 10_000) -> None:
        self.outbox: FakeOutbox = FakeOutbox()
        self.broker = FakeBroker(receive_maximum, max_bytes)
        self.metrics = Metrics(CollectorRegistry())
        self.now = 100.0
        outbox: Outbox = self.outbox
        self.delivery = Delivery(
            outbox, self.broker, TOPICS, self.metrics, boot_id="boot-1", window=window, clock=lambda: self.now
        )
        self.delivery.connected()

    def answer_all(self, code: int) -> None:
        while self.broker.waiting:
            self.delivery.answered(self.broker.answer(code))

    def seqs(self) -> list[object]:
        return [message["seq"] for message in self.broker.seen]

    def lose(self, cause: str = "lost") -> None:
        self.broker.waiting.clear()
        self.delivery.disconnected(Disconnected(cause, "gone"))  # type: ignore[arg-type]
        self.delivery.connected()

    def count(self, result: str) -> float | None:
        return self.metrics.registry.get_sample_value("edged_mqtt_publishes_total", {"result": result})


def test_rows_go_out_in_order_and_leave_the_outbox_after_their_answer() -> None:
    bench = Bench()
    bench.outbox.add(*(event() for _ in range(10)))
    bench.delivery.pump()
    assert bench.outbox.outbox().rows == 10
    while bench.broker.waiting:
        bench.answer_all(GOT)
        bench.delivery.pump()
    assert bench.seqs() == list(range(1, 11)) == bench.outbox.removed
    assert bench.broker.most == 4
    assert bench.count("delivered") == 10


def test_the_brokers_own_limit_narrows_the_window() -> None:
    bench = Bench(window=16, receive_maximum=2)
    bench.outbox.add(*(event() for _ in range(10)))
    bench.delivery.pump()
    assert bench.delivery.in_flight == 2


def test_a_row_nobody_hears_stays_and_does_not_hold_up_other_topics() -> None:
    bench = Bench()
    bench.outbox.add(*(event(EventKind.SYSTEM) for _ in range(4)))
    bench.delivery.pump()
    bench.answer_all(NOBODY)
    bench.outbox.add(event(EventKind.ACCESS), event(EventKind.SYSTEM))
    bench.delivery.pump()
    bench.answer_all(GOT)
    bench.delivery.pump()
    assert bench.seqs() == [5]
    assert bench.outbox.outbox().rows == 5
    assert bench.count("nobody") == 4
    bench.now += bench.delivery.retry_seconds()
    bench.delivery.pump()
    assert bench.delivery.in_flight == 1  # one is tried before the others follow
    while bench.broker.waiting:
        bench.answer_all(GOT)
        bench.delivery.pump()
    assert bench.seqs() == [5, 1, 2, 3, 4, 6]
    assert bench.outbox.outbox().rows == 0


@pytest.mark.parametrize("code", [DENIED, 0x90, 0x99])
def test_a_permanent_refusal_puts_the_row_aside(code: int) -> None:
    bench = Bench()
    bench.outbox.add(event(), event())
    bench.delivery.pump()
    bench.delivery.answered(bench.broker.answer(code))
    bench.answer_all(GOT)
    bench.delivery.pump()
    assert list(bench.outbox.quarantined) == [1]
    assert bench.seqs() == [2]
    assert bench.count("refused") == 1


def test_a_passing_refusal_is_tried_again_and_at_last_put_aside() -> None:
    bench = Bench()
    bench.outbox.add(event())
    for tries in range(1, 9):
        bench.delivery.pump()
        assert bench.delivery.in_flight == 1, tries
        bench.answer_all(QUOTA)
        bench.now += 60
    bench.delivery.pump()
    assert list(bench.outbox.quarantined) == [1]
    assert bench.count("failed") == 8


def test_a_row_too_large_is_put_aside_unsent() -> None:
    bench = Bench(max_bytes=1000)
    bench.outbox.add(event(body={"x": "y" * 2000}), event())
    bench.delivery.pump()
    bench.answer_all(GOT)
    bench.delivery.pump()
    assert list(bench.outbox.quarantined) == [1]
    assert bench.seqs() == [2]
    assert bench.count("oversized") == 1


def test_a_row_that_cannot_be_written_is_put_aside() -> None:
    bench = Bench()
    bench.outbox.add(event(body={"seq": 1}), event())
    bench.delivery.pump()
    bench.delivery.pump()
    assert list(bench.outbox.quarantined) == [1]
    assert bench.delivery.in_flight == 1


def test_more_poison_than_the_window_holds_is_worked_off() -> None:
    bench = Bench(window=4)
    bench.outbox.add(*(event(body={"seq": 1}) for _ in range(20)), event())
    for _ in range(10):
        bench.delivery.pump()
    bench.answer_all(GOT)
    assert len(bench.outbox.quarantined) == 20
    assert bench.seqs() == [21]


def test_after_a_reconnect_what_was_in_flight_goes_out_again() -> None:
    bench = Bench()
    bench.outbox.add(*(event() for _ in range(6)))
    bench.delivery.pump()
    bench.delivery.answered(bench.broker.answer(GOT))
    bench.lose()
    bench.delivery.pump()
    bench.answer_all(GOT)
    bench.delivery.pump()
    bench.answer_all(GOT)
    assert bench.seqs() == [1, 2, 3, 4, 5, 6]


def test_an_answer_of_an_earlier_connection_is_ignored() -> None:
    bench = Bench()
    bench.outbox.add(event())
    bench.delivery.pump()
    late = bench.broker.answer(GOT)
    bench.lose()
    bench.delivery.answered(late)
    bench.delivery.pump()
    assert bench.delivery.in_flight == 1
    assert bench.outbox.outbox().rows == 1


def test_a_row_that_ends_every_connection_is_put_aside_alone() -> None:
    bench = Bench()
    bench.outbox.add(event(), event(), event())
    for _ in range(6):
        bench.delivery.pump()
        assert bench.broker.waiting[0][2]["seq"] == 1
        bench.lose()
    bench.delivery.pump()
    bench.answer_all(GOT)
    assert list(bench.outbox.quarantined) == [1]
    assert bench.seqs() == [2, 3]


def test_a_broker_that_hangs_is_no_fault_of_the_row() -> None:
    bench = Bench()
    bench.outbox.add(event())
    for _ in range(20):
        bench.delivery.pump()
        bench.lose("stalled")
    assert bench.outbox.quarantined == {}


def test_a_publish_without_an_answer_ends_the_connection() -> None:
    bench = Bench()
    bench.outbox.add(event())
    bench.delivery.pump()
    bench.now += 29
    bench.delivery.pump()
    assert bench.broker.dropped == []
    bench.now += 2
    bench.delivery.pump()
    assert len(bench.broker.dropped) == 1


def test_a_disk_that_fails_stops_the_flow_and_loses_nothing() -> None:
    bench = Bench()
    bench.outbox.add(*(event() for _ in range(10)))
    bench.delivery.pump()
    bench.outbox.down = True
    bench.answer_all(GOT)
    for _ in range(5):
        bench.delivery.pump()
    assert bench.delivery.in_flight == 0
    bench.outbox.down = False
    while bench.outbox.outbox().rows:
        bench.delivery.pump()
        bench.answer_all(GOT)
    assert bench.seqs() == list(range(1, 11))


def test_what_was_stored_before_the_connection_is_historical() -> None:
    bench = Bench(window=10)
    bench.outbox.add(
        event(monotonic_at=99.0), event(monotonic_at=100.5), event(monotonic_at=100.5, boot_id="boot-0")
    )
    bench.now = 101.0
    bench.delivery.pump()
    assert [message["historical"] for _, _, message in bench.broker.waiting] == [True, False, True]


def test_what_waited_long_for_a_listener_is_historical() -> None:
    bench = Bench()
    bench.outbox.add(event(monotonic_at=100.5))
    bench.now = 140.0
    bench.delivery.pump()
    assert bench.broker.waiting[0][2]["historical"] is True


ANSWERS = st.sampled_from([GOT, GOT, GOT, NOBODY, QUOTA, DENIED, -1, -2])


@settings(max_examples=60, deadline=None)
@given(
    kinds=st.lists(st.sampled_from(EventKind), min_size=1, max_size=40),
    answers=st.lists(ANSWERS, max_size=120),
    window=st.integers(1, 16),
)
def test_whatever_the_broker_answers_no_row_is_lost(
    kinds: list[EventKind], answers: list[int], window: int
) -> None:
    bench = Bench(window=window)
    bench.outbox.add(*(event(kind) for kind in kinds))
    for code in answers:
        bench.now += 0.3
        bench.delivery.pump()
        if code == -1:
            bench.lose()
        elif code == -2:
            bench.outbox.down = not bench.outbox.down
        elif bench.broker.waiting:
            bench.delivery.answered(bench.broker.answer(code))
        assert len(bench.broker.waiting) <= window
    bench.outbox.down = False
    for _ in range(400):
        bench.now += 60
        bench.delivery.pump()
        bench.answer_all(GOT)
    assert bench.outbox.outbox().rows == 0
    arrived = set(bench.seqs()) | set(bench.outbox.quarantined)
    assert arrived == set(range(1, len(kinds) + 1))


@given(
    kinds=st.lists(st.sampled_from(EventKind), min_size=1, max_size=60), losses=st.sets(st.integers(0, 60))
)
def test_heard_rows_arrive_first_in_their_order(kinds: list[EventKind], losses: set[int]) -> None:
    bench = Bench()
    bench.outbox.add(*(event(kind) for kind in kinds))
    for turn in range(200):
        bench.delivery.pump()
        if turn in losses and turn % 2:
            bench.lose("stalled")
        elif bench.broker.waiting:
            bench.delivery.answered(bench.broker.answer(GOT))
    assert list(dict.fromkeys(bench.seqs())) == list(range(1, len(kinds) + 1))
