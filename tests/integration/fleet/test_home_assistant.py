"""Home Assistant on a real broker: what it finds there, and what its orders come to."""

import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import paho.mqtt.publish as paho_publish
import pytest
from prometheus_client import CollectorRegistry

from edged.config import Config, parse
from edged.config.home_assistant_section import HomeAssistantConfig
from edged.metrics import Metrics
from edged.workers.home_assistant import welcome
from edged.workers.lockdown import LockableDoor
from tests.fakes.collector import Collector, eventually
from tests.fakes.mosquitto import Mosquitto
from tests.integration.fleet.conftest import TOPICS, Rig, mqtt_config, new_rig
from tests.unit.workers.test_home_assistant import ANNOUNCED, CONFIG, ORDER, STATUS, Line, Log


class Site:
    """A publisher with Home Assistant's guest, and a door that keeps what it was asked."""

    def __init__(self, folder: Path, broker: Mosquitto, **section: Any) -> None:
        config = parse(CONFIG, base=folder)
        config = msgspec.structs.replace(config, home_assistant=HomeAssistantConfig(**section))
        self.config: Config = config
        self.done: list[str] = []
        self.log = Log(self.done)
        self.rig: Rig = new_rig(mqtt_config(broker.port))
        self.door = LockableDoor(Line(self.done), Metrics(CollectorRegistry()))
        tools: Any = (self.door, self.log)
        welcome(config, self.rig.worker, tools, lambda: self.done.append("relock"), self.rig.metrics)
        self.rig.worker.start()
        eventually(lambda: self.rig.worker.connected)

    def dropped(self, result: str) -> float:
        return self.rig.sample("edged_commands_total", result=result)


@pytest.fixture
def site(tmp_path: Path, broker: Mosquitto) -> Any:
    made: list[Site] = []

    def begin(**section: Any) -> Site:
        made.append(Site(tmp_path / "door", broker, **section))
        return made[-1]

    yield begin
    for one in made:
        one.rig.worker.stop()
        assert one.rig.worker.join(30)


def say(broker: Mosquitto, topic: str, payload: str, *, retain: bool = False) -> None:
    paho_publish.single(topic, payload, qos=1, retain=retain, hostname="127.0.0.1", port=broker.port)


def retained(broker: Mosquitto, topic: str) -> list[bytes]:
    """What somebody finds who comes now."""
    with Collector(broker.port, topic, client_id=f"late-{uuid.uuid4().hex}") as late:
        say(broker, topic, "end")
        eventually(lambda: late.on(topic)[-1:] == [b"end"])
        return late.on(topic)[:-1]


def test_it_is_announced_again_when_home_assistant_starts_and_cleared_at_last(
    broker: Mosquitto, site: Callable[..., Site]
) -> None:
    with Collector(broker.port, "#", client_id="homeassistant") as collector:
        door = site(enabled=True)
        eventually(lambda: collector.on(TOPICS.state))
        eventually(lambda: collector.on(ANNOUNCED))
        announced = json.loads(collector.on(ANNOUNCED)[0])
        assert announced["cmps"]["lock"]["command_topic"] == ORDER
        assert retained(broker, ANNOUNCED)
        say(broker, STATUS, "online")
        eventually(lambda: len(collector.on(ANNOUNCED)) >= 3)
        eventually(lambda: len(collector.on(TOPICS.state)) == len(collector.on(TOPICS.availability)) == 2)
        door.rig.stop()
        site(enabled=False)
        eventually(lambda: collector.on(ANNOUNCED)[-1] == b"")
        assert retained(broker, ANNOUNCED) == []


def test_every_connection_announces_it_again(broker: Mosquitto, site: Callable[..., Site]) -> None:
    door = site(enabled=True)
    eventually((door.config.journal.path.parent / "home-assistant").exists)
    broker.kill()
    eventually(lambda: not door.rig.worker.connected)
    broker.start()
    with Collector(broker.port, ANNOUNCED) as collector:
        eventually(lambda: any(collector.on(ANNOUNCED)))


def test_orders(broker: Mosquitto, site: Callable[..., Site]) -> None:
    say(broker, ORDER, "UNLOCK", retain=True)  # lies there from before, as a mistaken automation leaves it
    door = site(enabled=True, plain_unlock=True)
    eventually(lambda: door.dropped("retained") == 1)
    say(broker, ORDER, "UNLOCK", retain=True)
    eventually(lambda: door.dropped("retained") == 2)
    say(broker, ORDER, "OPEN SESAME")
    eventually(lambda: door.dropped("malformed") == 1)
    assert "unlock command" not in door.done
    say(broker, ORDER, "UNLOCK")
    eventually(lambda: door.dropped("done") == 1)
    assert door.done[-2:] == ["record command_unlock", "unlock command"]
    say(broker, ORDER, "UNLOCK")
    eventually(lambda: door.dropped("refused") == 1)
    door.door.set(locked_down=True)
    say(broker, ORDER, "LOCK")
    eventually(lambda: "relock" in door.done)
    assert door.done.count("unlock command") == 1


def test_without_leave_no_order_unlocks(broker: Mosquitto, site: Callable[..., Site]) -> None:
    door = site(enabled=True)
    say(broker, ORDER, "UNLOCK")
    eventually(lambda: door.dropped("not_allowed") == 1)
    assert "unlock command" not in door.done


def test_a_door_that_shows_nothing_hears_nothing(broker: Mosquitto, site: Callable[..., Site]) -> None:
    door = site(enabled=False)
    say(broker, ORDER, "UNLOCK")
    say(broker, STATUS, "online")
    assert retained(broker, ANNOUNCED) == []
    assert door.done == []
    assert door.dropped("not_allowed") == 0
