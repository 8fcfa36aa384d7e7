"""A door obeys what is signed, fresh and allowed, once; everything else has a reason of its own."""

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edged.config.sections import MqttConfig
from edged.errors import FleetError, StoreCorruptError, StoreError
from edged.fleet.broker import BrokerClient
from edged.fleet.commands import Command, Hello, hello_payload, signed_command
from edged.fleet.connection import Arrived
from edged.fleet.gallery_format import CommandKey
from edged.fleet.topics import Topics
from edged.membership.command_memory import CommandMemory, CommandMemoryFile, Lockdown
from edged.membership.identity import create_identity
from edged.publishing.commanding import Commander, Order
from edged.publishing.doors import add_commander, remove_commander
from edged.storage.vault import Vault
from edged.workers.command_acts import CommandActs, Reach
from edged.workers.command_desk import CommandDesk
from edged.workers.door import UnlockRequest
from tests.integration.membership.fleet import GROUP, SITE, door, publisher, wanted

KEY, OTHER = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
TOPICS = Topics("edged", SITE, "front")
ALLOWED = CommandKey(
    name="reception", public=KEY.public_key().public_bytes_raw(), may=["unlock", "lockdown", "release"]
)


@dataclass
class Broker:
    """The connection of the door's thread: what was published, and what is in flight."""

    published: list[tuple[str, bytes]] = field(default_factory=list)

    def subscribe(self, _topic: str) -> None: ...
    def publish(self, topic: str, payload: bytes, **_options: Any) -> int:
        self.published.append((topic, payload))
        return len(self.published)


