"""Which MQTT version is spoken with which broker."""

from collections.abc import Callable

import pytest

from edged.fleet import broker as broker_module
from edged.fleet.local_broker import start_amqtt
from tests.fakes.collector import eventually
from tests.fakes.mosquitto import Mosquitto
from tests.fakes.mqtt_wire import ScriptedServer
from tests.fakes.outbox import event
from tests.integration.fleet.conftest import Rig, mqtt_config

Start = Callable[..., Rig]

ACCEPT_3, ACCEPT_5 = b"\x20\x02\x00\x00", b"\x20\x03\x00\x00\x00"


def version(rig: Rig) -> str | None:
    return rig.client.terms.version if rig.client.terms else None


def test_mosquitto_is_spoken_to_in_mqtt_5_and_in_3_1_1_where_asked(broker: Mosquitto, start: Start) -> None:
    for setting, expected in (("auto", "5"), ("5", "5"), ("3.1.1", "3.1.1")):
        rig = start(mqtt_config(broker.port, protocol=setting))
        eventually(lambda rig=rig, expected=expected: version(rig) == expected)
        rig.stop()


@pytest.mark.parametrize("refusal", [b"\x20\x03\x00\x84\x00", b"\x20\x02\x00\x01"], ids=["v5", "v3"])
def test_a_broker_that_refuses_mqtt_5_by_name_is_asked_for_3_1_1_at_once(
    refusal: bytes, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    with ScriptedServer(lambda level: refusal if level == 5 else ACCEPT_3) as server:
        rig = start(mqtt_config(server.port, reconnect_min_seconds=30, reconnect_max_seconds=60))
        eventually(lambda: version(rig) == "3.1.1")
        assert server.levels == [5, 4]
        eventually(lambda: "looks delivered" in caplog.text)


def test_a_broker_that_hangs_up_twice_is_asked_for_3_1_1(start: Start) -> None:
    with ScriptedServer(lambda level: b"" if level == 5 else ACCEPT_3) as server:
        rig = start(mqtt_config(server.port))
        eventually(lambda: version(rig) == "3.1.1")
        assert server.levels == [5, 5, 4]


def test_a_broker_that_hangs_up_once_keeps_mqtt_5(start: Start) -> None:
    answers = iter([b"", ACCEPT_5])
    with ScriptedServer(lambda _level: next(answers)) as server:
        rig = start(mqtt_config(server.port))
        eventually(lambda: version(rig) == "5")
        assert server.levels == [5, 5]


def test_a_fixed_version_is_never_changed(start: Start) -> None:
    with ScriptedServer(lambda level: b"" if level == 5 else ACCEPT_3) as server:
        rig = start(mqtt_config(server.port, protocol="5"))
        eventually(lambda: len(server.levels) >= 4)
        assert set(server.levels) == {5}
        assert rig.worker.trouble is not None


def test_amqtt_which_never_answers_mqtt_5_is_reached(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker_module, "_CONNACK_SECONDS", 1.0)
    local = start_amqtt()
    assert local is not None, "amqtt belongs to this test: make venv"
    try:
        rig = start(mqtt_config(local.port))
        eventually(lambda: version(rig) == "3.1.1")
        rig.outbox.add(event())
        rig.worker.wake()
        eventually(lambda: rig.outbox.outbox().rows == 0)
        rig.stop()
    finally:
        local.stop()
