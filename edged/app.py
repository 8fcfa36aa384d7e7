"""The composition root: builds every part from its own section, and is the only file that knows them all.

Order of building: the lock is claimed and secured first, before anything slow. Then stores, models,
workers; the camera comes last, so that no frame arrives before there is somebody to judge it.
"""

import logging
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

import onnxruntime
from prometheus_client import CollectorRegistry

from edged import __version__, logs
from edged.config import Config, adopted, changes
from edged.config.risk import stated_risk
from edged.devices.board import Board
from edged.devices.camera_factory import open_camera
from edged.devices.clock import Clock
from edged.domain.cadence import Cadence
from edged.domain.challenge import Prompt
from edged.domain.liveness import LivenessMode
from edged.domain.picture import CameraState
from edged.domain.types import EventKind, Frame, Outcome
from edged.errors import MonitorError
from edged.metrics import Metrics
from edged.storage.journal import Journal
from edged.storage.journal_reader import newest_times, traffic_of
from edged.storage.people import PeopleStore
from edged.storage.probes import ProbeStore
from edged.storage.site_calibration import DoorCalibration, measured_weights
from edged.storage.vault import Vault
from edged.vision.liveness_meter import FaceLiveness
from edged.vision.pipeline import FacePipeline
from edged.vision.products import fast_products
from edged.workers.attention import attention_of
from edged.workers.board_watch import watch_board
from edged.workers.capture import CaptureWorker
from edged.workers.challenge import challenge_watch
from edged.workers.clock_watch import ClockWatch
from edged.workers.door import DoorChange
from edged.workers.door_child import DoorChild
from edged.workers.door_opening import DOOR_STOP_SECONDS, claim_door, showing, time_synced
from edged.workers.effects import DecisionEffects, Told
from edged.workers.event_log import EventLog, Written, make_counted, reopen_damaged
from edged.workers.factor_part import FactorPart
from edged.workers.fleet_part import FleetPart
from edged.workers.gallery_sync import GalleryState, GallerySyncWorker
from edged.workers.health import Check, HealthReport
from edged.workers.home_assistant import welcome
from edged.workers.listeners import Listeners
from edged.workers.liveness import liveness_watch
from edged.workers.lockdown import LockableDoor
from edged.workers.monitor import Monitor
from edged.workers.open_punches import LeftOpen
from edged.workers.policy import attempt_limit, attempts_before, attendance_clock
from edged.workers.probe_keeper import ProbeKeeper
from edged.workers.publishing import publisher_of
from edged.workers.readiness import readiness
from edged.workers.recognition import RecognitionWorker
from edged.workers.running_models import model_names, warn_about_models
from edged.workers.slot import LatestSlot
from edged.workers.standing import Standing
from edged.workers.supervisor import Supervisor

logger = logging.getLogger(__name__)

_QUIET_TURNS = 8  # two seconds of nothing: the last grant has reached the lock and its pulse is over
# A sound card commits in milliseconds; a dying one must not hold up the stop.
_STOP_RECORD_SECONDS = 1.0


