import json
from collections import deque
from dataclasses import dataclass, field
from itertools import pairwise

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
from edged.workers.receipts import MOST
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

    def __init__(
        self,
        window: int = 4,
        receive_maximum: int = 20,
        max_bytes: int = 10_000,
        app_ack_seconds: float | None = None,
    ) -> None:
        self.outbox: FakeOutbox = FakeOutbox()
        self.broker = FakeBroker(receive_maximum, max_bytes)
        self.metrics = Metrics(CollectorRegistry())
        self.now = 100.0
        outbox: Outbox = self.outbox
        self.delivery = Delivery(
            outbox, self.broker, TOPICS, self.metrics, boot_id="boot-1", window=window,
            app_ack_seconds=app_ack_seconds, clock=lambda: self.now,
        )  # fmt: skip
        self.delivery.connected()

    def answer_all(self, code: int) -> None:
        while self.broker.waiting:
            self.delivery.answered(self.broker.answer(code))

    def settle(self, seconds: int) -> None:
        """Let time pass with a broker that takes everything."""
        for _ in range(seconds):
            self.delivery.pump()
            self.answer_all(GOT)
            self.now += 1

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


def test_what_the_broker_finds_malformed_is_put_aside() -> None:
    bench = Bench()
    bench.outbox.add(event(), event())
    bench.delivery.pump()
    bench.delivery.answered(bench.broker.answer(0x99))
    bench.answer_all(GOT)
    bench.delivery.pump()
    assert list(bench.outbox.quarantined) == [1]
    assert bench.seqs() == [2]
    assert bench.count("refused") == 1


@pytest.mark.parametrize("code", [0x80, 0x83, DENIED, 0x90, QUOTA])
def test_two_hours_of_a_fault_that_can_be_mended_cost_no_event(code: int) -> None:
    bench = Bench()
    bench.outbox.add(*(event() for _ in range(20)))
    for _ in range(7200):
        bench.delivery.pump()
        bench.answer_all(code)
        bench.now += 1
    assert bench.outbox.quarantined == {}
    assert bench.broker.handles < 400
    bench.settle(3600)
    assert sorted(bench.seqs()) == list(range(1, 21))
    if code not in (0x80, 0x83):  # these may be about one event, so later ones had their turn
        assert bench.seqs() == list(range(1, 21))


def test_no_rights_on_one_topic_hold_up_no_other_and_a_new_connection_tries_again() -> None:
    bench = Bench()
    bench.outbox.add(event(EventKind.ALARM), event(), event(EventKind.ALARM), event())
    for _ in range(300):
        bench.delivery.pump()
        while bench.broker.waiting:
            alarm = bench.broker.waiting[0][1] == TOPICS.event("alarm")
            bench.delivery.answered(bench.broker.answer(DENIED if alarm else GOT))
        bench.now += 1
    assert bench.seqs() == [2, 4]
    bench.lose("unreachable")
    bench.delivery.pump()
    bench.answer_all(GOT)
    assert bench.seqs() == [2, 4, 1, 3]


def test_an_event_refused_each_time_lets_later_ones_of_its_topic_pass_and_is_tried_on() -> None:
    bench = Bench()
    bench.outbox.add(event(), event(), event())
    tries = []
    for _ in range(4 * 3600):
        bench.delivery.pump()
        while bench.broker.waiting:
            bad = bench.broker.waiting[0][2]["seq"] == 1
            tries += [bench.now] * bad
            bench.delivery.answered(bench.broker.answer(0x80 if bad else GOT))
        bench.now += 1
    assert bench.seqs() == [2, 3]
    assert len(tries) < 30
    assert tries[-1] - tries[-2] == pytest.approx(1800, abs=2)
    bench.settle(1801)
    assert bench.seqs() == [2, 3, 1]


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


def test_a_row_that_ends_every_connection_is_tried_alone_ever_more_rarely() -> None:
    bench = Bench()
    bench.outbox.add(event(EventKind.ALARM), event(), event())
    losses = []
    for second in range(4 * 3600):
        if second % 60 == 59:
            bench.outbox.add(event())
        bench.delivery.pump()
        if any(message["seq"] == 1 for _, _, message in bench.broker.waiting):
            losses.append(bench.now)
            bench.lose()
        bench.answer_all(GOT)
        bench.now += 1
    assert bench.seqs() == list(range(2, 4 + 4 * 60))
    assert len(losses) < 20
    assert losses[-1] - losses[-2] == pytest.approx(1800, abs=2)
    assert bench.outbox.quarantined == {}
    bench.settle(1801)
    assert bench.seqs()[-1] == 1


