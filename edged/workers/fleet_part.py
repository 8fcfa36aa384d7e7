"""The fleet as one part of the daemon: where it is enabled it says who may enter."""

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from edged.config.sections import AccessConfig, Config
from edged.devices.clock import Clock
from edged.domain.access import WEEKDAYS
from edged.domain.shards import collision_level
from edged.domain.types import EventKind
from edged.errors import ConfigError, StoreError
from edged.fleet.broker import BrokerClient
from edged.fleet.commands import Command
from edged.fleet.gallery_format import AccessRecord
from edged.fleet.gallery_topics import GalleryTopics
from edged.fleet.topics import Topics
from edged.membership.command_memory import CommandMemoryFile
from edged.membership.opening import Membership, open_membership
from edged.membership.people import FleetPeople
from edged.membership.state import FleetState
from edged.metrics import Metrics
from edged.storage.vault import Vault
from edged.workers.command_acts import CommandActs, Reach
from edged.workers.command_desk import CommandDesk
from edged.workers.effects import Door
from edged.workers.event_log import EventLog
from edged.workers.fleet_return import ReturnGate, ReturningDoor
from edged.workers.gallery_sync import GallerySyncWorker, People
from edged.workers.health import Check, HealthReport
from edged.workers.lockdown import LockableDoor
from edged.workers.policy import access_rules, recognition_settings
from edged.workers.probe_keeper import ProbeKeeper
from edged.workers.publisher import PublisherWorker
from edged.workers.recognition import RecognitionSettings
from edged.workers.supervisor import Supervisor

if TYPE_CHECKING:
    from edged.fleet.gallery_channel import GalleryChannel
    from edged.membership.update import Attempt
    from edged.workers.fleet_member import FleetMemberWorker


logger = logging.getLogger(__name__)


class Embedding(Protocol):
    """The embedder of this door; ``vision.pipeline.FacePipeline`` knows it."""

    @property
    def space(self) -> str:
        """The embedding space."""

    @property
    def dimension(self) -> int:
        """The length of a template."""


