"""Replay beside delivery, with a broker that answers when told and a clock that stands still."""

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from edged.domain.types import EventKind
from edged.fleet.connection import Answer, Arrived
from edged.fleet.messages import parse_event
from edged.fleet.replay import ReplayRequest, ReplayResult, parse_replayed, replay_payload
from edged.fleet.topics import Topics
from edged.metric_labels import REPLAY_RESULTS, REPLAYED_RESULTS
from edged.metrics import Metrics
from edged.workers import replay
from edged.workers.replay import EVENTS_PER_SECOND, Replay
from tests.fakes.outbox import EPOCH, FakeOutbox, event

TOPICS = Topics("edged", "hq", "front")
GOT, NOBODY, DENIED, MALFORMED = 0x00, 0x10, 0x87, 0x99


class FakeBroker:
    """Takes what ``room`` allows; events wait for their answer, results are read at once."""

    def __init__(self) -> None:
        self.limit = 20
        self.max_bytes = 10_000
        self.waiting: list[tuple[int, int]] = []
        self.seen: list[int] = []
        self.results: list[ReplayResult] = []
        self.handles = 0
        self.most = 0
        self.dropped: list[str] = []

    def room(self) -> int:
        return self.limit - len(self.waiting)

    def fits(
        self, _topic: str, payload: bytes, _event_id: str | None = None, *, replayed: bool = False
    ) -> bool:
        return replayed and len(payload) <= self.max_bytes

    def publish(
        self, topic: str, payload: bytes, *, event_id: str | None = None, replayed: bool = False
    ) -> int | None:
        assert self.room() > 0
        self.handles += 1
        if topic == TOPICS.replayed:
            self.results.append(parse_replayed(Arrived(topic, payload, len(payload), False)))
            return self.handles
        found = parse_event(payload)
        assert (topic, event_id, replayed) == (TOPICS.event(found.kind.value), found.id, True)
        self.waiting.append((self.handles, found.seq))
        self.most = max(self.most, len(self.waiting))
        return self.handles

    def drop(self, why: str) -> None:
        self.dropped.append(why)


class Bench:
    def __init__(self, events: int = 0, window: int = 16) -> None:
        self.store = FakeOutbox()
        self.store.add(*(event() for _ in range(events)))
        self.broker = FakeBroker()
        self.metrics = Metrics(CollectorRegistry())
        self.now = 100.0
        self.replay = Replay(
            self.store, self.broker, TOPICS, self.metrics, window=window, clock=lambda: self.now
        )

    def ask(self, request: str = "one", **fields: object) -> None:
        message = ReplayRequest(v=1, request=request, **({"from_seq": 1} | fields))  # type: ignore[arg-type]
        self.say(replay_payload(message))

    def say(self, payload: bytes, *, retain: bool = False) -> None:
        self.replay.asked(Arrived(TOPICS.replay, payload, len(payload), retain))

    def pump(self, *, idle: bool = True) -> None:
        self.replay.pump(idle=idle)

    def answer_all(self, code: int = GOT) -> None:
        for handle, seq in self.broker.waiting:
            if code == GOT:
                self.broker.seen.append(seq)
            assert self.replay.answered(Answer(handle, code, f"code {code}"))
        self.broker.waiting.clear()

    def settle(self, seconds: float = 5.0, code: int = GOT) -> None:
        for _ in range(round(seconds * 50)):
            self.pump()
            self.answer_all(code)
            self.now += 0.02
        self.pump()

    def count(self, name: str, result: str) -> float:
        return self.metrics.registry.get_sample_value(f"edged_mqtt_{name}_total", {"result": result}) or 0.0

    @property
    def result(self) -> ReplayResult:
        return self.broker.results[-1]


def test_the_range_comes_in_order_and_its_end_is_told() -> None:
    bench = Bench(100)
    bench.ask(from_seq=11, to_seq=90)
    bench.settle()
    assert bench.broker.seen == list(range(11, 91))
    assert bench.result == ReplayResult(
        v=1, request="one", result="done", epoch=EPOCH, sent=80, oldest_seq=1, newest_seq=100
    )
    assert bench.count("replay_requests", "taken") == 1
    assert bench.count("replayed_events", "delivered") == 80


