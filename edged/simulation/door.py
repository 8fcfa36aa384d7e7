"""One door of the simulation: what a daemon runs to follow its fleet, and nothing else of it."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from prometheus_client import CollectorRegistry

from edged.config.sections import MqttConfig
from edged.devices.clock import Clock
from edged.domain.calibration import MeasuredPoint
from edged.domain.people import Person, Template, Veto
from edged.domain.risk import Risk
from edged.domain.shards import collision_level
from edged.fleet.broker import BrokerClient
from edged.fleet.gallery_channel import GalleryChannel
from edged.fleet.gallery_topics import GalleryTopics
from edged.fleet.joining import Invitation
from edged.fleet.topics import Topics
from edged.fleet.trust import PublisherTrust
from edged.membership.identity import create_identity
from edged.membership.opener import Member
from edged.membership.people import FleetPeople
from edged.membership.store import FleetStore
from edged.membership.update import Attempt, GalleryUpdate
from edged.metrics import Metrics
from edged.simulation.crowd import CALIBRATION, DIMENSION, SPACE
from edged.storage.vault import Vault
from edged.workers.fleet_member import FleetMemberWorker
from edged.workers.gallery_sync import GallerySyncWorker

# As a door's own configuration has it.
_POLL_SECONDS = 1.0
_JOIN_SECONDS = 10.0


class _Nobody:
    """The people enrolled at the door itself: none."""

    def generation(self) -> int:
        return 0

    def identity(self) -> tuple[int, ...] | None:
        return None

    def people(self) -> list[Person]:
        return []

    def templates(self, space: str | None = None) -> list[Template]:
        del space
        return []

    def vetoes(self, space: str | None = None) -> list[Veto]:
        del space
        return []


class _Table:
    def identity(self) -> tuple[int, ...] | None:
        return None

    def points(self) -> tuple[MeasuredPoint, ...]:
        return CALIBRATION


class SimulatedDoor:
    """``start`` and ``stop`` as often as wanted: what it has on disk stays, what is in memory goes."""

    def __init__(self, folder: Path, invitation: Invitation, broker: MqttConfig) -> None:
        vault = Vault.open(folder / "vault.key")
        identity = create_identity(folder / "identity", vault)
        member = Member(invitation.site, invitation.door, invitation.group, identity.sealing)
        self.store = FleetStore(folder, vault, member)
        self.refusals: list[str] = []
        people = FleetPeople(self.store, _Nobody())
        self.gallery = GallerySyncWorker(
            people,
            space=SPACE,
            dimension=DIMENSION,
            calibration=_Table(),
            risk=Risk(0.01),
            min_margin=0.06,
            poll_seconds=_POLL_SECONDS,
            metrics=Metrics(CollectorRegistry()),
        )

        def swapped() -> bool:
            return self.gallery.current.snapshot.version >= people.generation()

        def make_update(channel: GalleryChannel) -> Callable[[datetime], Attempt]:
            self.channel = channel
            trust = PublisherTrust(folder / "tuf", invitation.root.encode(), channel, invitation.group)
            return GalleryUpdate(
                self.store,
                trust,
                channel,
                space=SPACE,
                dimension=DIMENSION,
                too_close=lambda count: collision_level(CALIBRATION, count),
                now=lambda: datetime.fromtimestamp(time.time(), UTC),
                alive=self._beat,
            ).attempt

        self.member = FleetMemberWorker(
            BrokerClient(broker, client_id=f"{invitation.door}-fleet", will=None),
            GalleryTopics(invitation.prefix, invitation.site, invitation.group),
            Topics(invitation.prefix, invitation.site, invitation.door).gallery_receipt,
            self.store,
            identity,
            space=SPACE,
            clock=Clock(),
            make_update=make_update,
            alarm=lambda kind, facts: self.refusals.append(f"{kind} {facts}"),
            changed=self.gallery.hurry,
            swapped=swapped,
        )

    def _beat(self) -> None:
        self.member.beat()

    def start(self) -> None:
        """Follow the publisher."""
        self.gallery.start()
        self.member.start()

    def stop(self) -> None:
        """Be switched off."""
        for worker in (self.member, self.gallery):
            worker.stop()
        for worker in (self.member, self.gallery):
            worker.join(_JOIN_SECONDS)
