"""The same over a real broker: what a publisher pushes is in force at every door, and says so."""

import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from edged.config.sections import MqttConfig
from edged.devices.clock import Clock
from edged.fleet.broker import BrokerClient
from edged.fleet.gallery_channel import GalleryChannel
from edged.fleet.gallery_topics import GalleryTopics
from edged.fleet.receipt_messages import GalleryReceipt, checked_receipt
from edged.fleet.topics import Topics
from edged.fleet.trust import PublisherTrust
from edged.membership.update import GalleryUpdate
from edged.publishing.pushing import Push, Pushed
from edged.publishing.release import FleetFolder
from edged.workers.fleet_member import FleetMemberWorker
from tests.fakes.collector import Collector, Message, eventually
from tests.fakes.mosquitto import Mosquitto, mosquitto
from tests.integration.membership.fleet import DIMENSION, GROUP, SITE, SPACE, Door, door, publisher, wanted


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with mosquitto(tmp_path / "broker") as running:
        yield running


def config(broker: Mosquitto) -> MqttConfig:
    return MqttConfig(port=broker.port, reconnect_min_seconds=0.05, reconnect_max_seconds=0.2)


def push(folder: FleetFolder, broker: Mosquitto, **options: Any) -> Pushed:
    client = BrokerClient(config(broker), client_id="publisher", will=None)
    try:
        return Push(folder, GROUP, client).run(**options)
    finally:
        client.close(goodbye=True)


@dataclass
class Listening:
    """A door's worker on its own thread, and what it said."""

    door: Door
    worker: FleetMemberWorker
    alarms: list[str] = field(default_factory=list)


def follow(at: Door, broker: Mosquitto, settings: MqttConfig | None = None) -> Listening:
    topics = Topics("edged", SITE, at.name)
    client = BrokerClient(settings or config(broker), client_id=f"{at.name}-fleet", will=None)
    store, alarms = at.store, []

    def make_update(channel: GalleryChannel) -> Any:
        trust = PublisherTrust(at.folder / "tuf", at.root, channel, GROUP)
        update = GalleryUpdate(
            store, trust, channel,
            space=SPACE, dimension=DIMENSION, too_close=lambda _people: 0.9,
            now=lambda: Clock().local(time.time()),
        )  # fmt: skip
        return update.attempt

    worker = FleetMemberWorker(
        client,
        GalleryTopics("edged", SITE, GROUP),
        topics.gallery_receipt,
        store,
        at.identity,
        space=SPACE,
        clock=Clock(),
        make_update=make_update,
        alarm=lambda kind, _facts: alarms.append(kind),
    )
    worker.start()
    return Listening(at, worker, alarms)


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[Callable[[Door, Mosquitto], Listening]]:
    started: list[Listening] = []

    def start(at: Door, broker: Mosquitto) -> Listening:
        started.append(follow(at, broker))
        return started[-1]

    yield start
    for one in started:
        one.worker.stop()
    for one in started:
        assert one.worker.join(30)


def until(true: Callable[[], object], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def receipts(broker: Mosquitto, folder: FleetFolder) -> dict[str, GalleryReceipt]:
    """What the doors have said, checked with the keys of the register."""
    found = {}
    for happening in retained(broker, f"edged/{SITE}/+/gallery/receipt", f"edged/{SITE}/end/gallery/receipt"):
        name = happening.topic.split("/")[-3]
        key = folder.register.read().doors[name].card.signing
        found[name] = checked_receipt(happening.payload, key)
    return found


def retained(broker: Mosquitto, topic: str, end: str) -> list[Message]:
    """What somebody finds who comes now: all that is there before what is said at ``end``."""
    with Collector(broker.port, topic, client_id=f"late-{uuid.uuid4().hex}") as late:
        late.say(end, b"end")
        eventually(lambda: late.on(end))
        return [one for one in late.messages if one.topic != end]


def test_doors_follow_a_publisher(tmp_path: Path, broker: Mosquitto, listening: Any) -> None:
    folder = publisher(tmp_path / "fleet")
    front = listening(door(tmp_path / "front", "front", folder), broker)
    back = listening(door(tmp_path / "back", "back", folder), broker)
    folder.publish(GROUP, wanted(*range(1, 30)))
    first = push(folder, broker)
    until(lambda: len(front.door.people()) == len(back.door.people()) == 29)

    folder.publish(GROUP, wanted(*range(1, 31)))
    second = push(folder, broker)
    assert second.bytes < first.bytes / 2
    assert second.cleared > 0
    until(lambda: len(front.door.people()) == len(back.door.people()) == 30)

    folder.deny(GROUP, ["p-00001"])
    push(folder, broker)
    until(lambda: front.door.people()["p-00001"] is False and back.door.people()["p-00001"] is False)
    until(lambda: {r.denied for r in receipts(broker, folder).values()} == {1})
    said = receipts(broker, folder)
    assert {name: (r.version, r.people, r.refused) for name, r in said.items()} == {
        "front": (2, 30, None), "back": (2, 30, None),
    }  # fmt: skip
    assert front.alarms == back.alarms == []


def test_a_blob_of_many_pieces_and_a_broker_that_comes_back(
    tmp_path: Path, broker: Mosquitto, listening: Any
) -> None:
    folder = publisher(tmp_path / "fleet", shards=1)
    front = listening(door(tmp_path / "front", "front", folder), broker)
    folder.publish(GROUP, wanted(*range(1, 700)))
    assert max(map(len, folder.blobs(GROUP).values())) > 120_000
    push(folder, broker)
    until(lambda: len(front.door.people()) == 699)
    broker.kill()
    broker.start()
    folder.publish(GROUP, wanted(*range(1, 701)))
    push(folder, broker, everything=True)
    until(lambda: len(front.door.people()) == 700)


def test_a_lie_on_the_broker_is_refused_and_told(tmp_path: Path, broker: Mosquitto, listening: Any) -> None:
    folder = publisher(tmp_path / "fleet")
    front = listening(door(tmp_path / "front", "front", folder), broker)
    folder.publish(GROUP, wanted(1, 2))
    push(folder, broker)
    until(lambda: len(front.door.people()) == 2)
    forger = publisher(tmp_path / "forger")
    for _ in range(4):
        forger.publish(GROUP, wanted(1, 2, 666))
    push(forger, broker)
    until(lambda: front.alarms == ["gallery_refused"])
    until(lambda: receipts(broker, folder)["front"].refused == "signatures")
    assert set(front.door.people()) == {"p-00001", "p-00002"}