class FleetPart:
    """``people`` is what the gallery is made of: the fleet's, or without one those of this door.

    Raises ``ConfigError`` where the door has not joined, ``StoreError``.
    """

    def __init__(self, config: Config, vault: Vault, local: People, metrics: Metrics) -> None:
        self._config = config
        self._vault = vault
        self._metrics = metrics
        self._membership: Membership | None = None
        self._worker: FleetMemberWorker | None = None
        self.people: People = local
        self._gate = ReturnGate()
        self._gallery: GallerySyncWorker | None = None
        self._hours_unknown = False
        if config.fleet.enabled:
            self._membership = open_membership(config, vault)
            self.people = FleetPeople(self._membership.store, local)

    def build(
        self,
        model: Embedding,
        gallery: GallerySyncWorker,
        probes: ProbeKeeper,
        log: EventLog,
        clock: Clock,
    ) -> None:
        """Make the worker that follows the publisher; nothing where there is no fleet."""
        membership, config, self._gallery = self._membership, self._config, gallery
        if membership is None:
            return
        # A door without a fleet does without TUF: a twentieth of a second of the start, and three megabytes.
        from edged.workers.fleet_member import FleetMemberWorker  # noqa: PLC0415 - see above

        invitation, store = membership.invitation, membership.store
        client_id = config.mqtt.client_id or f"edged-{config.site}-{config.door_id}"
        own = msgspec.structs.replace(config.mqtt, client_id=f"{client_id}-fleet")
        memory = _InMemory(gallery, self.people)
        store.on_denial = gallery.hurry
        self._worker = FleetMemberWorker(
            BrokerClient(own, client_id=own.client_id or client_id, will=None),
            GalleryTopics(invitation.prefix, invitation.site, invitation.group),
            Topics(config.mqtt.topic_prefix, config.site, config.door_id).gallery_receipt,
            store,
            membership.identity,
            space=model.space,
            clock=clock,
            make_update=self._attempts(membership, memory, model, clock),
            alarm=lambda kind, facts: _alarm(log, kind, facts),
            changed=gallery.hurry,
            swapped=memory.swapped,
            forgotten=lambda: probes.only_of(gallery.current.snapshot.index),
            tried=self._tried,
            lapse=config.fleet.on_lapsed == "deny",
            gate=self._gate,
        )
        self._metrics.fleet_group.labels(invitation.site, invitation.group).set(1)
        with suppress(StoreError):  # the worker says so; a door that hears nothing still knows its last day
            self._show(store.state())

    def _attempts(
        self, membership: Membership, memory: "_InMemory", model: Embedding, clock: Clock
    ) -> "Callable[[GalleryChannel], Callable[[datetime], Attempt]]":
        """Return what makes of a connection the attempt to take over what is published there."""
        from edged.fleet.trust import PublisherTrust  # noqa: PLC0415 - see build
        from edged.membership.update import GalleryUpdate  # noqa: PLC0415 - see build

        invitation, tuf = membership.invitation, membership.directory / "tuf"

        def make_update(channel: "GalleryChannel") -> "Callable[[datetime], Attempt]":
            return GalleryUpdate(
                membership.store,
                PublisherTrust(tuf, invitation.root.encode(), channel, invitation.group),
                channel,
                space=model.space,
                dimension=model.dimension,
                too_close=memory.too_close,
                alive=self._beat,
                now=lambda: datetime.fromtimestamp(clock.unix(), UTC),
            ).attempt

        return make_update

    def _beat(self) -> None:
        if self._worker is not None:
            self._worker.beat()

    def _tried(self, attempt: "Attempt", state: FleetState | None) -> None:
        if state is not None:
            self._show(state)
        result = "applied" if attempt.changed else attempt.refused or "unchanged"
        self._metrics.fleet_attempts.labels(result).inc()

    def _show(self, state: FleetState) -> None:
        metrics, gallery = self._metrics, state.gallery
        metrics.fleet_gallery_version.set(0 if gallery is None else gallery.version)
        metrics.fleet_gallery_expires.set(state.expires or float("nan"))
        metrics.fleet_signatures_end.set(state.signed_until or float("nan"))
        metrics.fleet_gallery_lapses.set(float("nan") if gallery is None else gallery.valid_until)

    def obey(
        self,
        tools: tuple[LockableDoor, EventLog, Clock],
        readiness: Callable[[], HealthReport],
        publisher: PublisherWorker | None,
        supervisor: Supervisor,
        state: Callable[[], Mapping[str, Any]],
    ) -> None:
        """Take commands from whoever the publisher says may give them; nothing where there is no fleet.

        A lockdown of before holds on.
        """
        membership, worker, config = self._membership, self._worker, self._config
        if membership is None or worker is None or publisher is None:
            return
        reach = Reach(
            *tools,
            readiness=readiness,
            state=state,
            reload=supervisor.request_reload,
            rebirth=publisher.say_again,
            replay=publisher.replay,
            needs_record=config.journal.on_failure == "deny",
        )
        acts = CommandActs(reach)
        memory = CommandMemoryFile(membership.directory / "commands", self._vault)
        remembered = acts.restore(memory)
        acts.desk = CommandDesk(
            worker.client,
            Topics(config.mqtt.topic_prefix, config.site, config.door_id),
            membership.identity,
            memory,
            remembered,
            keys=membership.store.command_keys,
            acts=acts.table(),
            certain=lambda: worker.certain().timestamp(),
            withheld=worker.withheld,
            record=lambda command, result, text: _record(reach.log, command, result, text),
            alarm=lambda kind, facts: _alarm(reach.log, kind, facts),
            count=lambda result: self._metrics.commands.labels(result).inc(),
        )
        worker.on_message = acts.desk.heard

    def returning(self, door: Door) -> Door:
        """Return the door for faces, which wait where the fleet's news are only coming."""
        return door if self._membership is None else ReturningDoor(door, self._gate, self._metrics)

    def check(self) -> Check:
        """Say whether the fleet's news, or hours that are not known, keep everybody outside now."""
        if self._membership is None:
            return Check(ok=True, detail="no door of a fleet")
        if self._hours_unknown:
            return Check(ok=False, detail="the fleet's hours are not known")
        if self._gate.shut:
            return Check(ok=False, detail="just connected: hears first who is denied")
        return Check(ok=True, detail=f"group {self._membership.invitation.group}")

    def denied(self) -> frozenset[str]:
        """Return who is refused whatever the gallery says; asks no disk."""
        return frozenset() if self._membership is None else self._membership.store.denied_in_memory()

    def add_to(self, supervisor: Supervisor) -> None:
        """Follow from the start on."""
        if self._worker is not None:
            supervisor.add(self._worker)

    def settings(self, config: Config) -> RecognitionSettings:
        """Return what recognition takes over, with the fleet's own hours where it has any.

        Where these cannot be known nobody is let in: until the disk tells them, which the gallery's worker
        looks for at each poll, or until another gallery comes.
        """
        settings = recognition_settings(config)
        try:
            access = None if self._membership is None else self._membership.store.access()
            hours = None if access is None else access_rules(fleet_hours(access, config))
        except (StoreError, ConfigError) as exc:
            if isinstance(exc, StoreError) and self._gallery is not None:
                self._gallery.again()
            level = logging.DEBUG if self._hours_unknown else logging.ERROR
            logger.log(level, "hours of the fleet not known, nobody is let in error=%s", exc)
            self._hours_unknown = True
            return replace(settings, policy=lambda _threshold: settings.policy(None))
        self._hours_unknown = False
        return settings if hours is None else replace(settings, rules=hours)


@dataclass(frozen=True, slots=True)
class _InMemory:
    """The gallery that the door compares with, held against the one on its disk."""

    gallery: GallerySyncWorker
    people: People

    def swapped(self) -> bool:
        """Return whether it is as new as the disk's. Raises ``StoreError``."""
        return self.gallery.current.snapshot.version >= self.people.generation()

    def too_close(self, people: int) -> float:
        """Return the cosine from which on two of so many people must be one."""
        return collision_level(self.gallery.current.calibration, people)


def _alarm(log: EventLog, kind: str, facts: Mapping[str, Any]) -> None:
    log.record(log.event(EventKind.ALARM, {"type": kind, **facts}))


def _record(log: EventLog, command: Command, result: str, text: str) -> None:
    """Keep who commanded what; an unlock has its own record besides, which the door's answer names."""
    body = {
        "type": "command",
        "action": command.action,
        "key": command.key,
        "result": result,
        "reason": command.reason,
        "text": text[:200],
    }
    log.record(log.event(EventKind.SYSTEM, body))


def fleet_hours(access: AccessRecord, config: Config) -> AccessConfig:
    """Return the fleet's hours as a section, in the door's own time zone. Raises ``ConfigError``."""
    plain = {
        "time_zone": config.access.time_zone,
        "schedules": {
            name: [
                {"days": [WEEKDAYS[day] for day in period.days], "from": period.start, "to": period.end}
                for period in periods
            ]
            for name, periods in access.schedules.items()
        },
        "groups": access.groups,
    }
    try:
        return msgspec.convert(plain, AccessConfig)
    except msgspec.ValidationError as exc:
        raise ConfigError([f"the fleet's access rules: {exc}"]) from exc
