"""Who is denied is out at once, also at a door whose disk takes no word of it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from edged.domain.risk import Risk
from edged.errors import StoreError
from edged.fleet.trust import Floor, PublisherTrust, UntrustedError
from edged.membership.people import FleetPeople
from edged.metrics import FLEET_RESULTS, Metrics
from edged.publishing.release import FleetFolder
from edged.simulation.door import CALIBRATION
from edged.storage.people import PeopleStore
from edged.storage.vault import Vault
from edged.workers.gallery_sync import GallerySyncWorker
from tests.fakes.immutable import freeze, thaw
from tests.integration.membership.fleet import DIMENSION, GROUP, SPACE, Direct, Door, wanted
from tests.integration.membership.test_update import Later, following

GONE = "p-00002"


@contextmanager
def unwritable(folder: Path) -> Iterator[None]:
    """Nothing can be made, replaced or removed in ``folder``, as on a disk that was mounted read-only."""
    folder.mkdir(exist_ok=True)
    freeze(folder, folder)
    try:
        yield
    finally:
        thaw(folder, folder)


@pytest.mark.parametrize("what", ["blobs", "tuf", "."])
def test_a_denial_is_in_force_though_nothing_of_it_can_be_stored(
    folder: FleetFolder, front: Door, what: str
) -> None:
    folder.publish(GROUP, wanted(1, 2))
    store = front.store
    front.attempt(store=store)
    generation = store.generation()
    told: list[bool] = []
    store.on_denial = lambda: told.append(store.people()[1].enabled)
    folder.deny(GROUP, [GONE])
    with unwritable(front.folder / what):
        for _ in range(2):
            with pytest.raises(StoreError):
                front.attempt(store=store)
            assert {person.person_id: person.enabled for person in store.people()}[GONE] is False
            (part,) = (part for part in store.parts(SPACE) or () if GONE in part.index)
            assert part.people[part.index[GONE]].enabled is False
        assert store.generation() > generation
        assert told == [False]
        if what != "tuf":  # there it is stored all the same
            assert store.denial_waits
            assert store.state().denied is None
            assert front.people()[GONE] is True  # a restart would not know
    store.store_denial()
    assert not store.denial_waits
    assert front.people()[GONE] is False
    assert front.attempt(store=store).refused is None


def test_an_older_deny_list_undoes_no_newer_one(folder: FleetFolder, front: Door) -> None:
    folder.publish(GROUP, wanted(1, 2, 3))
    folder.deny(GROUP, ["p-00003"])
    store, source = front.store, front.source
    front.attempt(store=store)
    old = {"timestamp": source.metadata("timestamp")}
    folder.deny(GROUP, [GONE])
    with unwritable(front.folder), unwritable(front.folder / "tuf"):  # neither state nor cache know of it
        with pytest.raises(StoreError):
            front.attempt(store=store)
        source.lies = old
        attempt = front.attempt(store=store)
        assert (attempt.refused, attempt.text[:9]) == ("rollback", "deny list")
        assert {one.person_id for one in store.people() if not one.enabled} == {GONE, "p-00003"}
    source.lies = {}
    assert front.attempt(store=store).denied
    assert front.people() == {"p-00001": True, GONE: False, "p-00003": False}


def test_the_newest_that_was_believed_is_remembered_without_a_cache(folder: FleetFolder, front: Door) -> None:
    """Nor does a broker that knows of the full disk have an older word believed."""
    folder.publish(GROUP, wanted(1, 2))
    front.attempt()
    source = Direct(folder)
    old = source.metadata("timestamp")
    trust = PublisherTrust(front.folder / "tuf", front.root, source, GROUP)
    folder.deny(GROUP, [GONE])
    with unwritable(front.folder / "tuf"):
        assert trust.refresh(Floor(), front.not_before).unkept is not None
        source.lies["timestamp"] = old
        with pytest.raises(UntrustedError, match="newer than that"):
            trust.refresh(Floor(), front.not_before)


def test_it_is_told_counted_and_not_acknowledged_before_it_lasts(folder: FleetFolder, front: Door) -> None:
    folder.publish(GROUP, wanted(1, 2))
    store, alarms, results = front.store, [], []
    worker, _ = following(front, Later(time.time(), synced=True))
    worker._store = store
    worker._attempt = lambda _now: front.attempt(store=store)
    worker._alarm = lambda kind, _facts: alarms.append(kind)
    worker._tried = lambda attempt, _state: results.append(attempt.refused)
    worker._follow()
    folder.deny(GROUP, [GONE])
    with unwritable(front.folder / "blobs"):
        worker._follow()
        worker._store_denial()
        assert alarms == ["gallery_disk", "denial_unstored"]
        assert results == [None, "disk"]
        assert results[1] in FLEET_RESULTS
        receipt = worker._receipt(store.state())
        assert (receipt.denied, receipt.refused) == (0, "disk")
    worker._store_due_at = 0.0
    worker._store_denial()  # no broker is needed for it
    assert worker._receipt(store.state()).denied == 1
    assert front.people()[GONE] is False
    worker._follow()
    assert worker._told == set()
    assert worker._receipt(store.state()).refused is None


class Table:
    def identity(self) -> None:
        return None

    def points(self) -> Any:
        return CALIBRATION


def test_a_door_that_can_neither_read_nor_write_shuts_out_whom_it_hears_of(
    tmp_path: Path, folder: FleetFolder, front: Door
) -> None:
    folder.publish(GROUP, wanted(1, 2))
    store = front.store
    front.attempt(store=store)
    vault = Vault.open(front.folder / "vault.key")
    with PeopleStore.open(tmp_path / "people.db", vault, writable=True) as local:
        gallery = GallerySyncWorker(
            FleetPeople(store, local), space=SPACE, dimension=DIMENSION, calibration=Table(), risk=Risk(0.01),
            min_margin=0.06, poll_seconds=1.0, metrics=Metrics(CollectorRegistry()),
            denied=store.denied_in_memory,
        )  # fmt: skip
        swapped: list[bool] = []
        gallery.on_change = lambda state: swapped.append(state.snapshot.people[1].enabled)
        folder.deny(GROUP, [GONE])
        (front.folder / "state").write_bytes(b"rubbish")
        with unwritable(front.folder):
            with pytest.raises(StoreError):
                front.attempt(store=store)
            for _ in range(2):
                with pytest.raises(StoreError):
                    gallery._refresh()
                gallery._failed(StoreError("cannot be read"))
            snapshot = gallery.current.snapshot
            assert [one.enabled for one in snapshot.people] == [True, False]
            assert snapshot.person(GONE) in list(snapshot.people)[1:]
            assert swapped == [False]
        front.attempt(store=store)
        gallery._refresh()
        assert [one.enabled for one in gallery.current.snapshot.people] == [True, False]