class Daemon:
    """Everything between one camera and one lock.

    ``run`` blocks until the daemon is told to stop and returns the exit status. With ``until_end`` it
    also stops once a replay is over, every track has ended and the door is locked again. ``door`` is its
    process where its start was begun before.
    Raises ``EdgedError`` where a part cannot be built; the lock is secured by then.
    """

    def __init__(
        self,
        config: Config,
        *,
        reload: Callable[[], Config] | None = None,
        until_end: bool = False,
        listeners: Listeners | None = None,
        door: DoorChild | None = None,
    ) -> None:
        self.config = config
        self.metrics = Metrics(CollectorRegistry())
        self.boot_id = uuid.uuid4().hex[:12]
        self._reload_config = reload
        self._until_end = until_end
        self._listeners = listeners or Listeners()
        self._ended_turns = 0
        with ExitStack() as building:
            self._build(building, door)
            building.pop_all()

    def _build(self, building: ExitStack, child: DoorChild | None) -> None:
        """Build all parts; on an error those already built are closed again, the lock last."""
        config, metrics = self.config, self.metrics
        self.clock = Clock(config.access.time_zone)
        door = claim_door(config, building, child)
        self.journal = Journal.open(
            config.journal,
            deliver=config.mqtt.enabled,
            make_event=partial(make_counted, metrics, self.clock, self.boot_id),
        )
        building.callback(self.journal.close)
        self.metrics.storage_recoveries.inc(self.journal.recoveries)
        self.clock.not_before(*newest_times(config.journal.path))
        self.log = EventLog(self.journal, metrics, self.clock, self.boot_id)
        # First what the door tells of the last start, which may answer what was open then.
        self.door = door(metrics, self.journal, self._door_changed)
        self.clock.ask(partial(time_synced, self.door))
        self.left_open = LeftOpen(config.journal.path, self.log, self.door, self._punches_changed)
        self._load_models_and_people(building)
        watch_board(metrics, self.clock, Board(), config.journal.path.parent)
        self._start_telling()
        self.effects = self._decision_effects()
        self.factors = FactorPart(
            config.second_factor, self.people, self.effects.apply, lambda: self.recognition,
            (metrics, self.clock), broker=self.publisher,
        )  # fmt: skip
        building.callback(self.factors.close_socket)
        self.clock_watch = ClockWatch(
            self.clock,
            self.log,
            config.journal.path,
            boot_id=self.boot_id,
            machine_boot=self.clock.machine_boot(),
            on_corrected=self._punches_changed,
        )
        self.slot: LatestSlot[Frame] = LatestSlot()
        self.cadence = Cadence(config.motion.idle_fps)
        self.recognition = self._recognition_worker()
        self.capture = CaptureWorker(
            open_camera(config.camera), self.slot, config.camera, metrics, self._camera_changed,
            wanted=self.cadence.wanted,
        )  # fmt: skip
        self.supervisor = Supervisor(
            first_on_stop=self._stopping, on_reload=self._reload, status=self._status
        )
        self.monitor = Monitor(config.http, metrics.registry, self.supervisor.health, self.readiness)
        self.fleet.obey(
            (self.lock_door, self.log, self.clock), self.readiness, self.publisher, self.supervisor,
            lambda: self.standing.facts(self.recognition.frames_done),
        )  # fmt: skip
        welcome(config, self.publisher, (self.lock_door, self.log), self.door.relock, metrics)

    def _load_models_and_people(self, building: ExitStack) -> None:
        """Load who may be recognised and by what; slow, so the lock is claimed by now."""
        config = self.config
        self.pipeline = FacePipeline.load(config.models, config.quality, measured_weights(config.gallery))
        self.liveness = FaceLiveness.load(self.pipeline.threaded(config.models), config.liveness)
        warn_about_models(config, self.pipeline, self.liveness)
        vault = Vault.open(config.gallery.key_file)
        self.people = PeopleStore.open(config.gallery.path, vault, writable=False, damaged=True)
        building.callback(self.people.close)
        self.fleet = FleetPart(config, vault, self.people, self.metrics)
        self.gallery = self._gallery_worker()
        self.probes = ProbeKeeper(
            ProbeStore.of(config.gallery, vault), space=self.pipeline.space,
            enrolled=lambda: self.gallery.current.snapshot.index,
            alarm=lambda body: self.log.record(self.log.event(EventKind.ALARM, body)),
        )  # fmt: skip
        self.fleet.build(self.pipeline, self.gallery, self.probes, self.log, self.clock)
        self.standing = Standing(
            config,
            boot_id=self.boot_id,
            models=model_names(self.pipeline, self.liveness),
            gallery=lambda: self.gallery.current,
            log=self.log,
            clock=self.clock,
        )

    def _start_telling(self) -> None:
        """Make the publisher, and have whoever has news wake it."""
        self.publisher = self.standing.publisher = publisher_of(
            self.config, self.journal, self.metrics, self.standing, lambda: self.recognition.frames_done
        )
        if self.publisher is not None:
            self.log.on_recorded = self.publisher.wake
        self.door.tell(self.standing.door_told, self.log.on_recorded, self.standing.door_alarm)

    def run(self) -> int:
        """Start everything in order, watch it, stop it in the mirror order."""
        supervisor = self.supervisor
        if self.config.http.enabled:
            self._add_monitor()
        # The publisher is stopped last, so that the last relock is still told.
        if self.publisher is not None:
            supervisor.add(self.publisher)
        supervisor.add(self.gallery)
        self.fleet.add_to(supervisor)
        supervisor.add(self.probes)
        supervisor.add(self.door, stop_seconds=DOOR_STOP_SECONDS, then=self._record_stop)
        supervisor.add(self.recognition, then=lambda: self.factors.close(self.gallery.current))
        self.factors.add_to(supervisor)
        supervisor.add(self.capture)
        supervisor.after_stop("people", self.people.close)
        supervisor.after_stop("journal", self._close_journal)
        self._announce()
        self._listeners.on_ready(self)
        self.metrics.up.set(1)
        self.metrics.ready_at.set(self.clock.unix())
        status = supervisor.run()
        # Whoever watches the service must learn that something of the door is on no record.
        return status or int(self.log.lost > 0)

    def _add_monitor(self) -> None:
        """Serve the monitoring pages; a port that is taken is no reason to keep people outside."""
        try:
            self.monitor.listen()
        except MonitorError as exc:
            logger.error("no monitoring: %s", exc)  # noqa: TRY400 - the text says it all
        else:
            self.supervisor.add(self.monitor)

    def readiness(self) -> HealthReport:
        """Say whether a person could be let in now."""
        return readiness(
            self.config, self.gallery, self.log,
            locked_down=self.lock_door.locked_down,
            fleet=self.fleet.check(),
            camera=self.standing.camera,
            models=" and ".join(self.standing.models.values()),
            liveness=self.recognition.liveness,
            lock=Check(self.door.alive and self.standing.lock in ("locked", "unlocked"), self.standing.lock),
        )  # fmt: skip

    def _gallery_worker(self) -> GallerySyncWorker:
        config = self.config
        return GallerySyncWorker(
            self.fleet.people,
            space=self.pipeline.space,
            dimension=self.pipeline.dimension,
            calibration=DoorCalibration.beside(config.gallery, self.pipeline),
            risk=stated_risk(config.security, config.decision, config.second_factor),
            min_margin=config.decision.min_margin,
            poll_seconds=config.gallery.poll_seconds,
            max_unread_seconds=config.gallery.max_unread_seconds,
            metrics=self.metrics,
            on_change=self._gallery_changed,
            traffic=lambda: traffic_of(self.config.journal.path, self.clock.unix()),
            products=fast_products(),
            denied=self.fleet.denied,
        )

    def _recognition_worker(self) -> RecognitionWorker:
        config = self.config
        return RecognitionWorker(
            self.slot,
            self.pipeline,
            gallery=lambda: self.gallery.current,
            settings=self.fleet.settings(config),
            metrics=self.metrics,
            clock=self.clock,
            on_decision=self.factors.decide,
            on_idle=self._idle,
            on_seen=showing(self.door, self._listeners.on_seen),
            liveness=liveness_watch(self.liveness, config.liveness, self.metrics, self.clock.monotonic),
            challenge=challenge_watch(config.liveness, self._prompted, mirrored=config.camera.mirrored),
            search=self.pipeline.search(config.models.whole_search_every),
            attention=attention_of(config, self.cadence, self.metrics),
            attempts=attempts_before(config.journal.path, attempt_limit(config.decision), self.clock),
        )

    def _decision_effects(self) -> DecisionEffects:
        self.lock_door = LockableDoor(self.door, self.metrics)
        self.lock_door.on_change = self.standing.lockdown_changed
        return DecisionEffects(
            self.log,
            self.fleet.returning(self.lock_door),
            journal=self.config.journal,
            attendance=attendance_clock(self.config.attendance, self.journal, self.clock),
            model=self.pipeline.embedder_name,
            metrics=self.metrics,
            clock=self.clock,
            on_told=self._told,
        )

    def _told(self, told: Told) -> None:
        if told.decision.outcome is Outcome.DENY:
            self.door.show("denied")
        face = self.recognition.face_of(told.decision.track_id)
        self.probes.keep(told.event_id, told.decision.person_id, face)
        self._listeners.on_told(told, self.gallery.current)

    def _announce(self) -> None:
        threshold = self.gallery.current.threshold
        self.metrics.armed.set(self.standing.armed)
        for mode in LivenessMode:
            self.metrics.liveness_mode.labels(mode.value).set(mode == self.config.liveness.mode)
        self.metrics.build_info.labels(
            __version__, self.pipeline.detector_name, self.pipeline.embedder_name, onnxruntime.__version__
        ).set(1)
        started = {"type": "started", "version": __version__, "machine_boot": self.clock.machine_boot()}
        self.log.record(self.log.event(EventKind.SYSTEM, started))
        logger.info("edged starts version=%s boot=%s", __version__, self.boot_id)
        if threshold.cosine is None:
            logger.warning("door disarmed, nobody will be let in: %s", threshold.claim)
        else:
            logger.info("threshold %s armed=%s", threshold.claim, self.config.decision.armed)

    def _gallery_changed(self, state: GalleryState) -> None:
        self.metrics.armed.set(self.standing.armed)
        self.recognition.settings = self.fleet.settings(self.config)
        if state.threshold.cosine is None:
            logger.warning("door disarmed, nobody will be let in: %s", state.threshold.claim)
        self.standing.tell(anew=True)

    def _door_changed(self, change: DoorChange) -> None:
        """Record and tell what the line did; runs on the door's report thread."""
        if not change.recorded:
            self.log.record(self.log.event(EventKind.DOOR, change.body()))
        self.effects.door_answered(change)
        self.standing.door_changed(change)
        self._listeners.on_door(change)

    def _prompted(self, prompt: Prompt | None) -> None:
        self.standing.prompted(prompt)
        self._listeners.on_prompt(prompt)

    def _camera_changed(self, state: CameraState) -> None:
        before = self.standing.camera_changed(state)
        # A camera that comes up at the start is no news; everything after it is.
        if state in ("down", "frozen", "blind") or (state == "up" and before != "unknown"):
            self.log.record(self.log.event(EventKind.ALARM, {"type": f"camera_{state}", "before": before}))
        self._listeners.on_camera(state)

    def _idle(self) -> None:
        """Do what needs no frame; runs on the recognition thread several times a second."""
        self.journal.check()
        self.log.retry()
        self.factors.settle(self.gallery.current)
        self.clock_watch.look()
        self.left_open.look()
        if self._until_end and self.standing.camera == "ended":
            self._ended_turns = (
                0 if self.recognition.busy or self.standing.lock == "unlocked" else self._ended_turns + 1
            )
            if self._ended_turns >= _QUIET_TURNS:
                self.supervisor.request_stop()

    def _punches_changed(self) -> None:
        """Have the time clock read its punches again: times were corrected, or some taken back."""
        clock = attendance_clock(self.config.attendance, self.journal, self.clock)
        self.effects.replace_attendance(clock, learn=False)

    def _stopping(self) -> None:
        self.metrics.up.set(0)
        self.door.secure_now()

    def _record_stop(self) -> None:
        """Record the stop after the last relock, and while the publisher can still tell it."""
        stopped = self.log.event(EventKind.SYSTEM, {"type": "stopped"})
        # What is committed before the publisher leaves is delivered now, not at the next start.
        if self.log.record_within(_STOP_RECORD_SECONDS, stopped) is Written.FAILED:
            self.log.record(stopped)

    def _close_journal(self) -> None:
        """Give what could not be written a last chance, then close."""
        reopen_damaged(self.journal)
        self.log.retry_all()
        self.journal.close()
        self.log.close()

    def _status(self) -> str:
        people = len(self.gallery.current.snapshot.people)
        return f"camera {self.standing.camera}, lock {self.standing.lock}, {people} people"

    def _reload(self) -> None:
        """Take over what may change while running; say what waits for a restart."""
        if self._reload_config is None:
            return
        new = self._reload_config()
        live, restart = changes(self.config, new)
        config = adopted(self.config, new)
        # First what may fail, since a reload that is refused must have changed nothing.
        if config.attendance != self.config.attendance:
            clock = attendance_clock(config.attendance, self.journal, self.clock)
            self.effects.replace_attendance(clock)
        self.config = self.standing.config = config
        self.clock.set_zone(config.access.time_zone)
        self.gallery.risk = stated_risk(config.security, config.decision, config.second_factor)
        self.gallery.min_margin = config.decision.min_margin
        self.gallery.poll_seconds = config.gallery.poll_seconds
        self.gallery.max_unread_seconds = config.gallery.max_unread_seconds
        self.pipeline.quality = config.quality
        logs.set_level(config.logging)
        self._gallery_changed(self.gallery.current)
        logger.info(
            "configuration read again live=%s restart=%s", ",".join(live) or "-", ",".join(restart) or "-"
        )
