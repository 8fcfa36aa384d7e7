"""The gallery in memory follows a real store, whoever writes it."""

import time
from pathlib import Path

import numpy as np
from prometheus_client import CollectorRegistry

from edged.domain.calibration import CalibrationPoint
from edged.domain.risk import Risk
from edged.metrics import Metrics
from edged.storage.people import NewTemplate, PeopleStore
from edged.storage.site_calibration import DoorCalibration
from edged.storage.vault import Vault
from edged.workers.gallery_sync import GallerySyncWorker

TABLE = tuple(CalibrationPoint(10.0**-n, 0.11 + 0.065 * n, 10**9) for n in range(2, 7))


def make(path: Path, vault: Vault, name: str) -> Path:
    with PeopleStore.open(path, vault, writable=True) as store:
        person = store.add_person(name)
        store.add_templates(
            person.person_id, [NewTemplate("toy/1", np.eye(8, dtype=np.float32)[0], 0.9, b"")]
        )
    return path


def test_another_store_of_the_same_generation_is_noticed(tmp_path: Path) -> None:
    vault = Vault.open(tmp_path / "vault.key", environ={})
    path = make(tmp_path / "people.db", vault, "Ada")
    other = make(tmp_path / "other.db", vault, "Ben")
    with PeopleStore.open(path, vault, writable=False) as people:
        sync = GallerySyncWorker(
            people,
            space="toy/1",
            dimension=8,
            calibration=DoorCalibration(
                TABLE, tmp_path / "people.calibration.json", space="toy/1", weights={}
            ),
            risk=Risk(1e-3),
            min_margin=0.06,
            poll_seconds=0.01,
            metrics=Metrics(CollectorRegistry()),
        )
        sync.start()
        try:
            assert [person.name for person in sync.current.snapshot.people] == ["Ada"]
            other.replace(path)
            deadline = time.monotonic() + 30
            while sync.current.snapshot.people[0].name != "Ben" and time.monotonic() < deadline:
                time.sleep(0.01)
            assert [person.name for person in sync.current.snapshot.people] == ["Ben"]
        finally:
            sync.stop()
            assert sync.join(30)
