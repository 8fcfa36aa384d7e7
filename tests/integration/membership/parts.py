"""What of a daemon follows its fleet, put together as the composition root does it: no camera, no models."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from prometheus_client import CollectorRegistry

from edged.config import Config, load
from edged.devices.clock import Clock
from edged.domain.risk import Risk
from edged.fleet.joining import Invitation
from edged.membership.opening import accept
from edged.metrics import Metrics
from edged.simulation.crowd import CALIBRATION
from edged.storage.people import PeopleStore
from edged.storage.probes import ProbeStore
from edged.storage.vault import Vault
from edged.workers.door import UnlockRequest
from edged.workers.fleet_part import FleetPart
from edged.workers.gallery_sync import GallerySyncWorker
from edged.workers.lockdown import LockableDoor
from edged.workers.probe_keeper import ProbeKeeper
from tests.fakes.mosquitto import free_port
from tests.integration.membership.fleet import DIMENSION, GROUP, SITE, SPACE, Door


class Table:
    """The simulation's calibration, which is always the same."""

    def identity(self) -> None:
        return None

    def points(self) -> Any:
        return CALIBRATION


class Line:
    """A lock that takes every grant."""

    def __init__(self) -> None:
        self.requests: list[UnlockRequest] = []

    def refusal(self, _granted_at: float) -> str | None:
        return None

    def request(self, request: UnlockRequest) -> bool:
        self.requests.append(request)
        return True


@dataclass
class Log:
    """What was recorded, by type."""

    types: list[str] = field(default_factory=list)

    def event(self, _kind: object, body: dict[str, Any]) -> dict[str, Any]:
        return body

    def record(self, *bodies: dict[str, Any]) -> None:
        self.types += [str(body["type"]) for body in bodies]


def joined(at: Door, port: int | None = None, more: str = "") -> Config:
    """Write the configuration of a door of the fleet, and have it believe the publisher."""
    path = at.folder / "config.yaml"
    path.write_text(f"""
site: {SITE}
door_id: {at.name}
camera: {{source: {{type: file, path: x.mp4}}}}
mqtt: {{port: {port or free_port()}, reconnect_min_seconds: 0.05, reconnect_max_seconds: 0.2}}
door: {{lock: {{driver: fake}}}}
gallery: {{path: people.db, key_file: vault.key}}
fleet: {{enabled: true, directory: .}}
{more}""")
    config = load(path, {})
    invitation = Invitation(prefix="edged", site=SITE, door=at.name, group=GROUP, root=at.root.decode())
    accept(config, Vault.open(config.gallery.key_file), invitation)
    return config


@dataclass
class Parts:
    """``door`` is what a grant of a face asks."""

    config: Config
    fleet: FleetPart
    gallery: GallerySyncWorker
    probes: ProbeKeeper
    metrics: Metrics
    log: Log = field(default_factory=Log)
    line: Line = field(default_factory=Line)

    @property
    def worker(self) -> Any:
        """The thread that follows the publisher."""
        return self.fleet._worker

    @property
    def door(self) -> Any:
        """The door as faces find it."""
        return self.fleet.returning(LockableDoor(self.line, self.metrics))

    def lets_in(self, person_id: str) -> bool:
        """Whether a face seen now would open: seen, held against the gallery, then asked for."""
        seen_at, state = time.monotonic(), self.gallery.current
        settings = self.fleet.settings(self.config)
        person = state.snapshot.person(person_id)
        if person is None or settings.policy(state.threshold.cosine).threshold is None:
            return False
        if settings.rules.refusal(person, Clock().local(time.time())) is not None:
            return False
        return self.door.refusal(seen_at) is None

    def start(self) -> None:
        self.gallery.start()
        self.probes.start()
        self.worker.start()

    def stop(self) -> None:
        for one in (self.worker, self.probes, self.gallery):
            one.stop()
        for one in (self.worker, self.probes, self.gallery):
            assert one.join(10)


@contextmanager
def parts(config: Config) -> Iterator[Parts]:
    """Build them; started or not, they are stopped in the end."""
    vault, metrics = Vault.open(config.gallery.key_file), Metrics(CollectorRegistry())
    with PeopleStore.open(config.gallery.path, vault, writable=True):
        pass
    with PeopleStore.open(config.gallery.path, vault, writable=False) as local:
        fleet = FleetPart(config, vault, local, metrics)
        gallery = GallerySyncWorker(
            fleet.people, space=SPACE, dimension=DIMENSION, calibration=Table(), risk=Risk(0.01),
            min_margin=0.06, poll_seconds=0.1, metrics=metrics, denied=fleet.denied,
        )  # fmt: skip
        probes = ProbeKeeper(
            ProbeStore.of(config.gallery, vault), space=SPACE,
            enrolled=lambda: gallery.current.snapshot.index, alarm=lambda body: made.log.record(dict(body)),
        )  # fmt: skip
        made = Parts(config, fleet, gallery, probes, metrics)
        model: Any = SimpleNamespace(space=SPACE, dimension=DIMENSION)
        fleet.build(model, gallery, made.probes, made.log, Clock())  # type: ignore[arg-type]
        try:
            yield made
        finally:
            if made.worker.alive:
                made.stop()
            else:
                made.worker.client.close(goodbye=False)


def damage(path: Path) -> None:
    """Leave a file of the same length with other bytes."""
    path.write_bytes(path.read_bytes()[:-1] + b"!")