def test_nothing_is_sent_while_something_new_waits_and_at_most_half_of_the_window_is_used() -> None:
    bench = Bench(50, window=16)
    bench.ask()
    bench.pump(idle=False)
    assert bench.broker.waiting == []
    assert bench.replay.wait_seconds() == float("inf")
    bench.pump()
    assert bench.replay.in_flight == 8
    assert bench.replay.wait_seconds() == float("inf")  # an answer comes first
    bench.settle()
    assert bench.broker.most == 8
    assert bench.result.sent == 50


@pytest.mark.parametrize(("window", "most"), [(1, 1), (2, 1), (64, 20)])
def test_the_windows_of_door_and_broker_bound_what_is_in_flight(window: int, most: int) -> None:
    bench = Bench(100, window=window)
    bench.ask()
    bench.settle()
    assert bench.broker.most == most
    assert bench.result.sent == 100


def test_a_long_replay_keeps_its_rate() -> None:
    bench = Bench(600)
    bench.ask()
    bench.settle(2)
    assert len(bench.broker.seen) == pytest.approx(2 * EVENTS_PER_SECOND, abs=40)
    bench.settle(6)
    assert bench.result.sent == 600


def test_a_request_is_bounded_and_says_where_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "MOST_EVENTS", 300)
    bench = Bench(370)
    bench.ask()
    bench.settle(4)
    assert (bench.result.sent, bench.result.next_seq) == (300, 301)
    bench.ask("two", from_seq=301)
    bench.settle(2)
    assert bench.broker.seen == list(range(1, 371))
    assert bench.result.next_seq is None


def test_one_request_runs_and_the_others_are_refused_once_a_second() -> None:
    bench = Bench(100)
    bench.ask("one")
    bench.pump()
    for number in range(50):
        bench.ask(f"flood-{number}")
    bench.ask("one")
    bench.pump(idle=False)
    assert [one.result for one in bench.broker.results] == ["busy"]
    assert bench.result.request == "flood-0"
    assert bench.count("replay_requests", "busy") == 50
    assert bench.count("replay_requests", "repeated") == 1
    bench.settle()
    assert bench.result.request == "one"
    assert bench.result.sent == 100


def test_a_flood_of_small_requests_begins_one_a_second() -> None:
    bench = Bench(5)
    for number in range(100):
        bench.ask(f"flood-{number}", to_seq=1)
        bench.settle(0.1)
    assert bench.count("replay_requests", "taken") == pytest.approx(10, abs=2)
    assert len(bench.broker.results) <= 24


def test_what_is_recorded_meanwhile_is_not_replayed_since_it_is_sent_anyway() -> None:
    bench = Bench(100)
    bench.ask()
    bench.pump()
    bench.store.add(event(), event())
    bench.settle()
    assert bench.broker.seen == list(range(1, 101))
    assert bench.result.newest_seq == 100


def test_numbers_the_journal_holds_no_more_are_said_to_be_gone() -> None:
    bench = Bench(100)
    bench.store.prune(40)
    bench.ask(from_seq=11, to_seq=60)
    bench.settle()
    assert bench.broker.seen == list(range(41, 61))
    assert (bench.result.gone, bench.result.oldest_seq) == (30, 41)


def test_beyond_the_newest_there_is_nothing_and_that_is_said() -> None:
    bench = Bench(3)
    bench.ask(from_seq=4)
    bench.settle(1)
    assert (bench.result.result, bench.result.sent, bench.result.next_seq) == ("done", 0, None)


def test_a_lost_connection_ends_it_and_the_next_one_hears_where_to_go_on() -> None:
    bench = Bench(100)
    bench.ask()
    bench.pump()
    handle, seq = bench.broker.waiting.pop(0)
    bench.replay.answered(Answer(handle, GOT, ""))
    bench.replay.disconnected()
    assert bench.replay.in_flight == 0
    assert bench.broker.results == []
    bench.broker.waiting.clear()
    bench.pump()
    assert (bench.result.result, bench.result.sent, bench.result.next_seq) == ("interrupted", 1, seq + 1)
    bench.settle(1)
    assert bench.broker.seen == []  # nothing goes on by itself


def test_what_nobody_hears_and_what_cannot_be_sent_is_counted_and_passed() -> None:
    bench = Bench(3)
    bench.ask()
    bench.settle(1, NOBODY)
    assert (bench.result.sent, bench.result.unheard) == (0, 3)
    bench.store.add(event(EventKind.ALARM, {"type": "x" * 10_000}), event())
    bench.now += 1
    bench.ask("two", from_seq=4)
    bench.settle(1)
    assert (bench.result.sent, bench.result.unsendable) == (1, 1)
    bench.now += 1
    bench.ask("three", from_seq=1, to_seq=2)
    bench.settle(1, MALFORMED)
    assert (bench.result.sent, bench.result.unsendable) == (0, 2)


