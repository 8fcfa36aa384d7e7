"""The broker of docs/mosquitto: what each certificate is good for, and what it is not."""

import contextlib
import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from prometheus_client import CollectorRegistry

from edged.domain.types import Outcome
from edged.fleet.broker import BrokerClient
from edged.fleet.connection import Will
from edged.fleet.gallery_format import CommandKey
from edged.fleet.gallery_topics import PIECE_BYTES
from edged.fleet.messages import availability_payload
from edged.metrics import Metrics
from edged.publishing.clearing import clear, retained_topics
from edged.publishing.commanding import Commander, Order
from edged.publishing.pushing import Push
from edged.workers.publisher import PublisherWorker
from tests.fakes.certificates import Authority, Issued
from tests.fakes.collector import eventually
from tests.fakes.example_broker import EXAMPLE, ExampleBroker, Peer, example_broker
from tests.fakes.outbox import FakeOutbox, event
from tests.integration.fleet.conftest import BIRTH, STATE, TOPICS
from tests.integration.membership.fleet import SITE, door, publisher, wanted
from tests.integration.membership.test_commands import Door as CommandedDoor
from tests.integration.membership.test_over_mqtt import follow, until
from tests.integration.workers.test_factor_over_mqtt import Door as FactorDoor
from tests.integration.workers.test_factor_over_mqtt import answered

ROOT = "edged/hq/front"
OWN = [
    "availability", "birth", "state", "health", "event/access", "event/door", "event/alarm",
    "event/attendance", "event/system", "events/replayed", "command/nonce", "command/reply",
    "gallery/receipt", "second_factor/door",
]  # fmt: skip
HEARD = [
    "events/ack", "events/replay", "command/hello", "command/run", "command/lock", "second_factor/keypad",
]  # fmt: skip
GALLERY = ["meta/timestamp", "meta/1.root", f"blob/{'a' * 64}/0"]
DOORS = [f"{ROOT}/{part}" for part in OWN]
ORDERS = [f"{ROOT}/{part}" for part in HEARD]
FLEET = [f"edged/hq/gallery/doors/{part}" for part in GALLERY]
SHOWN = ["homeassistant/device/hq/front/config", "homeassistant/status"]
# What a door leaves behind: the desk clears it when the door is gone.
LEFT = [f"{ROOT}/{part}" for part in ("availability", "birth", "state", "gallery/receipt")] + SHOWN[:1]
EVERYTHING = [
    *DOORS,
    *ORDERS,
    *FLEET,
    *SHOWN,
    "edged/other/front/state",
    "edged/hq/state",
    "elsewhere",
    "$SYS/x",
]
MAY_WRITE = {
    "hq/front": {*DOORS, SHOWN[0]},
    "hq/back": set(),
    "publisher": {*FLEET, *LEFT},
    "commander": {f"{ROOT}/command/hello", f"{ROOT}/command/run"},
    "collector": {f"{ROOT}/events/ack", f"{ROOT}/events/replay"},
    "keypad-front": {f"{ROOT}/second_factor/keypad"},
    "monitoring": set(),
    "home-assistant": {f"{ROOT}/command/lock", *SHOWN},
    "stranger": set(),
    "hq": {"edged/hq/state"},  # a name that is a site's: no door's topic, but not one to give away
    "+/front": set(),
    "hq/#": set(),
    "hq/old": set(),
}
WELL = {f"{ROOT}/{part}" for part in ("availability", "birth", "state", "health")}
MAY_READ = {
    "hq/front": {*ORDERS, *FLEET, SHOWN[1]},
    "hq/back": {*FLEET, SHOWN[1]},
    "publisher": {*WELL - {f"{ROOT}/state"}, f"{ROOT}/gallery/receipt"},
    "commander": {f"{ROOT}/command/nonce", f"{ROOT}/command/reply"},
    "collector": {*(topic for topic in DOORS if "/event/" in topic), f"{ROOT}/events/replayed"},
    "keypad-front": {f"{ROOT}/second_factor/door"},
    "monitoring": WELL,
    "home-assistant": {*WELL, f"{ROOT}/event/access", *SHOWN},
    "stranger": set(),
    "hq": set(),
    "+/front": set(),
    "hq/#": set(),
    "hq/old": set(),
}


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExampleBroker]:
    with example_broker(tmp_path_factory.mktemp("example")) as running:
        yield running