def test_many_rows_that_end_connections_do_so_one_at_a_time() -> None:
    bench = Bench()
    bench.outbox.add(*(event() for _ in range(30)))
    losses = []
    for _ in range(7200):
        bench.delivery.pump()
        if any(int(str(message["seq"])) <= 20 for _, _, message in bench.broker.waiting):
            losses.append(bench.now)
            bench.lose()
        bench.answer_all(GOT)
        bench.now += 1
    assert sorted(map(int, map(str, bench.seqs()))) == list(range(21, 31))
    later = [one for one in losses if one > 200]
    assert min(b - a for a, b in pairwise(later)) >= 30
    bench.settle(1801)
    assert set(bench.seqs()) == set(range(1, 31))


def test_waiting_for_a_held_row_is_no_busy_loop() -> None:
    bench = Bench()
    bench.outbox.add(event())
    for _ in range(3):
        bench.delivery.pump()
        bench.lose()
    bench.outbox.add(*(event() for _ in range(3)))
    bench.delivery.pump()
    assert bench.delivery.in_flight == 1  # rows go one by one until one gets through
    bench.now += 31
    assert bench.delivery.retry_seconds() > 0
    bench.delivery.pump()
    assert bench.delivery.in_flight == 1
    bench.answer_all(GOT)
    bench.delivery.pump()
    assert [message["seq"] for _, _, message in bench.broker.waiting] == [1]


def test_what_is_put_back_goes_out_again_in_order() -> None:
    bench = Bench(max_bytes=1000)
    big = {"x": "y" * 2000}
    bench.outbox.add(event(body=big), event(), event(body=big))
    bench.settle(3)
    assert list(bench.outbox.quarantined) == [1, 3]
    bench.broker.max_bytes = 10_000
    bench.outbox.asked = [1, 3]
    bench.delivery.put_back()
    bench.outbox.add(event())
    bench.settle(3)
    assert bench.seqs() == [2, 1, 3, 4]


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
    assert bench.outbox.quarantined == {}
    assert set(bench.seqs()) == set(range(1, len(kinds) + 1))


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


def test_with_application_acknowledgement_a_row_leaves_after_the_collectors_word() -> None:
    bench = Bench(app_ack_seconds=30.0)
    (row,) = bench.outbox.add(event())
    bench.settle(29)
    assert bench.outbox.outbox().rows == 1
    assert bench.seqs() == [1]
    assert bench.delivery.acknowledged([row.event.event_id, "forged"]) == (1, 1)
    assert bench.delivery.acknowledged([row.event.event_id]) == (0, 1)
    bench.delivery.pump()
    assert bench.outbox.removed == [1]


def test_a_word_that_comes_before_the_brokers_answer_counts() -> None:
    bench = Bench(app_ack_seconds=30.0)
    (row,) = bench.outbox.add(event())
    bench.delivery.pump()
    assert bench.delivery.acknowledged([row.event.event_id]) == (1, 0)
    bench.settle(100)
    assert bench.seqs() == [1]
    assert bench.outbox.removed == [1]


def test_a_row_the_collector_missed_is_sent_again_under_its_id_and_less_and_less_often() -> None:
    bench = Bench(app_ack_seconds=30.0)
    bench.outbox.add(event())
    bench.settle(3600)
    assert 5 <= len(bench.seqs()) <= 8
    assert len({message["id"] for message in bench.broker.seen}) == 1
    assert bench.outbox.outbox().rows == 1


def test_a_silent_collector_neither_blocks_what_is_new_nor_brings_a_flood() -> None:
    bench = Bench(window=16, app_ack_seconds=30.0)
    bench.outbox.add(*(event() for _ in range(1000)))
    bench.settle(300)
    assert set(bench.seqs()) == set(range(1, 1001))
    assert bench.delivery.unacknowledged <= MOST
    before = len(bench.broker.seen)
    bench.settle(3600)
    assert len(bench.broker.seen) - before < 10 * MOST
    assert bench.outbox.outbox().rows == 1000


def test_a_collector_that_speaks_again_gets_everything_it_missed() -> None:
    bench = Bench(window=16, app_ack_seconds=30.0)
    bench.outbox.add(*(event() for _ in range(1000)))
    bench.settle(200)
    heard = len(bench.broker.seen)
    bench.delivery.acknowledged([str(bench.broker.seen[-1]["id"])])
    for _ in range(400):
        bench.settle(1)
        bench.delivery.acknowledged([str(message["id"]) for message in bench.broker.seen[heard:]])
        heard = len(bench.broker.seen)
    bench.settle(1)
    assert bench.outbox.outbox().rows == 0


def test_after_a_lost_connection_unacknowledged_rows_go_first_and_in_order() -> None:
    bench = Bench(window=16, app_ack_seconds=30.0)
    bench.outbox.add(*(event() for _ in range(40)))
    bench.settle(5)
    bench.lose()
    bench.broker.seen.clear()
    bench.outbox.add(event())
    bench.settle(8)
    assert bench.seqs() == list(range(1, 42))
