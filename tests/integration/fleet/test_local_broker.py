"""The broker for a desk."""

import socket

import pytest

from edged.fleet import local_broker
from tests.fakes.collector import eventually
from tests.fakes.outbox import event
from tests.integration.fleet.conftest import mqtt_config, new_rig

STARTERS = [local_broker.start_mosquitto, local_broker.start_amqtt, local_broker.start_local_broker]


@pytest.mark.parametrize("starter", STARTERS, ids=lambda starter: starter.__name__)
def test_it_carries_events_on_loopback_and_ends_wholly(starter: object) -> None:
    broker = starter()  # type: ignore[operator]
    assert broker is not None, "mosquitto and amqtt belong to this test: make system venv"
    rig = new_rig(mqtt_config(broker.port, protocol=broker.protocol))
    rig.worker.start()
    try:
        eventually(lambda: rig.worker.connected)
        rig.outbox.add(event())
        rig.worker.wake()
        eventually(lambda: rig.published("delivered") + rig.published("nobody") >= 1)
    finally:
        rig.stop()
        broker.stop()
    assert rig.worker.failure is None
    with socket.socket() as sock:
        assert sock.connect_ex(("127.0.0.1", broker.port)) != 0