@pytest.mark.parametrize("name", MAY_WRITE)
def test_who_may_write_what(broker: ExampleBroker, name: str) -> None:
    with Peer(broker, name) as peer:
        assert peer.refused is None
        assert {topic for topic in EVERYTHING if peer.may(topic)} == MAY_WRITE[name]
        assert {topic for topic in EVERYTHING if peer.may(topic, retain=True)} == MAY_WRITE[name]
        for topic in MAY_WRITE[name]:
            peer.may(topic, b"", retain=True)


@pytest.mark.parametrize("name", MAY_READ)
def test_who_may_read_what(broker: ExampleBroker, name: str) -> None:
    """Each asks for everything, in more than one way; those who may write it say it."""
    writers = {topic: writer for writer, topics in MAY_WRITE.items() for topic in topics}
    with Peer(broker, name) as peer:
        peer.hear("#", "edged/hq/front/#", "edged/+/+/command/+", f"$share/all/{ROOT}/#")
        for writer in dict.fromkeys(writers.values()):
            with Peer(broker, writer) as author:
                assert all(author.may(topic) for topic in writers if writers[topic] == writer)
        eventually(lambda: all(peer.has(topic) for topic in MAY_READ[name]))
        # The broker answers in order: what it sent before this answer has come.
        peer.may("elsewhere")
        assert {topic for topic in EVERYTHING if peer.has(topic)} == MAY_READ[name]


def test_without_a_certificate_of_the_site_nobody_is_let_in(tmp_path: Path, broker: ExampleBroker) -> None:
    foreign = Authority(tmp_path, "site-ca").issue("hq/front")
    late = Authority(tmp_path / "late", "site-ca", days=-0.5).issue("hq/front")
    assert Peer(broker, None).refused
    assert Peer(broker, None, issued=foreign).refused
    assert Peer(broker, None, issued=late).refused
    with socket.create_connection(("127.0.0.1", broker.port), 5) as plain:
        plain.sendall(b"\x10\x10\x00\x04MQTT\x05\x02\x00\x14\x00\x00\x03abc")
        with contextlib.suppress(ConnectionResetError):
            assert not plain.recv(4).startswith(b"\x20")


def test_a_will_speaks_for_its_own_door_alone(broker: ExampleBroker) -> None:
    with Peer(broker, "monitoring") as watcher:
        watcher.hear("edged/#")
        for name in ("back", "front"):
            peer = Peer(broker, "hq/front", will=f"edged/hq/{name}/availability")
            peer._client.socket().shutdown(socket.SHUT_RDWR)
        eventually(lambda: watcher.has("edged/hq/front/availability"))
        assert not watcher.has("edged/hq/back/availability")


def test_a_door_that_is_shut_out_says_and_hears_nothing_more(tmp_path: Path) -> None:
    with example_broker(tmp_path) as broker, Peer(broker, "hq/front") as front:
        assert front.may(f"{ROOT}/state")
        acl = broker.acl.read_text()
        broker.acl.write_text(acl.replace("user hq/front\n", "user hq/front\ntopic deny #\n"))
        broker.reload()
        eventually(lambda: not front.may(f"{ROOT}/state"))
        front.hear("#")
        with Peer(broker, "publisher") as desk, Peer(broker, "commander") as commander:
            assert desk.may(FLEET[0])
            assert commander.may(f"{ROOT}/command/hello")
        front.may("elsewhere")
        assert not any(front.has(topic) for topic in EVERYTHING)


