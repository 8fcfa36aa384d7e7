"""The publisher against a real mosquitto: what arrives, with which flags, in which order."""

import json
from collections.abc import Callable

from edged.domain.types import EventKind
from edged.fleet import messages
from tests.fakes.collector import Collector, eventually
from tests.fakes.mosquitto import Mosquitto
from tests.fakes.outbox import event
from tests.integration.fleet.conftest import ALL, BIRTH, STATE, TOPICS, Rig, mqtt_config

Start = Callable[..., Rig]


def test_events_reach_a_durable_subscriber_in_order_with_their_ids(broker: Mosquitto, start: Start) -> None:
    with Collector(broker.port, ALL) as collector:
        rig = start(mqtt_config(broker.port))
        stored = rig.outbox.add(*(event(kind) for kind in EventKind for _ in range(20)))
        rig.worker.wake()
        eventually(lambda: len(collector.seqs) == 100)
        eventually(lambda: rig.outbox.outbox().rows == 0)
        assert collector.seqs == list(range(1, 101)) == rig.outbox.removed
        sent = [message for message in collector.messages if "/event/" in message.topic]
        assert [message.event_id for message in sent] == [row.event.event_id for row in stored]
        assert {message.qos for message in sent} == {1}
        assert rig.published("delivered") == 100


def test_only_the_status_is_retained(broker: Mosquitto, start: Start) -> None:
    with Collector(broker.port, ALL) as collector:
        rig = start(mqtt_config(broker.port))
        rig.outbox.add(*(event(kind) for kind in EventKind))
        rig.worker.wake()
        eventually(lambda: len(collector.seqs) == 5 and collector.on(TOPICS.health))
        flags = {(message.topic, message.retain) for message in collector.messages}
    assert flags == {
        (TOPICS.availability, True), (TOPICS.birth, True), (TOPICS.state, True), (TOPICS.health, False),
        *((TOPICS.event(kind), False) for kind in EventKind),
    }  # fmt: skip


def test_a_late_subscriber_finds_the_status_and_no_person(broker: Mosquitto, start: Start) -> None:
    with Collector(broker.port, "edged/hq/front/event/#", client_id="first") as first:
        rig = start(mqtt_config(broker.port))
        rig.outbox.add(event(person_id="person-4711"))
        rig.worker.wake()
        eventually(lambda: first.seqs == [1])
    with Collector(broker.port, ALL, client_id="late") as late:
        eventually(lambda: len(late.messages) == 3)
        assert late.on(TOPICS.availability) == [b"online"]
        assert messages.parse_birth(late.on(TOPICS.birth)[0]) == BIRTH
        assert messages.parse_state(late.on(TOPICS.state)[0]) == STATE
        assert not [message for message in late.messages if b"4711" in message.payload]


def test_a_new_state_is_published_once_and_kept(broker: Mosquitto, start: Start) -> None:
    with Collector(broker.port, ALL) as collector:
        rig = start(mqtt_config(broker.port))
        eventually(lambda: collector.on(TOPICS.state))
        open_door = messages.StateMessage(lock="unlocked", camera="up", armed=True, time_synced=True)
        rig.worker.set_state(open_door)
        rig.worker.set_state(open_door)
        eventually(lambda: len(collector.on(TOPICS.state)) == 2)
        rig.worker.set_birth(
            messages.BirthMessage(
                boot_id="boot-1", version="1.0", models={}, gallery_version=4, config_digest="ab"
            )
        )
        eventually(lambda: len(collector.on(TOPICS.birth)) == 2)
        assert len(collector.on(TOPICS.state)) == 2


def test_health_carries_the_time_the_outbox_and_the_facts(broker: Mosquitto, start: Start) -> None:
    with Collector(broker.port, ALL) as collector:
        start(mqtt_config(broker.port), health=lambda: {"frame_age_ms": 40, "camera": "up"})
        eventually(lambda: collector.on(TOPICS.health))
        health = messages.parse_health(collector.on(TOPICS.health)[0])
    assert health.facts == {"frame_age_ms": 40, "camera": "up"}
    assert (health.boot_id, health.outbox_rows) == ("boot-1", 0)


def test_names_travel_only_where_the_operator_asked_for_them(broker: Mosquitto, start: Start) -> None:
    with Collector(broker.port, ALL) as collector:
        rig = start(mqtt_config(broker.port), name_of=lambda _: "Ada")
        rig.outbox.add(event())
        eventually(lambda: len(collector.events) == 1)
        rig.stop()
        rig = start(mqtt_config(broker.port, person_names=True), name_of=lambda _: "Ada")
        rig.outbox.add(event())
        eventually(lambda: len(collector.events) == 2)
        assert [one.name for one in collector.events] == [None, "Ada"]


def test_stopping_says_stopped_and_the_will_stays_unsaid(broker: Mosquitto, start: Start) -> None:
    with Collector(broker.port, ALL) as collector:
        rig = start(mqtt_config(broker.port))
        eventually(lambda: collector.on(TOPICS.state))
        rig.outbox.add(event())
        rig.stop()
        eventually(lambda: collector.on(TOPICS.availability)[-1:] == [b"stopped"])
        assert collector.on(TOPICS.availability) == [b"online", b"stopped"]
        assert collector.seqs == [1]  # what waited went out first
        assert rig.sample("edged_mqtt_connected") == 0


def test_nobody_listening_keeps_the_event_until_somebody_does(broker: Mosquitto, start: Start) -> None:
    rig = start(mqtt_config(broker.port))
    rig.outbox.add(event(), event(), event(EventKind.SYSTEM))
    rig.worker.wake()
    eventually(lambda: rig.published("nobody") >= 3)
    assert rig.outbox.outbox().rows == 3
    with Collector(broker.port, TOPICS.event("access")) as collector:
        eventually(lambda: collector.seqs == [1, 2])
        eventually(lambda: rig.outbox.outbox().rows == 1)
    assert rig.sample("edged_mqtt_reconnects_total") == 0


def test_the_payload_is_json_anybody_can_read(broker: Mosquitto, start: Start) -> None:
    with Collector(broker.port, ALL) as collector:
        rig = start(mqtt_config(broker.port))
        rig.outbox.add(event(body={"decision": "granted", "score": 0.7}))
        eventually(lambda: collector.on(TOPICS.event("access")))
        raw = json.loads(collector.on(TOPICS.event("access"))[0])
    assert (raw["v"], raw["kind"], raw["decision"], raw["score"]) == (1, "access", "granted", 0.7)
