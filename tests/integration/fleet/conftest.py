"""A publisher with its parts, and a broker for one test."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from edged.config.sections import MqttConfig
from edged.fleet.broker import BrokerClient
from edged.fleet.connection import Will
from edged.fleet.messages import BirthMessage, StateMessage, availability_payload
from edged.fleet.topics import Topics
from edged.metrics import Metrics
from edged.workers.publisher import PublisherWorker
from tests.fakes.mosquitto import Mosquitto, mosquitto
from tests.fakes.outbox import FakeOutbox

TOPICS = Topics("edged", "hq", "front")
ALL = "edged/hq/front/#"
BIRTH = BirthMessage(
    boot_id="boot-1", version="1.0", models={"detector": "yunet"}, gallery_version=3, config_digest="ab"
)
STATE = StateMessage(lock="locked", camera="up", armed=True, time_synced=True)


@dataclass
class Rig:
    worker: PublisherWorker
    client: BrokerClient
    outbox: FakeOutbox
    metrics: Metrics

    def sample(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(name, labels) or 0.0

    def published(self, result: str) -> float:
        return self.sample("edged_mqtt_publishes_total", result=result)

    def stop(self) -> None:
        self.worker.stop()
        assert self.worker.join(30)


def mqtt_config(port: int, **changes: Any) -> MqttConfig:
    settings: dict[str, Any] = {
        "host": "127.0.0.1", "port": port, "reconnect_min_seconds": 0.05, "reconnect_max_seconds": 0.4,
    }  # fmt: skip
    return MqttConfig(**(settings | changes))


def new_client(config: MqttConfig) -> BrokerClient:
    will = Will(TOPICS.availability, availability_payload("offline"))
    return BrokerClient(config, client_id="edged-hq-front", will=will)


def new_rig(config: MqttConfig, outbox: Any = None, **parts: Any) -> Rig:
    metrics, client = Metrics(CollectorRegistry()), new_client(config)
    kept = FakeOutbox() if outbox is None else outbox
    worker = PublisherWorker(kept, client, TOPICS, metrics, config, birth=BIRTH, state=STATE, **parts)
    return Rig(worker, client, kept, metrics)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with mosquitto(tmp_path / "broker") as running:
        yield running


@pytest.fixture
def start() -> Iterator[Callable[..., Rig]]:
    """Start publishers that are stopped after the test, whatever happened."""
    rigs: list[Rig] = []

    def begin(config: MqttConfig, outbox: Any = None, **parts: Any) -> Rig:
        rigs.append(new_rig(config, outbox, **parts))
        rigs[-1].worker.start()
        return rigs[-1]

    yield begin
    for rig in rigs:
        rig.worker.stop()
    for rig in rigs:
        assert rig.worker.join(30)
        assert rig.worker.failure is None