def test_what_a_door_left_behind_is_cleared_by_the_desk_and_by_no_other(broker: ExampleBroker) -> None:
    topics = retained_topics(TOPICS, "homeassistant")
    assert set(topics) == set(LEFT)
    with Peer(broker, "hq/front") as front:
        assert all(front.may(topic, retain=True) for topic in topics)
    for name, refused in (("commander", topics), ("publisher", ())):
        config = broker.config(broker.authority.issue(name))
        client = BrokerClient(config, client_id=f"{name}-clears", will=None)
        try:
            assert clear(client, topics) == refused
        finally:
            client.close(goodbye=True)
    with Peer(broker, "home-assistant") as reader, Peer(broker, "publisher") as desk:
        reader.hear("edged/hq/#", "homeassistant/#")
        desk.hear("edged/hq/front/gallery/receipt")
        assert desk.may(FLEET[0])
        reader.may("elsewhere"), desk.may("elsewhere")
        assert not any(peer.has(topic) for topic in topics for peer in (reader, desk))


def test_a_piece_of_a_gallery_fits_and_outlives_a_restart_of_the_broker(tmp_path: Path) -> None:
    with example_broker(tmp_path) as broker:
        desk = BrokerClient(broker.config(broker.authority.issue("publisher")), client_id="desk", will=None)
        try:
            eventually(lambda: desk.poll(0.1) and desk.terms)
            assert desk.fits(FLEET[2], bytes(PIECE_BYTES))
            assert not desk.fits(FLEET[2], bytes(65_536))
        finally:
            desk.close(goodbye=True)
        with Peer(broker, "publisher") as peer:
            assert peer.may(FLEET[2], bytes(PIECE_BYTES), retain=True)
        broker.stop()
        broker.start()
        with Peer(broker, "hq/back") as back:
            back.hear("edged/hq/gallery/doors/blob/+/+")
            eventually(lambda: back.last(FLEET[2]) == bytes(PIECE_BYTES))


def test_two_collectors_share_the_events(broker: ExampleBroker) -> None:
    with (
        Peer(broker, "hq/front") as front,
        Peer(broker, "collector") as one,
        Peer(broker, "collector") as two,
    ):
        for collector in (one, two):
            collector.hear("$share/payroll/edged/hq/+/event/#")
        for number in range(20):
            assert front.may(f"{ROOT}/event/access", str(number).encode())
        topic = f"{ROOT}/event/access"
        eventually(lambda: one.has(topic) and two.has(topic) and len(one.heard) + len(two.heard) >= 20)
        heard = [item.payload for item in one.heard + two.heard]
        assert sorted(map(int, heard)) == list(range(20))


def test_a_gallery_and_its_receipt_go_through(tmp_path: Path, broker: ExampleBroker) -> None:
    folder = publisher(tmp_path / "fleet")
    folder.publish("office", wanted(1, 2, 3))
    # The group of the test's fleet is not that of the example.
    broker.acl.write_text(broker.acl.read_text().replace("hq/gallery/doors/", "hq/gallery/office/"))
    broker.reload()
    try:
        at = door(tmp_path / "front", "front", folder)
        listening = follow(at, broker, broker.config(broker.authority.issue("hq/front")))
        desk = BrokerClient(broker.config(broker.authority.issue("publisher")), client_id="desk", will=None)
        try:
            Push(folder, "office", desk).run()
            until(lambda: len(at.people()) == 3)
            with Peer(broker, "publisher") as reader:
                reader.hear(f"edged/{SITE}/+/gallery/receipt")
                until(lambda: reader.has(f"{ROOT}/gallery/receipt"))
        finally:
            desk.close(goodbye=True)
            listening.worker.stop()
            assert listening.worker.join(30)
        assert listening.alarms == []
    finally:
        broker.acl.write_text(broker.acl.read_text().replace("hq/gallery/office/", "hq/gallery/doors/"))
        broker.reload()


