"""An exception in any callback of paho, and many threads that publish while the broker answers."""

import itertools
import threading
from collections.abc import Callable
from typing import Any

import paho.mqtt.client as paho
import pytest

from edged.fleet import broker as broker_module
from edged.fleet.connection import Connection, Credentials
from edged.workers import delivery
from tests.chaos.interleaving import LockingOutbox
from tests.fakes.collector import Collector, eventually
from tests.fakes.mosquitto import Mosquitto
from tests.fakes.outbox import event
from tests.integration.fleet.conftest import ALL, STATE, Rig, mqtt_config

Start = Callable[..., Rig]

CALLBACKS = ("on_connect", "on_disconnect", "on_log", "on_message", "on_publish", "on_subscribe")


def test_these_are_the_callbacks_that_are_used() -> None:
    client = Connection("5", Credentials("c"), None)._client
    names = [name for name in dir(paho.Client) if name.startswith("on_")]
    assert tuple(name for name in names if getattr(client, name) is not None) == CALLBACKS


@pytest.mark.parametrize("name", CALLBACKS)
def test_what_a_callback_raises_costs_one_connection_and_nothing_else(
    name: str, broker: Mosquitto, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing waits for the answers that were lost with it: those limits lie beyond this test."""
    monkeypatch.setattr(broker_module, "_CONNACK_SECONDS", 600.0)
    monkeypatch.setattr(delivery, "_ACK_SECONDS", 600.0)
    raised, original = threading.Event(), getattr(Connection, f"_{name}")
    calls = itertools.count(1)
    fatal = 4 if name == "on_publish" else 1  # three statuses, and then the event

    def fail_once(connection: Connection, *arguments: Any) -> None:
        if next(calls) != fatal:
            original(connection, *arguments)
            return
        raised.set()
        raise RuntimeError("callback")

    monkeypatch.setattr(Connection, f"_{name}", fail_once)
    with Collector(broker.port, ALL, acks=True) as collector:
        rig = start(mqtt_config(broker.port, app_ack=True, app_ack_seconds=1))
        rig.outbox.add(event())
        if name == "on_disconnect":
            eventually(lambda: rig.worker.connected)
            broker.kill()
            broker.start()
        eventually(raised.is_set)
        eventually(lambda: rig.worker.connected)
        rig.outbox.add(event())
        rig.worker.wake()
        eventually(lambda: set(rig.outbox.removed) == {1, 2} == set(collector.seqs))
        assert rig.worker.alive
        assert rig.worker.connected
        assert rig.sample("edged_mqtt_connected") == 1


def test_many_threads_that_publish_under_a_lock_that_answers_take_too_do_not_deadlock(
    broker: Mosquitto, start: Start
) -> None:
    """paho's own deadlock (its issue 226): a lock around ``publish`` and in ``on_publish``."""
    outbox = LockingOutbox()

    def publish() -> None:
        for _ in range(10):
            with outbox.theirs:
                outbox.add(event())
                rig.worker.set_state(STATE)
                rig.worker.wake()

    with Collector(broker.port, ALL):
        rig = start(mqtt_config(broker.port), outbox)
        threads = [threading.Thread(target=publish) for _ in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        eventually(lambda: len(outbox.removed) == 500, 60)
        assert sorted(outbox.removed) == list(range(1, 501))
        assert rig.worker.alive
