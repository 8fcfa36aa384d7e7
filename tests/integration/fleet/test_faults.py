"""Brokers that are away, die, freeze, refuse or lie: nothing is lost, nothing loops, nothing grows."""

from collections.abc import Callable
from pathlib import Path

import pytest

from edged.config.sections import JournalConfig
from edged.domain.types import EventKind
from edged.storage import quarantine
from edged.storage.journal import Journal
from edged.workers import delivery
from tests.fakes.collector import Collector, eventually
from tests.fakes.mosquitto import Mosquitto, free_port, mosquitto
from tests.fakes.mqtt_wire import CountingProxy, ScriptedServer
from tests.fakes.outbox import event
from tests.integration.fleet.conftest import ALL, TOPICS, Rig, mqtt_config

Start = Callable[..., Rig]

CONNACK_V5 = b"\x20\x03\x00\x00\x00"


def test_what_was_stored_while_the_broker_was_away_is_drained_in_order_within_the_window(
    broker: Mosquitto, start: Start
) -> None:
    with Collector(broker.port, ALL) as collector, CountingProxy(broker.port) as proxy:
        broker.stop()
        rig = start(mqtt_config(proxy.port))
        rig.outbox.add(*(event(monotonic_at=0.5) for _ in range(600)))
        eventually(lambda: rig.worker.trouble is not None)
        assert rig.sample("edged_mqtt_connected") == 0
        broker.start()
        eventually(lambda: len(collector.seqs) == 600, 60)
        assert collector.seqs == list(range(1, 601))
        assert 2 <= proxy.most_in_flight <= 16
        assert all(one.historical for one in collector.events)
        eventually(lambda: rig.outbox.outbox().rows == 0)
        assert rig.worker.trouble is None


def test_a_broker_killed_again_and_again_loses_nothing(broker: Mosquitto, start: Start) -> None:
    with Collector(broker.port, ALL) as collector, CountingProxy(broker.port) as proxy:
        rig = start(mqtt_config(proxy.port))
        for batch in range(1, 4):
            rig.outbox.add(*(event() for _ in range(100)))
            rig.worker.wake()
            eventually(lambda batch=batch: len(rig.outbox.removed) > batch * 100 - 60)
            broker.kill()
            broker.start()
        eventually(lambda: rig.outbox.outbox().rows == 0, 60)
        # The broker may lose what it acknowledged in its last second; the device sent every row.
        assert sorted(rig.outbox.removed) == list(range(1, 301))
        assert proxy.most_in_flight <= 16
        assert rig.sample("edged_mqtt_reconnects_total") >= 3
        eventually(lambda: len(collector.seqs) >= 200)


def test_every_reconnect_says_again_what_runs_here_and_how_the_door_is(
    broker: Mosquitto, start: Start
) -> None:
    rig = start(mqtt_config(broker.port))
    for reconnects in range(3):
        eventually(lambda reconnects=reconnects: rig.sample("edged_mqtt_reconnects_total") == reconnects)
        with Collector(broker.port, ALL, client_id=f"c{reconnects}") as collector:
            eventually(lambda collector=collector: collector.on(TOPICS.state))
            eventually(lambda collector=collector: collector.on(TOPICS.availability)[-1:] == [b"online"])
            eventually(lambda collector=collector: collector.on(TOPICS.birth))
        broker.kill()
        for left in (broker._folder / "mosquitto.db").parent.glob("mosquitto.db*"):
            left.unlink()  # a broker that forgot everything retained
        broker.start()


def test_a_broker_that_freezes_is_noticed_and_nothing_is_lost(broker: Mosquitto, start: Start) -> None:
    with Collector(broker.port, ALL) as collector:
        rig = start(mqtt_config(broker.port, keepalive_seconds=2))
        eventually(lambda: rig.worker.connected)
        broker.freeze()
        rig.outbox.add(*(event() for _ in range(50)))
        eventually(lambda: not rig.worker.connected, 60)
        broker.thaw()
        eventually(lambda: rig.outbox.outbox().rows == 0, 60)
        eventually(lambda: collector.seqs == list(range(1, 51)))


def test_an_acknowledgement_that_never_comes_is_not_waited_for_for_ever(
    broker: Mosquitto, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "_ACK_SECONDS", 0.5)
    with Collector(broker.port, ALL) as collector, CountingProxy(broker.port) as proxy:
        proxy.swallow_acks = 3
        rig = start(mqtt_config(proxy.port))
        rig.outbox.add(*(event() for _ in range(40)))
        eventually(lambda: rig.outbox.outbox().rows == 0)
        # The broker may have acknowledged what it has not yet passed on.
        eventually(lambda: len(collector.seqs) >= 40)
        assert collector.seqs == list(range(1, 41))
        assert rig.outbox.quarantined == {}