def test_the_publisher_of_a_door_goes_through(broker: ExampleBroker) -> None:
    config = broker.config(broker.authority.issue("hq/front"))
    client = BrokerClient(
        config, client_id="edged-hq-front", will=Will(TOPICS.availability, availability_payload("offline"))
    )
    outbox, metrics = FakeOutbox(), Metrics(CollectorRegistry())
    worker = PublisherWorker(outbox, client, TOPICS, metrics, config, birth=BIRTH, state=STATE)  # type: ignore[arg-type]
    with Peer(broker, "collector") as collector, Peer(broker, "monitoring") as watcher:
        collector.hear("edged/hq/+/event/#")
        watcher.hear("edged/hq/#")
        worker.start()
        try:
            outbox.add(event(), event())
            worker.wake()
            eventually(lambda: len(outbox.removed) == 2 and collector.has(TOPICS.event("access")))
            eventually(
                lambda: all(watcher.has(topic) for topic in (TOPICS.availability, TOPICS.birth, TOPICS.state))
            )
        finally:
            worker.stop()
            assert worker.join(30)
        eventually(lambda: watcher.has(TOPICS.availability) and watcher.heard[-1].payload == b"stopped")


def test_a_command_goes_through(tmp_path: Path, broker: ExampleBroker) -> None:
    from tests.integration.membership.test_commands import KEY, served

    assert isinstance(KEY, Ed25519PrivateKey)
    key = CommandKey(name="reception", public=KEY.public_key().public_bytes_raw(), may=["unlock"])
    front = CommandedDoor(tmp_path / "door", [key])
    settings = broker.config(broker.authority.issue("hq/front"))
    with served(front, settings):
        client = BrokerClient(broker.config(broker.authority.issue("commander")), client_id="desk", will=None)
        commander = Commander(client, "edged", SITE, "reception", KEY)
        try:
            public = front.identity.signing.public_key().public_bytes_raw()
            assert commander.command("front", public, Order("unlock", "parcel"), 10).result == "done"
        finally:
            commander.close()
    assert front.done == ["unlock"]


def test_a_second_factor_is_answered_at_a_keypad(tmp_path: Path, broker: ExampleBroker) -> None:
    door_at = FactorDoor(tmp_path, broker.config(broker.authority.issue("hq/front")))
    try:
        eventually(lambda: door_at.publisher.connected)
        door_at.config = broker.config(broker.authority.issue("keypad-front"))
        with door_at.keypad() as keypad:
            door_at.ask()
            answered(keypad)
            eventually(lambda: [outcome for outcome, _ in door_at.told()] == [Outcome.GRANT])
    finally:
        door_at.stop()


def test_the_certificates_of_the_manual_work(tmp_path: Path, broker: ExampleBroker) -> None:
    text = (EXAMPLE.parent / "broker.md").read_text()
    authority, server, client = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    authority = authority.replace(" -keyout", " -noenc -keyout")  # nobody here types a passphrase
    server = server.replace("DNS:broker.example", "IP:127.0.0.1")
    subprocess.run(["sh", "-ec", authority + server + client], cwd=tmp_path, check=True, capture_output=True)
    other = ExampleBroker(tmp_path / "broker", broker.authority)
    for name in ("ca.crt", "broker.crt", "broker.key"):
        (tmp_path / "broker" / name).write_bytes((tmp_path / name).read_bytes())
    other.authority = SimpleNamespace(certificate=tmp_path / "ca.crt")  # type: ignore[assignment]
    other.start()
    try:
        issued = Issued(tmp_path / "front.crt", tmp_path / "front.key")
        with Peer(other, None, issued=issued) as front:
            assert front.refused is None
            assert front.may(f"{ROOT}/state")
            assert not front.may("edged/hq/back/state")
        verified = subprocess.run(
            ["openssl", "verify", "-purpose", "sslserver", "-CAfile", "ca.crt", "front.crt"],
            cwd=tmp_path, check=False, capture_output=True,
        )  # fmt: skip
        assert verified.returncode != 0, "a door's certificate is good for a broker"
    finally:
        other.stop()
