"""Who is forgotten is gone: from every door, also one that was away, from the publisher and the broker."""

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edged.domain.shards import shard_of
from edged.fleet.broker import BrokerClient
from edged.publishing.hearing import Hearing, enter_receipts
from edged.publishing.release import FleetFolder
from tests.fakes.immutable import freeze, thaw
from tests.fakes.mosquitto import Mosquitto, mosquitto
from tests.integration.membership.fleet import GROUP, SITE, door, publisher, record, vector, wanted
from tests.integration.membership.parts import joined, parts
from tests.integration.membership.test_over_mqtt import config, listening, push, retained, until

__all__ = ["listening"]

GONE, SHARDS = "p-00002", 8


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with mosquitto(tmp_path / "broker") as running:
        yield running


def places(root: Path, needle: bytes) -> list[str]:
    """Every file below ``root`` with these bytes."""
    return [str(path) for path in root.rglob("*") if path.is_file() and needle in path.read_bytes()]


def test_an_erasure_waits_for_a_door_that_is_away(tmp_path: Path, broker: Mosquitto, listening: Any) -> None:
    folder = publisher(tmp_path / "fleet", shards=SHARDS)
    front = door(tmp_path / "front", "front", folder)
    away = door(tmp_path / "away", "away", folder)
    listening(front, broker)
    gone = listening(away, broker)
    folder.publish(GROUP, wanted(1, 2, 3))
    push(folder, broker)
    until(lambda: len(front.people()) == len(away.people()) == 3)
    gone.worker.stop()
    assert gone.worker.join(30)
    entry = {e.number: e for e in folder.archive(GROUP).manifest(1).entries}[shard_of(GONE, SHARDS)]
    sealed = folder.archive(GROUP).blobs.get(entry.sha256)[40:]
    assert len(places(tmp_path, sealed)) >= 3

    folder.forget(GROUP, GONE)
    push(folder, broker)
    until(lambda: GONE not in front.people())
    hearing = Hearing(folder.register.read(), BrokerClient(config(broker), client_id="hears", will=None))
    with hearing:
        hearing.connect()

        still_open = partial(removal_open_at, folder, hearing)
        until(lambda: still_open() == ["away"])
        assert away.people()[GONE] is True  # it cannot know yet, and the ticket says so

        order: list[str] = []
        away.attempt(step=order.append)  # as it comes back, straight from the publisher
        assert order.index("denied in force") < order.index("fetched")
        assert GONE not in away.people()
        listening(away, broker)
        until(lambda: still_open() == [])

    broker.stop()  # it writes its database once more
    assert places(tmp_path, sealed) == []


def removal_open_at(folder: FleetFolder, hearing: Hearing) -> list[str]:
    """Hear what doors say, and return who has not confirmed the removal."""
    hearing.settle(quiet=0.2, most=1.0)
    return enter_receipts(folder, hearing).forgotten[0].open


@pytest.fixture
def stubborn() -> Iterator[Callable[[Path], None]]:
    """What makes a file undeletable; it is let go of in the end."""
    kept: list[Path] = []

    def hold(path: Path) -> None:
        freeze(path, path.parent)
        kept.append(path)

    yield hold
    for path in kept:
        thaw(path, path.parent)


def test_no_door_confirms_while_a_face_of_theirs_is_kept(
    tmp_path: Path, broker: Mosquitto, stubborn: Callable[[Path], None]
) -> None:
    folder = publisher(tmp_path / "fleet", shards=SHARDS)
    front = door(tmp_path / "front", "front", folder)
    folder.publish(GROUP, wanted(1, 2, 3))
    push(folder, broker)
    kept = front.folder / "people-probes"
    with parts(joined(front, broker.port)) as here:
        here.start()
        until(lambda: here.gallery.current.snapshot.person(GONE) is not None)
        for event in ("E1", "E2"):
            here.probes.keep(event, GONE, vector(2))
        here.probes.keep("E3", "p-00001", vector(1))
        until(lambda: kept.exists() and len(list(kept.glob("*.probe"))) == 3)
        (kept / ".0123.new").write_bytes(b"cut off, and of anybody")
        held = kept / f"E1~{GONE}.probe"
        stubborn(held)
        folder.forget(GROUP, GONE)
        push(folder, broker)
        until(lambda: "probes_not_erased" in here.log.types)
        hearing = Hearing(folder.register.read(), BrokerClient(config(broker), client_id="hears", will=None))
        with hearing:
            hearing.connect()

            still_open = partial(removal_open_at, folder, hearing)
            until(lambda: here.gallery.current.snapshot.person(GONE) is None)
            assert still_open() == ["front"]
            assert held.exists()
            if os.geteuid() == 0:  # the others are not kept for its sake
                assert sorted(path.name for path in kept.iterdir()) == [held.name, "E3~p-00001.probe"]
            thaw(held, held.parent)
            until(lambda: still_open() == [])
        assert [path.name for path in kept.iterdir()] == ["E3~p-00001.probe"]
        assert here.log.types.count("probes_not_erased") == 1


def test_the_broker_holds_nothing_that_tells_a_face_or_a_name(
    tmp_path: Path, broker: Mosquitto, listening: Any
) -> None:
    folder = publisher(tmp_path / "fleet", shards=SHARDS)
    front = door(tmp_path / "front", "front", folder)
    listening(front, broker)
    folder.publish(GROUP, wanted(1, 2, 3))
    push(folder, broker)
    until(lambda: len(front.people()) == 3)
    retained = b"".join(everything(broker))
    assert len(retained) > 3_000
    broker.stop()
    dump = retained + b"".join(path.read_bytes() for path in (tmp_path / "broker").iterdir())
    for number in (1, 2, 3):
        known = [item.codes for item in record(number).templates]
        known += [vector(number).tobytes(), np.asarray(vector(number), np.float16).tobytes()]
        assert not any(secret[:16] in dump for secret in known)
        assert f"p-{number:05}".encode() not in dump
        assert f"Somebody {number}".encode() not in dump


def everything(broker: Mosquitto) -> list[bytes]:
    """What the broker gives to somebody who may read it all."""
    found = [one.payload for one in retained(broker, "#", "end")]
    assert any(SITE.encode() in payload for payload in found)
    return found