class Door:
    """A desk with its real memory on disk; ``now`` is both of its clocks."""

    def __init__(self, folder: Path, keys: list[CommandKey], name: str = "front") -> None:
        self.topics = Topics("edged", SITE, name)
        self.vault = Vault.open(folder / "vault.key")
        self.identity = create_identity(folder / "identity", self.vault)
        self.memory = CommandMemoryFile(folder / "commands", self.vault)
        self.keys = keys
        self.now = 1000.0
        self.done: list[str] = []
        self.dropped: list[str] = []
        self.results: list[str] = []
        self.start()

    def start(self, remembered: CommandMemory | None = None, acts: Any = None) -> None:
        self.broker = Broker()
        self.desk = CommandDesk(
            self.broker,  # type: ignore[arg-type]
            self.topics,
            self.identity,
            self.memory,
            remembered or self.memory.read(),
            keys=lambda: self.keys,
            acts=acts or dict.fromkeys(("unlock", "lockdown", "release", "selftest"), self.act),
            certain=lambda: self.now,
            withheld=lambda _action: None,
            record=lambda _command, result, _text: self.results.append(result),
            alarm=lambda _kind, facts: self.dropped.append(facts["reason"]),
            clock=lambda: self.now,
        )

    def act(self, command: Command) -> dict[str, Any]:
        self.done.append(command.action)
        return {}

    def nonce(self) -> str:
        self.now += 1
        self.hear(TOPICS.command_hello, hello_payload(Hello(id="01234567")))
        return str(msgspec.json.decode(self.broker.published[-1][1])["nonce"])

    def hear(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        self.desk.heard(Arrived(topic, payload, len(payload), retain))

    def run(self, command: Command, key: Ed25519PrivateKey = KEY, **how: Any) -> None:
        self.hear(TOPICS.command_run, signed_command(command, key), **how)


@pytest.fixture
def front(tmp_path: Path) -> Door:
    return Door(tmp_path, [ALLOWED])


def order(front: Door, **changes: Any) -> Command:
    plain = {
        "id": "abcdefgh", "site": SITE, "door": "front", "action": "unlock", "key": "reception",
        "nonce": changes.pop("nonce", None) or front.nonce(), "counter": int(front.now),
        "expires_at": front.now + 30, "reason": "parcel",
    }  # fmt: skip
    return msgspec.convert({**plain, **changes}, Command)


def test_a_command_is_carried_out_once(front: Door) -> None:
    command = order(front)
    front.run(command)
    assert (front.done, front.results, front.dropped) == (["unlock"], ["done"], [])
    front.run(command)
    assert (front.done, front.dropped) == (["unlock"], ["nonce"])


@pytest.mark.parametrize(
    ("changes", "how", "reason"),
    [
        ({}, {"retain": True}, "retained"),
        ({}, {"key": OTHER}, "signature"),
        ({"key": "nobody"}, {}, "unknown_key"),
        ({"door": "back"}, {}, "wrong_door"),
        ({"site": "elsewhere"}, {}, "wrong_door"),
        ({"action": "selftest"}, {}, "not_allowed"),
        ({"nonce": "0" * 32}, {}, "nonce"),
        ({"expires_at": 5.0}, {}, "expired"),
    ],
)
def test_what_is_not_in_order_is_dropped_and_told(
    front: Door, changes: dict[str, Any], how: dict[str, Any], reason: str
) -> None:
    front.run(order(front, **changes), **how)
    assert (front.done, front.dropped) == ([], [reason])
    assert not any(topic == TOPICS.command_reply for topic, _ in front.broker.published)


def test_a_command_that_was_held_back_is_too_old_whatever_the_clock_says(front: Door) -> None:
    command = order(front, expires_at=1e9)
    front.now += 31
    front.run(command)
    assert (front.done, front.dropped) == ([], ["nonce"])


def test_a_nonce_does_not_survive_a_restart_and_a_counter_does(front: Door) -> None:
    unused = order(front, counter=5)
    front.run(order(front, counter=7))
    front.start()
    front.run(unused)
    front.run(order(front, counter=7))
    assert (front.done, front.dropped) == (["unlock"], ["nonce", "counter"])


def test_a_key_at_another_door_or_past_its_day_commands_nothing(front: Door) -> None:
    front.keys = [msgspec.structs.replace(ALLOWED, doors=["back"])]
    front.run(order(front))
    front.keys = [msgspec.structs.replace(ALLOWED, until=10.0)]
    front.run(order(front))
    assert (front.done, front.dropped) == ([], ["not_allowed", "key_expired"])


@pytest.mark.parametrize(
    "rubbish", [b"", b"{}", b"[" * 5000, b"\xff\xfe", b'{"text":"x","signature":"AA=="}']
)
def test_rubbish_is_counted(front: Door, rubbish: bytes) -> None:
    for topic in (TOPICS.command_run, TOPICS.command_hello):
        front.hear(topic, rubbish)
    assert (front.done, front.dropped) == ([], ["malformed"])


def test_a_lockdown_is_remembered_and_a_damaged_memory_is_an_error(tmp_path: Path, front: Door) -> None:
    lockdown = Lockdown(since=1.0, key="reception", reason="drill")
    front.desk.remember(msgspec.structs.replace(front.desk.memory, lockdown=lockdown))
    assert front.memory.read().lockdown == lockdown
    data = (tmp_path / "commands").read_bytes()
    (tmp_path / "commands").write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(StoreCorruptError):
        front.memory.read()


def test_who_may_command_comes_signed_like_a_gallery(tmp_path: Path) -> None:
    folder = publisher(tmp_path / "fleet")
    member = door(tmp_path / "front", "front", folder)
    add_commander(folder, GROUP, ALLOWED)
    member.attempt()
    assert member.store.command_keys() == [ALLOWED]
    folder.set_roles(GROUP, [])
    member.attempt()
    assert member.store.command_keys() == []


@contextlib.contextmanager
def served(front: Door, settings: MqttConfig) -> Iterator[None]:
    """The desk behind a real broker, on a thread of its own."""
    client = BrokerClient(settings, client_id="front-fleet", will=None)
    front.broker = client  # type: ignore[assignment]
    front.desk._client = client
    for topic in (TOPICS.command_hello, TOPICS.command_run):
        client.subscribe(topic)
    stop = threading.Event()

    def serve() -> None:
        while not stop.is_set():
            front.now += 0.05
            for happening in client.poll(0.05):
                if isinstance(happening, Arrived):
                    front.desk.heard(happening)
        client.close(goodbye=True)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(30)


def test_a_list_of_keys_that_no_door_would_take_is_not_signed(tmp_path: Path) -> None:
    folder = publisher(tmp_path / "fleet")
    front = door(tmp_path / "front", "front", folder)
    folder.publish(GROUP, wanted(1))
    doors = [f"building-a-door-{number:03}" for number in range(100)]
    many = [CommandKey(name=f"key-{one}", public=bytes(32), may=["unlock"], doors=doors) for one in range(60)]
    with pytest.raises(FleetError, match=r"roles: 1\d\d,\d\d\d bytes, at most 100,000"):
        folder.set_roles(GROUP, many)
    assert folder.register.read().group(GROUP).commanders == []
    assert front.attempt().applied


def test_over_a_real_broker(tmp_path: Path) -> None:
    from tests.fakes.mosquitto import mosquitto
    from tests.integration.membership.test_over_mqtt import config

    front = Door(tmp_path / "door", [ALLOWED])
    front.now = time.time()
    with mosquitto(tmp_path / "broker") as broker, served(front, config(broker)):
        client = BrokerClient(config(broker), client_id="commander", will=None)
        commander = Commander(client, "edged", SITE, "reception", KEY)
        try:
            public = front.identity.signing.public_key().public_bytes_raw()
            reply = commander.command("front", public, Order("unlock", "parcel"), 10)
            assert (reply.result, front.done) == ("done", ["unlock"])
            stranger = OTHER.public_key().public_bytes_raw()
            with pytest.raises(FleetError, match="did not answer"):
                commander.command("front", stranger, Order("release"), 2)
            with pytest.raises(FleetError, match="no nonce"):
                commander.command("nowhere", public, Order("release"), 1)
        finally:
            commander.close()


def test_a_stolen_key_that_ran_up_its_counter_is_replaced_under_its_name(front: Door) -> None:
    front.run(order(front, counter=2**53 - 1))
    front.run(order(front))
    front.keys = [msgspec.structs.replace(ALLOWED, public=OTHER.public_key().public_bytes_raw())]
    front.run(order(front), OTHER)
    assert (front.done, front.dropped) == (["unlock", "unlock"], ["counter"])


def full(*_: object) -> None:
    raise StoreError("no space left")


def test_a_full_disk_keeps_from_opening_and_not_from_locking_down(
    front: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CommandMemoryFile, "write", full)
    front.run(order(front))
    front.run(order(front, action="release"))
    assert (front.done, front.results) == ([], ["failed", "failed"])
    front.run(order(front, action="lockdown"))
    assert front.done == ["lockdown"]


def test_a_damaged_list_of_keys_commands_nothing_and_ends_nothing(front: Door) -> None:
    front.desk._keys = full  # type: ignore[assignment]
    front.run(order(front))
    assert (front.done, front.dropped) == ([], ["unknown_key"])


class Reached:
    """The door behind the acts, and what its log was given."""

    def __init__(self) -> None:
        self.locked_down = False
        self.asked: list[str] = []

    def set(self, *, locked_down: bool) -> None:
        self.locked_down = locked_down

    def refusal(self, _now: float) -> str | None:
        return "locked_down" if self.locked_down else None

    def request(self, request: UnlockRequest) -> bool:
        self.asked.append(request.event_id)
        return not self.locked_down


def acting(front: Door) -> tuple[CommandActs, Reached]:
    from edged.devices.clock import Clock

    door_ = Reached()
    nothing: Any = lambda *_: None  # noqa: E731 - never called
    acts = CommandActs(
        Reach(
            door_, nothing, Clock(), readiness=nothing, state=dict, reload=nothing,
            rebirth=nothing, replay=nothing,
        )  # type: ignore[arg-type]
    )  # fmt: skip
    return acts, door_


@pytest.mark.parametrize(("taken", "result"), [(True, "done"), (False, "refused")])
def test_a_replay_for_which_there_is_no_room_is_refused(front: Door, *, taken: bool, result: str) -> None:
    acts, _ = acting(front)
    acts._reach = replace(acts._reach, replay=lambda _first, _last: taken)
    front.start(acts.restore(front.memory), {"unlock": acts.table()["replay"]})  # as if the key might replay
    acts.desk = front.desk
    front.run(order(front))
    assert front.results == [result]


def test_a_damaged_memory_starts_locked_down_and_can_be_released(tmp_path: Path, front: Door) -> None:
    (tmp_path / "commands").write_bytes(b"rubbish")
    acts, door_ = acting(front)
    remembered = acts.restore(front.memory)
    assert door_.locked_down
    front.start(remembered, acts.table())
    acts.desk = front.desk
    front.run(order(front))
    assert (door_.asked, front.results) == ([], ["refused"])
    front.run(order(front, action="release"))
    assert front.results == ["refused", "done"]
    assert not door_.locked_down
    assert front.memory.read().lockdown is None


@pytest.mark.parametrize("disk", ["well", "full"])
def test_a_lockdown_locks_the_door_that_runs(front: Door, monkeypatch: pytest.MonkeyPatch, disk: str) -> None:
    acts, door_ = acting(front)
    front.start(acts.restore(front.memory), acts.table())
    acts.desk = front.desk
    if disk == "full":
        monkeypatch.setattr(CommandMemoryFile, "write", full)
    front.run(order(front, action="lockdown"))
    assert door_.locked_down
    assert front.results == ["done" if disk == "well" else "failed"]
    front.run(order(front))
    front.run(order(front, action="release"))
    assert (door_.asked, door_.locked_down) == ([], disk == "full")
    if disk == "well":
        front.run(order(front, action="lockdown"))
        again, behind = acting(front)
        again.restore(front.memory)  # after a restart
        assert behind.locked_down


def test_an_unlock_without_a_reason_is_refused_at_the_door(front: Door) -> None:
    acts, door_ = acting(front)
    front.start(front.memory.read(), acts.table())
    front.run(order(front, reason=" "))
    assert (door_.asked, front.results) == ([], ["refused"])


def test_a_key_that_is_taken_away_and_made_again_is_another(tmp_path: Path) -> None:
    folder = publisher(tmp_path / "fleet")
    folder.keyring.create("command-reception")
    first = folder.keyring.signing("command-reception").public_key().public_bytes_raw()
    add_commander(folder, GROUP, msgspec.structs.replace(ALLOWED, public=first))
    remove_commander(folder, GROUP, "reception")
    folder.keyring.create("command-reception")
    assert folder.keyring.signing("command-reception").public_key().public_bytes_raw() != first


def test_no_command_opens_what_cannot_be_recorded(front: Door) -> None:
    class FullLog:
        trouble = "1 writes failed and wait in memory"

    door_ = Reached()
    nothing: Any = lambda *_: None  # noqa: E731 - never called
    from edged.devices.clock import Clock

    acts = CommandActs(
        Reach(
            door_, FullLog(), Clock(), readiness=nothing, state=dict, reload=nothing,
            rebirth=nothing, replay=nothing, needs_record=True,
        )  # type: ignore[arg-type]
    )  # fmt: skip
    front.start(front.memory.read(), acts.table())
    front.run(order(front))
    assert (door_.asked, front.results) == ([], ["refused"])