def test_what_the_acl_forbids_waits_until_it_is_mended_and_the_others_arrive(
    tmp_path: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "_UNHEARD_MIN_SECONDS", 0.5)
    acl = tmp_path / "acl"
    mistaken = "topic read #\ntopic write edged/hq/front/event/access\ntopic write edged/hq/front/state\n"
    acl.write_text(mistaken)
    with mosquitto(tmp_path / "b", f"acl_file {acl}") as broker, Collector(broker.port, ALL) as collector:
        rig = start(mqtt_config(broker.port))
        rig.outbox.add(*(event(EventKind.ALARM) for _ in range(20)), event(), event())
        eventually(lambda: collector.seqs == [21, 22])
        eventually(lambda: rig.published("refused") >= 17)  # a window of 16, and one tried after a pause
        assert rig.outbox.quarantined == {}
        acl.write_text(mistaken + "topic write edged/hq/front/event/#\n")
        broker.reload()
        eventually(lambda: collector.seqs == [21, 22, *range(1, 21)], 60)
        eventually(lambda: rig.outbox.outbox().rows == 0)
        assert rig.sample("edged_mqtt_reconnects_total") == 0


def test_an_event_larger_than_the_broker_takes_is_put_aside_without_a_disconnect(
    tmp_path: Path, start: Start
) -> None:
    with mosquitto(tmp_path / "b", "max_packet_size 65536") as broker:
        with Collector(broker.port, ALL) as collector:
            rig = start(mqtt_config(broker.port))
            rig.outbox.add(event(), event(body={"x": "y" * 100_000}), event())
            eventually(lambda: collector.seqs == [1, 3])
            eventually(lambda: list(rig.outbox.quarantined) == [2])
            assert rig.published("oversized") == 1
            eventually(lambda: rig.sample("edged_outbox_quarantined") == 1)
            rig.stop()
        assert broker.log.count("as edged-hq-front") == 1


def test_what_is_put_back_from_the_quarantine_arrives_on_a_connection_that_lasts(
    tmp_path: Path, broker: Mosquitto, start: Start
) -> None:
    journal = Journal.open(JournalConfig(path=tmp_path / "journal.db"))
    try:
        journal.submit([event(), event(), event()]).result()
        journal.quarantine(1, "too large for the broker of yesterday")
        journal.quarantine(2, "too large for the broker of yesterday")
        with Collector(broker.port, ALL) as collector:
            rig = start(mqtt_config(broker.port), journal)
            eventually(lambda: collector.seqs == [3])
            eventually(lambda: rig.sample("edged_outbox_quarantined") == 2)
            quarantine.ask(tmp_path / "journal.db", None)
            eventually(lambda: collector.seqs == [3, 1, 2])
            eventually(lambda: rig.sample("edged_outbox_quarantined") == 0)
            rig.stop()
    finally:
        journal.close()


def test_the_size_is_judged_to_the_byte(tmp_path: Path, start: Start) -> None:
    """Near the limit an event is either taken or put aside; the broker never hangs up."""
    with (
        mosquitto(tmp_path / "b", "max_packet_size 2000") as broker,
        Collector(broker.port, ALL) as collector,
    ):
        rig = start(mqtt_config(broker.port))
        rig.outbox.add(*(event(body={"x": "y" * size}) for size in range(1600, 1750, 2)))
        eventually(lambda: rig.outbox.outbox().rows == 0)
        eventually(lambda: len(collector.seqs) == 75 - len(rig.outbox.quarantined))
        assert collector.seqs
        assert rig.outbox.quarantined
        assert rig.sample("edged_mqtt_reconnects_total") == 0


def test_on_3_1_1_an_event_that_breaks_every_connection_is_held_back(tmp_path: Path, start: Start) -> None:
    with mosquitto(tmp_path / "b", "max_packet_size 65536") as broker:
        with Collector(broker.port, ALL) as collector:
            rig = start(mqtt_config(broker.port, protocol="3.1.1"))
            rig.outbox.add(event(), event(body={"x": "y" * 100_000}), event())
            eventually(lambda: collector.seqs == [1, 3], 60)
            eventually(lambda: rig.outbox.outbox().rows == 1)
            assert rig.outbox.quarantined == {}
            rig.stop()
        assert broker.log.count("as edged-hq-front") <= 6


