"""The door as a check sees it: its configuration and its parts, each opened once, when asked for."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from edged.config.risk import stated_risk
from edged.config.sections import Config
from edged.doctor.daemon import Daemon
from edged.doctor.machine import Machine
from edged.domain.calibration import Threshold, threshold_for
from edged.domain.gallery import GallerySnapshot, build_snapshot
from edged.domain.risk import Risk, Traffic
from edged.domain.second_factor import FactorKind
from edged.errors import StoreCorruptError
from edged.membership.opening import Membership, open_membership
from edged.storage.journal_reader import JournalReader
from edged.storage.people import Contents, PeopleStore
from edged.storage.site_calibration import DoorCalibration, measured_weights
from edged.storage.vault import Vault
from edged.vision.pipeline import FacePipeline
from edged.vision.products import fast_products


class Patient:
    """Everything is read, nothing is changed: it may be examined while the daemon runs.

    Every part raises what opening it raises, an ``EdgedError``. ``now`` is Unix seconds, ``path`` the file
    of the configuration, ``machine`` what it runs on.
    """

    def __init__(
        self, config: Config, now: float, *, path: Path | None = None, machine: Machine | None = None
    ) -> None:
        self.config = config
        self.now = now
        self.path = path
        self.machine = machine or Machine()

    @cached_property
    def daemon(self) -> Daemon:
        """The running ``edged run`` of this door, if there is one."""
        return Daemon.find(self.config, self.machine)

    @cached_property
    def pipeline(self) -> FacePipeline:
        """The models."""
        return FacePipeline.load(
            self.config.models, self.config.quality, measured_weights(self.config.gallery)
        )

    @cached_property
    def membership(self) -> Membership:
        """The door in its fleet."""
        return open_membership(self.config, Vault.open(self.config.gallery.key_file))

    @cached_property
    def contents(self) -> Contents:
        """Everybody who may be recognised, with the templates of the models' space."""
        if self.config.fleet.enabled:
            fleet = self.membership.store
            people, templates = fleet.everybody(self.pipeline.space)
            return Contents(fleet.generation(), tuple(people), tuple(templates))
        vault = Vault.open(self.config.gallery.key_file)
        with PeopleStore.open(self.config.gallery.path, vault, writable=False) as store:
            return store.contents(self.pipeline.space)

    @cached_property
    def factor_kinds(self) -> Mapping[str, frozenset[FactorKind]]:
        """Who can answer a second factor, and with what."""
        vault = Vault.open(self.config.gallery.key_file)
        with PeopleStore.open(self.config.gallery.path, vault, writable=False) as store:
            return store.factor_kinds()

    @cached_property
    def snapshot(self) -> GallerySnapshot:
        """The gallery as the daemon would hold it. Raises ``StoreCorruptError``."""
        found, pipeline = self.contents, self.pipeline
        try:
            return build_snapshot(
                pipeline.space,
                pipeline.dimension,
                found.generation,
                found.people,
                found.templates,
                products=fast_products(),
            )
        except ValueError as exc:
            raise StoreCorruptError(f"the gallery cannot be used: {exc}") from exc

    @cached_property
    def calibration(self) -> DoorCalibration:
        """The pack's table and the site's."""
        return DoorCalibration.beside(self.config.gallery, self.pipeline)

    @property
    def risk(self) -> Risk:
        """The stated risk."""
        return stated_risk(self.config.security, self.config.decision, self.config.second_factor)

    @cached_property
    def threshold(self) -> Threshold:
        """What follows from it."""
        return threshold_for(self.calibration.points(), len(self.snapshot.people), self.risk)

    @cached_property
    def traffic(self) -> Traffic:
        """How many visits the journal saw."""
        with JournalReader.open(self.config.journal.path) as reader:
            return reader.traffic(self.now)
