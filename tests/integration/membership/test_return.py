"""Who was denied while a door was away is not let in by it on its return."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edged.fleet.broker import Connected, Disconnected
from edged.workers import fleet_return
from edged.workers.fleet_return import REFUSAL
from tests.fakes.mosquitto import Mosquitto, mosquitto
from tests.integration.membership.fleet import GROUP, door, publisher, wanted
from tests.integration.membership.parts import Parts, joined, parts
from tests.integration.membership.test_over_mqtt import push, until

GONE, STAYS = "p-00002", "p-00001"


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy the machine is, it is the news that end the waiting here."""
    for name in ("_MOST_SECONDS", "_IN_A_ROW_SECONDS"):
        monkeypatch.setattr(fleet_return, name, 1e6)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with mosquitto(tmp_path / "broker") as running:
        yield running


class Person(threading.Thread):
    """Stands before the door all the time; ``came_in`` says when they would have been let in."""

    def __init__(self, here: Parts, person_id: str) -> None:
        super().__init__(daemon=True)
        self.here, self.person_id = here, person_id
        self.came_in: list[float] = []
        self.gone = threading.Event()

    def run(self) -> None:
        while not self.gone.wait(0.002):
            seen_at = time.monotonic()
            if self.here.lets_in(self.person_id):
                self.came_in.append(seen_at)


def test_a_denial_is_faster_than_the_denied(tmp_path: Path, broker: Mosquitto) -> None:
    folder = publisher(tmp_path / "fleet")
    front = door(tmp_path / "front", "front", folder)
    folder.publish(GROUP, wanted(1, 2, 3))
    push(folder, broker)
    config = joined(front, broker.port)
    with parts(config) as here:
        here.start()
        until(lambda: here.lets_in(GONE))
    folder.deny(GROUP, [GONE])
    push(folder, broker)
    with parts(config) as here:  # after a start
        assert here.lets_in(GONE)  # by what lies on its disk
        asked = [Person(here, GONE), Person(here, STAYS)]
        here.worker.start()  # first, as nobody is compared with a gallery that nothing keeps up to date
        for one in asked:
            one.start()
        here.gallery.start()
        until(lambda: asked[1].came_in)
        assert asked[0].came_in == []

        client = here.worker.client
        attempt, connections = client._attempt, here.worker._connection
        client._attempt = lambda: client._down("unreachable", "away")  # the door's own line is cut
        broker.kill()
        until(lambda: not here.worker.connected)
        until(lambda: here.lets_in(STAYS))  # without a broker it goes by what it has
        folder.deny(GROUP, [STAYS])
        broker.start()
        push(folder, broker, everything=True)
        heard, back_at = here.worker._heard, []

        def noted(happening: Any) -> None:
            heard(happening)
            if isinstance(happening, Connected):
                back_at.append(time.monotonic())

        here.worker._channel._on_other = noted
        client._attempt = attempt
        until(lambda: not here.gallery.current.snapshot.person(STAYS).enabled)  # type: ignore[union-attr]
        assert here.worker._connection > connections
        for one in asked:
            one.gone.set()
            one.join(10)
        assert [at for at in asked[1].came_in if at > back_at[0]] == []


def test_a_line_that_is_lost_again_leaves_the_door_as_without_a_broker(tmp_path: Path) -> None:
    folder = publisher(tmp_path / "fleet")
    front = door(tmp_path / "front", "front", folder)
    folder.publish(GROUP, wanted(1, 2))
    front.attempt()
    with parts(joined(front)) as here:
        assert here.lets_in(GONE)
        here.worker._heard(Connected("5", 1 << 20, 20))
        assert here.door.refusal(time.monotonic()) == REFUSAL
        assert not here.fleet.check().ok
        here.worker._let_faces_in()
        assert not here.lets_in(GONE)  # nothing was heard
        here.worker._heard(Disconnected("unreachable", "gone"))
        assert here.lets_in(GONE)
        here.worker._heard(Connected("5", 1 << 20, 20))
        folder.deny(GROUP, [GONE])
        here.worker._attempt = lambda _now: front.attempt(store=here.fleet._membership.store)  # type: ignore[union-attr]
        here.worker._follow()
        here.worker._let_faces_in()
        assert not here.lets_in(STAYS)  # heard, and not compared with
        here.gallery._refresh()
        here.worker._let_faces_in()
        assert here.lets_in(STAYS)
        assert not here.lets_in(GONE)


def test_a_word_of_the_connection_before_ends_no_waiting(tmp_path: Path) -> None:
    folder = publisher(tmp_path / "fleet")
    front = door(tmp_path / "front", "front", folder)
    folder.publish(GROUP, wanted(1, 2))
    with parts(joined(front)) as here:
        here.worker._heard(Connected("5", 1 << 20, 20))

        def slow(_now: object) -> Any:
            found = front.attempt(store=here.fleet._membership.store)  # type: ignore[union-attr]
            here.worker._heard(Disconnected("unreachable", "gone"))
            here.worker._heard(Connected("5", 1 << 20, 20))
            return found

        here.worker._attempt = slow
        here.worker._follow()
        here.gallery._refresh()
        here.worker._let_faces_in()
        assert not here.lets_in(GONE)
