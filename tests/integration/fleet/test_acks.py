"""A collector that says itself what it has stored; brokers that lose what they acknowledged."""

from collections.abc import Callable

import pytest
from ulid import ULID

from edged.fleet.acks import MAX_ACK_BYTES, ack_payload
from edged.fleet.messages import parse_event
from tests.fakes.collector import Collector, eventually
from tests.fakes.mosquitto import Mosquitto
from tests.fakes.outbox import event
from tests.integration.fleet.conftest import ALL, TOPICS, Rig, mqtt_config

Start = Callable[..., Rig]


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_what_the_collector_lost_comes_again_under_the_same_id(
    broker: Mosquitto, start: Start, protocol: str
) -> None:
    with Collector(broker.port, ALL, acks=True) as collector:
        collector.lose = 3
        rig = start(mqtt_config(broker.port, app_ack=True, app_ack_seconds=1, protocol=protocol))
        stored = rig.outbox.add(*(event() for _ in range(10)))
        eventually(lambda: rig.outbox.outbox().rows == 0)
        assert {parse_event(one.payload).id for one in collector.lost} == {
            one.event.event_id for one in stored[:3]
        }
        assert {one.id for one in collector.events} == {one.event.event_id for one in stored}
        assert rig.sample("edged_mqtt_app_ack_resends_total") >= 3
        assert rig.sample("edged_mqtt_app_acks_total", result="taken") == 10


def test_without_the_option_the_brokers_word_is_enough(broker: Mosquitto, start: Start) -> None:
    with Collector(broker.port, ALL):
        rig = start(mqtt_config(broker.port))
        rig.outbox.add(event())
        eventually(lambda: rig.outbox.outbox().rows == 0)


def test_a_silent_collector_keeps_the_rows_in_the_outbox_over_connections(
    broker: Mosquitto, start: Start
) -> None:
    with Collector(broker.port, ALL) as collector:
        rig = start(mqtt_config(broker.port, app_ack=True, app_ack_seconds=600))
        rig.outbox.add(*(event() for _ in range(40)))
        eventually(lambda: rig.published("delivered") >= 40)
        broker.kill()
        for left in broker._folder.glob("mosquitto.db*"):
            left.unlink()  # a broker that lost everything it acknowledged
        assert rig.outbox.outbox().rows == 40
        collector.acks = True
        broker.start()
        eventually(lambda: rig.outbox.outbox().rows == 0, 60)
        assert collector.seqs == list(range(1, 41))


def test_what_is_no_acknowledgement_is_counted_and_takes_nothing_away(
    broker: Mosquitto, start: Start
) -> None:
    with Collector(broker.port, ALL) as collector:
        collector.say(TOPICS.ack, ack_payload([str(ULID())]), retain=True)
        rig = start(mqtt_config(broker.port, app_ack=True))
        (stored,) = rig.outbox.add(event())
        eventually(lambda: rig.published("delivered") == 1)
        collector.say(TOPICS.ack, b'{"v":1,"ids":["*"]}')
        collector.say(TOPICS.ack, b" " * (MAX_ACK_BYTES + 1))
        collector.say(TOPICS.ack, b" " * 1_000_000)  # beyond what we told the broker to send us
        collector.say(TOPICS.ack, ack_payload([str(ULID())]))
        acks = "edged_mqtt_app_acks_total"
        for result in ("retained", "malformed", "oversized", "unknown"):
            eventually(lambda result=result: rig.sample(acks, result=result) == 1)
        assert rig.outbox.outbox().rows == 1
        assert rig.sample("edged_mqtt_reconnects_total") == 0
        collector.say(TOPICS.ack, ack_payload([stored.event.event_id]))
        eventually(lambda: rig.outbox.outbox().rows == 0)
