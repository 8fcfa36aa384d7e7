"""Faces of visits on their way to the disk, and off it when their person leaves."""

import time
from collections.abc import Callable, Collection, Iterator

import numpy as np
import pytest

from edged.errors import StoreError
from edged.storage.probes import Probe
from edged.workers.probe_keeper import ProbeKeeper

FACE = np.eye(8, dtype=np.float32)[0]


class Shelf:
    """A store in memory that can fail."""

    def __init__(self) -> None:
        self.kept: dict[str, Probe] = {}
        self.broken = False
        self.keeps = True
        self.pruned = 0

    def keep(self, probe: Probe) -> None:
        if self.broken:
            raise StoreError("disk gone")
        self.kept[probe.event_id] = probe

    def retain(self, person_ids: Collection[str]) -> None:
        self.kept = {event: probe for event, probe in self.kept.items() if probe.person_id in person_ids}

    def prune(self) -> None:
        self.pruned += 1


class Bench:
    """A keeper that runs, over a gallery that can be swapped."""

    def __init__(self) -> None:
        self.shelf = Shelf()
        self.enrolled: Collection[str] = {"p-ada": 0, "p-ben": 1}
        self.keeper = ProbeKeeper(self.shelf, space="toy/1", enrolled=lambda: self.enrolled)

    def keep(self, event_id: str, person_id: str | None = "p-ada") -> None:
        self.keeper.keep(event_id, person_id, FACE)


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    made.keeper.start()
    yield made
    made.keeper.stop()
    assert made.keeper.join(30)
    assert made.keeper.failure is None


def eventually(condition: Callable[[], object]) -> bool:
    deadline = time.monotonic() + 30
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.005)
    return bool(condition())


def test_a_visit_that_names_a_person_is_kept_and_another_is_not(bench: Bench) -> None:
    bench.keep("E1", None)
    bench.keeper.keep("E2", "p-ada", None)
    bench.keep("E3")
    assert eventually(lambda: "E3" in bench.shelf.kept)
    assert list(bench.shelf.kept) == ["E3"]
    assert (bench.shelf.kept["E3"].person_id, bench.shelf.kept["E3"].space) == ("p-ada", "toy/1")
    assert bench.shelf.pruned == 1


def test_who_leaves_the_gallery_takes_the_faces_along_even_those_still_queued(bench: Bench) -> None:
    bench.keep("E1")
    bench.keep("E2", "p-ben")
    assert eventually(lambda: len(bench.shelf.kept) == 2)
    bench.enrolled = {"p-ben": 0}
    assert eventually(lambda: list(bench.shelf.kept) == ["E2"])
    bench.keep("E3")
    bench.keep("E4", "p-ben")
    assert eventually(lambda: "E4" in bench.shelf.kept)
    assert "E3" not in bench.shelf.kept


def test_a_failing_disk_ends_nothing_and_later_faces_are_kept(bench: Bench) -> None:
    bench.shelf.broken = True
    bench.keep("E1")
    assert eventually(lambda: bench.keeper._failing)
    bench.shelf.broken = False
    bench.keep("E2")
    assert eventually(lambda: "E2" in bench.shelf.kept)


def test_a_full_queue_blocks_nobody_and_a_stop_writes_what_is_left() -> None:
    bench = Bench()
    for number in range(40):
        bench.keep(f"E{number}")
    bench.keeper.start()
    bench.keeper.stop()
    assert bench.keeper.join(30)
    assert len(bench.shelf.kept) == 32


def test_a_store_that_keeps_nothing_is_given_nothing() -> None:
    bench = Bench()
    bench.shelf.keeps = False
    bench.keep("E1")
    assert bench.keeper._inbox.empty()
