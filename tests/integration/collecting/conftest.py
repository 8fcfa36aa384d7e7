"""Databases, brokers, doors and collectors as processes."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from edged.collecting.links import Link, open_link
from edged.config.sections import JournalConfig
from edged.fleet.broker import BrokerClient
from edged.fleet.topics import Topics
from edged.metrics import Metrics
from edged.storage.journal import Journal
from edged.workers.publisher import PublisherWorker
from tests.fakes.mosquitto import Mosquitto, mosquitto
from tests.fakes.postgres import Postgres, postgres
from tests.integration.fleet.conftest import BIRTH, STATE, mqtt_config


@pytest.fixture(scope="session")
def cluster() -> Iterator[Postgres]:
    with postgres() as running:
        yield running


# Whoever has no name here is a door.
ACL = """
topic readwrite edged/#
user collect
topic read edged/+/+/event/+
topic read edged/+/+/events/replayed
topic write edged/+/+/events/ack
topic write edged/+/+/events/replay
"""


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    """A broker where a collector may do what docs/fleet.md says it has to, and nothing else."""
    acl = tmp_path / "acl"
    acl.write_text(ACL)
    acl.chmod(0o600)
    # It need not survive a power cut here, and writing all it holds at each change makes it the bottleneck.
    options = ("autosave_on_changes false", "log_type error", f"acl_file {acl}")
    with mosquitto(tmp_path / "broker", *options) as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of either kind."""
    if request.param == "sqlite":
        return f"sqlite:{tmp_path / 'events.db'}"
    cluster: Postgres = request.getfixturevalue("cluster")
    return cluster.new_database()


@pytest.fixture
def link(url: str) -> Iterator[Link]:
    opened = open_link(url)
    yield opened
    opened.close()


class Door:
    """A journal and a publisher, as a door has them."""

    def __init__(self, folder: Path, port: int, name: str, **mqtt: Any) -> None:
        self.port = port
        self.topics = Topics("edged", "hq", name)
        self.journal = Journal.open(JournalConfig(path=folder / f"{name}.db"))
        config = mqtt_config(port, **({"app_ack": True, "app_ack_seconds": 3, "replay": True} | mqtt))
        client = BrokerClient(config, client_id=f"edged-hq-{name}", will=None)
        self.worker = PublisherWorker(
            self.journal, client, self.topics, Metrics(CollectorRegistry()), config, birth=BIRTH, state=STATE
        )
        self.worker.start()

    @property
    def waiting(self) -> int:
        return self.journal.outbox().rows

    def record(self, *events: Any) -> list[str]:
        stored = self.journal.submit(list(events)).result()
        self.worker.wake()
        return [one.event.event_id for one in stored]

    def close(self) -> None:
        self.worker.stop()
        assert self.worker.join(30)
        assert self.worker.failure is None
        self.journal.close()


@pytest.fixture
def door(tmp_path: Path, broker: Mosquitto) -> Iterator[Callable[..., Door]]:
    doors: list[Door] = []

    def begin(name: str = "front", **mqtt: Any) -> Door:
        doors.append(Door(tmp_path, broker.port, name, **mqtt))
        return doors[-1]

    yield begin
    for one in doors:
        one.close()


class CollectorProcess:
    """``edged fleet collect`` as a child."""

    def __init__(self, config: Path, log: Path, url: str, name: str, *options: str) -> None:
        self._log = log
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "edged", "fleet", "collect", "--to", url, "--name", name, "--json",
                 "--config", str(config), *options],
                stdout=subprocess.PIPE, stderr=errors, env=os.environ | {"OMP_NUM_THREADS": "1"},
            )  # fmt: skip

    @property
    def log(self) -> str:
        return self._log.read_text()

    @property
    def running(self) -> bool:
        assert self._process.poll() is None, self.log
        return "broker connected" in self.log

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate(timeout=60)

    def stop(self) -> dict[str, int]:
        """End it as systemd does; return what it counted."""
        self._process.send_signal(signal.SIGTERM)
        out, _ = self._process.communicate(timeout=30)
        assert self._process.returncode == 0, self.log
        counts: dict[str, int] = json.loads(out)
        return counts


@pytest.fixture
def collector(tmp_path: Path, broker: Mosquitto) -> Iterator[Callable[..., CollectorProcess]]:
    config = tmp_path / "config.yaml"
    config.write_text(
        "site: hq\ndoor_id: desk\ncamera: {source: {type: v4l2, device: /dev/video0}}\n"
        "door: {lock: {driver: fake}}\n"
        f"mqtt: {{port: {broker.port}, username: collect,"
        " reconnect_min_seconds: 0.05, reconnect_max_seconds: 0.4}\n"
    )
    children: list[CollectorProcess] = []

    def begin(url: str, name: str, *options: str) -> CollectorProcess:
        log = tmp_path / f"{name}-{len(children)}.log"
        children.append(CollectorProcess(config, log, url, name, *options))
        return children[-1]

    yield begin
    for child in children:
        child.kill()
