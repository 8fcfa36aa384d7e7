"""A collector that lost events gets them again: from a real journal, through a real broker."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ulid import ULID

from edged.config.sections import JournalConfig
from edged.fleet.connection import Arrived
from edged.fleet.replay import MAX_REQUEST_BYTES, ReplayRequest, ReplayResult, parse_replayed, replay_payload
from edged.storage.journal import Journal
from tests.fakes.collector import Collector, eventually
from tests.fakes.mosquitto import Mosquitto, mosquitto
from tests.fakes.outbox import event
from tests.integration.fleet.conftest import ALL, TOPICS, Rig, mqtt_config

Start = Callable[..., Rig]
EVENTS = 120


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = Journal.open(JournalConfig(path=tmp_path / "journal.db"))
    yield opened
    opened.close()


def fill(journal: Journal, count: int = EVENTS) -> list[str]:
    return [one.event.event_id for one in journal.submit([event() for _ in range(count)]).result()]


def ask(collector: Collector, **fields: object) -> str:
    request = str(ULID())
    message = ReplayRequest(v=1, request=request, **({"from_seq": 1} | fields))  # type: ignore[arg-type]
    collector.say(TOPICS.replay, replay_payload(message))
    return request


def answer(collector: Collector, request: str) -> ReplayResult:
    def found() -> list[ReplayResult]:
        messages = [Arrived(TOPICS.replayed, one, len(one), False) for one in collector.on(TOPICS.replayed)]
        return [one for one in map(parse_replayed, messages) if one.request == request]

    eventually(found)
    return found()[0]


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_collector_wiped_clean_gets_everything_again_as_it_was(
    broker: Mosquitto, start: Start, journal: Journal, protocol: str
) -> None:
    with Collector(broker.port, ALL) as collector:
        rig = start(mqtt_config(broker.port, replay=True, protocol=protocol), journal)
        ids = fill(journal)
        eventually(lambda: len(collector.events) == EVENTS)
        before = [
            json.loads(one.payload) for one in collector.messages if one.event_id or "/event/" in one.topic
        ]
        collector.forget()
        result = answer(collector, ask(collector))
        assert (result.result, result.sent, result.gone, result.next_seq) == ("done", EVENTS, 0, None)
        assert (result.oldest_seq, result.newest_seq) == (1, EVENTS)
        assert [one.id for one in collector.events] == ids
        assert collector.seqs == list(range(1, EVENTS + 1))
        again = [one for one in collector.messages if "/event/" in one.topic]
        assert [json.loads(one.payload) | {"historical": False} for one in again] == [
            one | {"historical": False} for one in before
        ]
        assert {one.replayed for one in again} == {protocol == "5"}
        assert not any(one.retain for one in again)
        assert journal.outbox().rows == 0
        assert rig.sample("edged_mqtt_replayed_events_total", result="delivered") == EVENTS
        assert rig.sample("edged_mqtt_replay_running") == 0


def test_what_a_killed_broker_lost_although_it_acknowledged_it_is_restored(
    tmp_path: Path, start: Start, journal: Journal
) -> None:
    # Mosquitto's default: it writes its queue down every half hour.
    with mosquitto(tmp_path / "broker", "autosave_interval 1800", "autosave_on_changes false") as broker:
        with Collector(broker.port, ALL) as collector:
            rig = start(mqtt_config(broker.port, replay=True), journal)
            fill(journal, 10)
            eventually(lambda: len(collector.events) == 10)
        fill(journal)  # queued at the broker for a collector that is away
        eventually(lambda: journal.outbox().rows == 0)
        broker.kill()
        broker.start()
        eventually(lambda: rig.worker.connected)
        with Collector(broker.port, ALL) as collector:
            fill(journal, 5)
            eventually(lambda: len(collector.events) == 5)
            assert collector.seqs == list(range(EVENTS + 11, EVENTS + 16))  # the gap a collector sees
            result = answer(collector, ask(collector, from_seq=11, to_seq=EVENTS + 10, epoch=journal.epoch))
            assert result.sent == EVENTS
            missing = set(range(11, EVENTS + 16)) - set(collector.seqs)
            assert missing == set()


def test_a_journal_of_an_earlier_start_is_replayed_and_what_is_gone_is_said(
    broker: Mosquitto, start: Start, tmp_path: Path
) -> None:
    config = JournalConfig(path=tmp_path / "journal.db", max_rows=1000)
    earlier = Journal.open(config, deliver=False)
    for _ in range(11):
        fill(earlier, 100)
    earlier.close()
    journal = Journal.open(config)
    try:
        with Collector(broker.port, ALL) as collector:
            rig = start(mqtt_config(broker.port, replay=True), journal)
            eventually(lambda: collector.on(TOPICS.availability) == [b"online"])
            result = answer(collector, ask(collector, to_seq=150))
            assert result.oldest_seq > 100
            assert result.gone == result.oldest_seq - 1
            assert result.sent == 150 - result.gone
            assert result.newest_seq == 1100
            rig.stop()
    finally:
        journal.close()


def test_what_is_no_request_is_counted_and_asks_for_nothing(
    broker: Mosquitto, start: Start, journal: Journal
) -> None:
    with Collector(broker.port, ALL) as collector:
        good = replay_payload(ReplayRequest(v=1, request="late", from_seq=1))
        collector.say(TOPICS.replay, good, retain=True)
        rig = start(mqtt_config(broker.port, replay=True), journal)
        fill(journal, 3)
        eventually(lambda: len(collector.events) == 3)
        collector.say(TOPICS.replay, b'{"v":1,"request":"x","from_seq":0}')
        collector.say(TOPICS.replay, b" " * (MAX_REQUEST_BYTES + 1))
        wrong = ask(collector, epoch="another")
        assert answer(collector, wrong).result == "epoch"
        counted = "edged_mqtt_replay_requests_total"
        for result in ("retained", "malformed", "oversized", "epoch"):
            eventually(lambda result=result: rig.sample(counted, result=result) == 1)
        assert len(collector.events) == 3
        assert len(collector.on(TOPICS.replayed)) == 1


def test_without_the_option_nobody_is_heard(broker: Mosquitto, start: Start, journal: Journal) -> None:
    with Collector(broker.port, ALL) as collector:
        rig = start(mqtt_config(broker.port), journal)
        fill(journal, 3)
        eventually(lambda: len(collector.events) == 3)
        ask(collector)
        fill(journal, 1)
        eventually(lambda: len(collector.events) == 4)
        assert rig.sample("edged_mqtt_replay_requests_total", result="taken") == 0
        assert collector.on(TOPICS.replayed) == []