def test_a_process_that_vanishes_is_offline(broker: Mosquitto, start: Start) -> None:
    with Collector(broker.port, ALL) as collector, CountingProxy(broker.port) as proxy:
        rig = start(mqtt_config(proxy.port, reconnect_min_seconds=30, reconnect_max_seconds=60))
        eventually(lambda: collector.on(TOPICS.availability) == [b"online"])
        proxy.__exit__()
        eventually(lambda: collector.on(TOPICS.availability) == [b"online", b"offline"])
        assert rig.worker.alive


def test_a_wrong_password_is_said_plainly(tmp_path: Path, start: Start) -> None:
    password = tmp_path / "password"
    password.write_text("wrong\n")
    users = tmp_path / "users"
    users.write_text("")
    with mosquitto(tmp_path / "b", f"password_file {users}", anonymous=False) as broker:
        rig = start(mqtt_config(broker.port, username="door", password_file=password))
        eventually(lambda: rig.worker.trouble is not None)
        assert rig.worker.trouble is not None
        assert rig.worker.trouble.cause == "credentials"
        assert "Not authorized" in rig.worker.trouble.text
        assert rig.sample("edged_mqtt_connected") == 0


def test_a_password_file_may_end_in_a_newline_and_change_without_a_restart(
    tmp_path: Path, start: Start
) -> None:
    users, password = tmp_path / "users", tmp_path / "password"
    # PBKDF2-SHA512 of "secret" as mosquitto_passwd writes it; the salt is fixed here.
    users.write_text(_mosquitto_user("door", "secret"))
    password.write_text("old\n")
    with mosquitto(tmp_path / "b", f"password_file {users}", anonymous=False) as broker:
        rig = start(mqtt_config(broker.port, username="door", password_file=password))
        eventually(lambda: rig.worker.trouble is not None)
        password.write_text("secret\r\n")
        eventually(lambda: rig.worker.connected)


def test_two_devices_with_one_client_id_do_not_kick_each_other_every_second(
    broker: Mosquitto, start: Start
) -> None:
    config = mqtt_config(broker.port, reconnect_min_seconds=0.2, reconnect_max_seconds=60)
    rigs = [start(config), start(config)]
    eventually(lambda: any(rig.worker.trouble for rig in rigs))
    eventually(lambda: sum(rig.sample("edged_mqtt_reconnects_total") for rig in rigs) >= 4, 60)
    assert max(rig.client._backoff._next for rig in rigs) >= 8 * 0.2


@pytest.mark.parametrize(
    "answer",
    [
        b"\x20\x03\x00", CONNACK_V5 + b"\xff\xff\xff\xff\xff\xff", CONNACK_V5 + b"\x40\x02\x12\x34",
        CONNACK_V5 + b"\x30\x05\x00\x03\xff\xfe\xfd\x00", CONNACK_V5 + b"\x40\x04\x00\x01\x10\xff",
        CONNACK_V5 + b"\xe0\x01\x8e", b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x20\x08\x00\x00\x05\xff\xff\xff\xff\xff",
    ],
    ids=lambda answer: answer.hex(),
)  # fmt: skip
def test_a_server_that_talks_nonsense_does_not_end_the_publisher(answer: bytes, start: Start) -> None:
    with ScriptedServer(lambda _level: answer) as server:
        rig = start(mqtt_config(server.port))
        rig.outbox.add(event())
        eventually(lambda: server.connections >= 1)
        eventually(lambda: rig.worker.connected or rig.worker.trouble is not None)
        rig.worker.wake()
        rig.stop()
        assert rig.worker.failure is None
        assert rig.outbox.outbox().rows == 1


def test_a_port_nobody_listens_on_is_tried_again_without_haste(start: Start) -> None:
    rig = start(mqtt_config(free_port(), reconnect_min_seconds=30, reconnect_max_seconds=60))
    eventually(lambda: rig.worker.trouble is not None)
    assert rig.worker.trouble is not None
    assert rig.worker.trouble.cause == "unreachable"
    rig.outbox.add(event())
    rig.worker.wake()
    rig.stop()
    assert rig.outbox.outbox().rows == 1


def _mosquitto_user(name: str, password: str) -> str:
    import base64
    import hashlib

    salt = bytes(12)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, 101)
    return f"{name}:$7$101${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}\n"