def test_a_broker_that_refuses_ends_it() -> None:
    bench = Bench(100)
    bench.ask()
    bench.settle(1, DENIED)
    assert bench.result.result == "failed"
    assert bench.result.reason == "the broker refuses: code 135"
    assert bench.result.next_seq == 1
    assert bench.count("replayed_events", "refused") == 8


def test_a_disk_that_cannot_be_read_refuses_and_ends_it() -> None:
    bench = Bench(100)
    bench.store.down = True
    bench.ask()
    bench.pump()
    assert bench.result.result == "failed"
    bench.store.down = False
    bench.now += 2
    bench.ask("two")
    bench.settle(0.3)
    bench.store.down = True
    bench.settle(2)
    assert (bench.result.request, bench.result.result) == ("two", "failed")
    assert bench.result.next_seq == bench.result.sent + 1


def test_of_another_epoch_nothing_is_sent() -> None:
    bench = Bench(5)
    bench.ask(epoch="another")
    bench.settle(1)
    assert (bench.result.result, bench.result.epoch) == ("epoch", EPOCH)
    bench.now += 1
    bench.ask("two", epoch=EPOCH)
    bench.settle(0.5)
    bench.now += 1
    assert bench.result.sent == 5


def test_a_journal_made_anew_in_between_ends_it() -> None:
    bench = Bench(200)
    bench.ask()
    bench.settle(0.1)
    bench.store.epoch = "f" * 16
    bench.settle(3)
    assert (bench.result.result, bench.result.epoch) == ("failed", EPOCH)
    assert bench.result.sent < 200


def test_an_answer_that_does_not_come_ends_the_connection() -> None:
    bench = Bench(5)
    bench.ask()
    bench.pump()
    bench.now += 31
    bench.pump()
    assert len(bench.broker.dropped) == 1


def test_answers_to_others_are_left_to_them() -> None:
    assert not Bench().replay.answered(Answer(7, GOT, ""))


@pytest.mark.parametrize(
    ("payload", "retain", "result"),
    [
        (b'{"v":1,"request":"a","from_seq":1}', True, "retained"),
        (b"", False, "malformed"),
        (b"[" * 900, False, "malformed"),
        (b'{"v":1,"request":"a"}', False, "malformed"),
        (b'{"v":1,"request":"a","from_seq":0}', False, "malformed"),
        (b'{"v":1,"request":"a","from_seq":5,"to_seq":4}', False, "malformed"),
        (b'{"v":1,"request":"a/#","from_seq":5}', False, "malformed"),
        (b'{"v":1,"request":"a","from_seq":5,"topic":"edged/x"}', False, "malformed"),
        (b" " * 1025, False, "oversized"),
    ],
)
def test_what_is_no_request_is_counted_by_its_name_and_answered_by_nothing(
    payload: bytes, retain: bool, result: str
) -> None:
    bench = Bench(5)
    bench.say(payload, retain=retain)
    bench.settle(1)
    assert bench.count("replay_requests", result) == 1
    assert bench.broker.results == []
    assert bench.broker.seen == []


def test_each_result_is_counted_from_the_first_day() -> None:
    registry = Bench().metrics.registry
    for name, results in (("replay_requests", REPLAY_RESULTS), ("replayed_events", REPLAYED_RESULTS)):
        for result in results:
            assert registry.get_sample_value(f"edged_mqtt_{name}_total", {"result": result}) == 0


def test_the_largest_result_is_read_back() -> None:
    result = ReplayResult(
        v=1, request="r" * 64, result="interrupted", reason="x" * 200, epoch="e" * 64, sent=2**53 - 1,
        unheard=2**53 - 1, unsendable=2**53 - 1, gone=2**53 - 1, oldest_seq=2**53 - 1,
        newest_seq=2**53 - 1, next_seq=2**53 - 1,
    )  # fmt: skip
    payload = replay_payload(result)
    assert parse_replayed(Arrived(TOPICS.replayed, payload, len(payload), False)) == result
    assert msgspec.json.decode(payload)["next_seq"] == 2**53 - 1
