"""Commands to several doors at once, and to one that others keep busy; over a real broker."""

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edged.cli import fleet_command
from edged.fleet.broker import BrokerClient
from edged.fleet.commands import Hello, hello_payload
from edged.fleet.connection import Arrived
from edged.fleet.gallery_format import CommandKey
from edged.fleet.joining import DoorCard
from edged.publishing import commanding
from edged.publishing.commanding import Commander, Order
from edged.publishing.doors import add_commander
from edged.publishing.release import FleetFolder
from tests.fakes.mosquitto import Mosquitto, mosquitto
from tests.integration.membership.fleet import GROUP, SITE, SPACE, add
from tests.integration.membership.test_commands import ALLOWED, KEY, OTHER, Door
from tests.integration.membership.test_over_mqtt import config


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with mosquitto(tmp_path / "broker") as running:
        yield running


@contextlib.contextmanager
def serving(at: Door, broker: Mosquitto, *, flooded: bool = False) -> Iterator[None]:
    """A door's desk on a thread of its own, with right clocks; ``flooded``: others' hellos come first."""
    client = BrokerClient(config(broker), client_id=f"{at.topics.door}-fleet", will=None)
    at.broker = at.desk._client = client  # type: ignore[assignment]
    at.desk._clock, at.desk._certain = time.monotonic, time.time
    for topic in (at.topics.command_hello, at.topics.command_run):
        client.subscribe(topic)
    stop, up = threading.Event(), threading.Event()

    def serve() -> None:
        while not stop.is_set():
            for happening in client.poll(0.05):
                if isinstance(happening, Arrived):
                    if flooded and happening.topic == at.topics.command_hello:
                        rubbish = hello_payload(Hello(id="somebodys"))
                        at.desk.heard(Arrived(happening.topic, rubbish, len(rubbish), retain=False))
                    at.desk.heard(happening)
            if client.connected:
                up.set()
        client.close(goodbye=True)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        assert up.wait(10)
        yield
    finally:
        stop.set()
        thread.join(5)


def public(of: Door) -> bytes:
    return of.identity.signing.public_key().public_bytes_raw()


def test_doors_are_commanded_at_the_same_time_and_each_answers_for_itself(
    tmp_path: Path, folder: FleetFolder, broker: Mosquitto
) -> None:
    folder.keyring.create("command-boss")
    key = folder.keyring.signing("command-boss").public_key().public_bytes_raw()
    names = ["away-1", "away-2", "other", "front", "back"]
    boss = CommandKey(
        name="boss", public=key, may=["lockdown"], doors=[name for name in names if name != "other"]
    )
    doors = {}
    for name in names:
        (tmp_path / name).mkdir()
        doors[name] = Door(tmp_path / name, [boss], name)
        card = doors[name].identity.card(SITE, name, SPACE)
        add(folder, msgspec.convert(card, DoorCard))
    add_commander(folder, GROUP, boss)
    fleet = folder.register.read()
    folder.register.write(msgspec.structs.replace(fleet, broker=config(broker)))
    told: list[dict[str, Any]] = []
    with serving(doors["front"], broker), serving(doors["back"], broker):
        rows = fleet_command._command(
            folder, ["nowhere", *names], "boss", Order("lockdown"), 3.0, told=told.append
        )
    found = {row["door"]: row["result"] for row in rows}
    assert list(found) == ["nowhere", *names]
    assert found == {
        "nowhere": "not_sent", "other": "not_sent", "front": "done", "back": "done",
        "away-1": "unanswered", "away-2": "unanswered",
    }  # fmt: skip
    assert [row["result"] for row in told] == [*["not_sent"] * 2, *["done"] * 2, *["unanswered"] * 2]
    assert [doors[name].done for name in names] == [[], [], [], ["lockdown"], ["lockdown"]]
    assert "there is no such door" in told[0]["text"]


def test_who_floods_a_door_with_hellos_keeps_no_command_out(
    tmp_path: Path, broker: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commanding, "_AGAIN_SECONDS", 0.4)
    other = CommandKey(name="other", public=OTHER.public_key().public_bytes_raw(), may=["lockdown"])
    front = Door(tmp_path, [ALLOWED, other])
    results: dict[str, str] = {}

    def command(name: str, key: Any) -> None:
        client = BrokerClient(config(broker), client_id=name, will=None)
        commander = Commander(client, "edged", SITE, name, key)
        try:
            results[name] = commander.command("front", public(front), Order("lockdown"), 20).result
        finally:
            commander.close()

    with serving(front, broker, flooded=True):
        both = [
            threading.Thread(target=command, args=pair) for pair in (("reception", KEY), ("other", OTHER))
        ]
        for thread in both:
            thread.start()
        for thread in both:
            thread.join(30)
    # Each used a nonce that was given to somebody else, and where both used the same one, another.
    assert results == {"reception": "done", "other": "done"}
    assert front.done == ["lockdown", "lockdown"]


def test_a_command_that_goes_out_twice_is_carried_out_once(
    tmp_path: Path, broker: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commanding, "_AGAIN_SECONDS", 0.2)
    front = Door(tmp_path, [ALLOWED])
    front.desk._identity = Door(tmp_path / "stranger", [], "front").identity  # no answer of it is believed
    client = BrokerClient(config(broker), client_id="reception", will=None)
    commander = Commander(client, "edged", SITE, "reception", KEY)
    with serving(front, broker, flooded=True):
        answer = commander.command_all({"front": public(front)}, Order("unlock", "parcel"), 3.0)["front"]
        commander.close()
    assert "did not answer" in str(answer)
    assert front.done == ["unlock"]
    assert "counter" in front.dropped
