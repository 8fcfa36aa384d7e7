"""Who is forgotten is gone: from every door, also one that was away, from the publisher and the broker."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edged.domain.shards import shard_of
from edged.fleet.broker import BrokerClient
from edged.publishing.hearing import Hearing, enter_receipts
from tests.fakes.mosquitto import Mosquitto, mosquitto
from tests.integration.membership.fleet import GROUP, SITE, door, publisher, record, vector, wanted
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

        def still_open() -> list[str]:
            hearing.settle(quiet=0.2, most=1.0)
            return enter_receipts(folder, hearing).forgotten[0].open

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
