"""``edged mqtt check`` against real brokers."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edged.cli.mqtt import app
from edged.fleet.trial import try_broker
from tests.fakes.collector import Collector, eventually
from tests.fakes.mosquitto import Mosquitto, free_port, mosquitto
from tests.fakes.mqtt_wire import ScriptedServer
from tests.integration.fleet.conftest import ALL, TOPICS, mqtt_config

CONFIG = """\
site: hq
door_id: front
camera: {{source: {{type: folder, path: pictures}}}}
door: {{lock: {{driver: fake}}}}
mqtt: {{host: 127.0.0.1, port: {port}, reconnect_min_seconds: 0.05}}
"""


def test_a_broker_with_a_listener_is_fine_and_no_event_is_invented(broker: Mosquitto) -> None:
    with Collector(broker.port, ALL) as collector:
        trial = try_broker(mqtt_config(broker.port), TOPICS, "edged-hq-front")
        eventually(lambda: collector.messages)
        assert [(one.topic, one.retain) for one in collector.messages] == [(TOPICS.event("check"), False)]
    assert (trial.ok, trial.version, trial.event) == (True, "5", "heard")
    assert len(trial.weaker) == 1


def test_nobody_listening_is_said(broker: Mosquitto) -> None:
    assert try_broker(mqtt_config(broker.port), TOPICS, "x").event == "unheard"


def test_the_weakness_of_3_1_1_is_said(broker: Mosquitto) -> None:
    trial = try_broker(mqtt_config(broker.port, protocol="3.1.1"), TOPICS, "x")
    assert (trial.ok, trial.event) == (True, "unknown")
    assert any("reason codes" in sentence for sentence in trial.weaker)


def test_missing_rights_are_found(tmp_path: Path) -> None:
    acl = tmp_path / "acl"
    acl.write_text("topic read #\n")
    with mosquitto(tmp_path / "b", f"acl_file {acl}") as broker:
        trial = try_broker(mqtt_config(broker.port), TOPICS, "x")
    assert (trial.ok, trial.event) == (False, "refused")


def test_a_broker_that_hangs_up_ends_in_trouble_and_not_in_a_loop() -> None:
    with ScriptedServer(lambda _level: b"") as server:
        trial = try_broker(mqtt_config(server.port), TOPICS, "x", seconds=1)
    assert trial.trouble is not None
    assert trial.trouble.startswith("mute")


@pytest.mark.parametrize("listening", [True, False])
def test_the_command_prints_json_and_its_exit_status_tells(
    tmp_path: Path, broker: Mosquitto, listening: bool
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG.format(port=broker.port if listening else free_port()))
    for flags in (["--json"], []):
        result = CliRunner().invoke(app, ["--config", str(path), *flags])
        assert result.exit_code == (0 if listening else 1), result.output
        if flags:
            assert json.loads(result.stdout)["ok"] is listening
        else:
            assert ("MQTT 5" if listening else "unreachable") in result.stdout
