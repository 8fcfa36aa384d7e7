"""Every instrument, on an injected registry.

All label sets are closed and initialised, so a scrape shows the same series on the first day and
after ten thousand people. No name, person id or event id is ever a label.
"""

from typing import Protocol

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)

from edged.domain.second_factor import FactorCause, FactorOutcome
from edged.domain.types import Outcome, Reason
from edged.metric_labels import (
    ACK_RESULTS,
    ALARMS,
    CAMERA_FAULTS,
    COMMAND_RESULTS,
    DOOR_CONDITIONS,
    DOOR_PARTS,
    DROPPED,
    FACTOR_REJECTIONS,
    FLEET_RESULTS,
    FRAME_RESULTS,
    LIVENESS_FAILURES,
    LIVENESS_MODES,
    LIVENESS_SCORES,
    LOCK_CAUSES,
    LOCK_REFUSALS,
    PRESSURES,
    PUBLISH_RESULTS,
    REPLAY_RESULTS,
    REPLAYED_RESULTS,
    STAGES,
)

# The whole way has a budget of 250-700 ms on a small board, so the buckets are densest there.
_LATENCY = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0)
_STAGE = (0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.0)
_SHARE = tuple(round(0.1 * step, 1) for step in range(1, 11))
_COSINE = tuple(round(-0.2 + 0.05 * step, 2) for step in range(25))


class DoorStatus(Protocol):
    """What a door process says of itself; ``doorway.messages.Status`` is the real one."""

    @property
    def condition(self) -> str:
        """One of ``DOOR_CONDITIONS``."""
        ...

    @property
    def released(self) -> bool:
        """Whether the line is."""
        ...

    @property
    def tampered(self) -> bool:
        """Whether the tamper input is active."""
        ...

    @property
    def faulty(self) -> tuple[str, ...]:
        """Of ``DOOR_PARTS`` those that do not work."""
        ...


class Metrics:
    """One attribute an instrument; ``registry`` is what ``/metrics`` shows."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self._build(registry)
        self._liveness(registry)
        self._second_factor(registry)
        self._gallery(registry)
        self._door(registry)
        self._broker(registry)
        self._records(registry)
        self._fleet(registry)
        self._board(registry)
        self._initialise()
        _process(registry)

    def _build(self, registry: CollectorRegistry) -> None:
        self.build_info = Gauge(
            "edged_build_info", "Versions and models in use", ["version", "detector", "embedder", "ort"],
            registry=registry,
        )  # fmt: skip
        self.up = Gauge("edged_up", "1 while the daemon is ready", registry=registry)
        self.ready_at = Gauge(
            "edged_ready_timestamp_seconds",
            "Unix time at which the daemon was ready; less process_start_time_seconds: how long that took",
            registry=registry,
        )
        self.camera_up = Gauge("edged_camera_up", "1 while usable frames arrive", registry=registry)
        self.camera_reconnects = Counter(
            "edged_camera_reconnects", "Times the camera was opened again", registry=registry
        )
        self.camera_faults = Counter(
            "edged_camera_faults", "Camera faults by kind", ["fault"], registry=registry
        )
        self.camera_last_frame = Gauge(
            "edged_camera_last_frame_timestamp_seconds", "Unix time of the newest frame", registry=registry
        )
        self.frames = Counter("edged_frames", "Frames by fate", ["result"], registry=registry)
        self.frame_age = Histogram(
            "edged_frame_age_seconds", "Age of a frame when recognition takes it", buckets=_LATENCY,
            registry=registry,
        )  # fmt: skip
        self.stage = Histogram(
            "edged_stage_duration_seconds", "Time of one stage for one frame", ["stage"], buckets=_STAGE,
            registry=registry,
        )  # fmt: skip
        self.decision_latency = Histogram(
            "edged_decision_latency_seconds", "First usable face to lock line", buckets=_LATENCY,
            registry=registry,
        )  # fmt: skip
        self.decisions = Counter(
            "edged_decisions", "Decisions by outcome and reason", ["decision", "reason"], registry=registry
        )
        self.match_score = Histogram(
            "edged_match_score", "Cosine of decided tracks", ["outcome"], buckets=_COSINE, registry=registry
        )
        self.match_margin = Histogram(
            "edged_match_margin", "Distance to the runner-up of decided tracks", buckets=_COSINE,
            registry=registry,
        )  # fmt: skip

    def _liveness(self, registry: CollectorRegistry) -> None:
        self.liveness_mode = Gauge(
            "edged_liveness_mode", "1 for the mode in force", ["mode"], registry=registry
        )
        self.liveness_score = Histogram(
            "edged_liveness_score", "Liveness of a face in one frame, 0 to 1, by cue", ["cue"],
            buckets=_SHARE, registry=registry,
        )  # fmt: skip
        self.liveness_failures = Counter(
            "edged_liveness_failures", "Faces whose liveness could not be measured, by cause", ["cause"],
            registry=registry,
        )  # fmt: skip

    def _second_factor(self, registry: CollectorRegistry) -> None:
        self.second_factors = Counter(
            "edged_second_factors", "Second factors asked for, by cause and by how that ended",
            ["cause", "outcome"], registry=registry,
        )  # fmt: skip
        self.second_factors_pending = Gauge(
            "edged_second_factors_pending", "Second factors awaited now", registry=registry
        )
        self.factor_messages = Counter(
            "edged_second_factor_rejected", "Messages about second factors that were not heeded, by cause",
            ["cause"], registry=registry,
        )  # fmt: skip

    def _gallery(self, registry: CollectorRegistry) -> None:
        self.armed = Gauge("edged_armed", "1 while a match may open the door", registry=registry)
        self.threshold = Gauge("edged_match_threshold", "Cosine threshold in force", registry=registry)
        self.expected_false_accepts = Gauge(
            "edged_expected_false_accepts_per_year",
            "Upper bound of grants to strangers a year if every visit were a stranger's; NaN while unknown",
            registry=registry,
        )
        self.visits_a_day = Gauge(
            "edged_visits_per_day", "Access events a day of the last weeks; NaN while unknown",
            registry=registry,
        )  # fmt: skip
        self.gallery_people = Gauge("edged_gallery_people", "People in memory", registry=registry)
        self.gallery_templates = Gauge("edged_gallery_templates", "Templates in memory", registry=registry)
        self.gallery_version = Gauge("edged_gallery_version", "Generation in memory", registry=registry)
        self.gallery_unread = Gauge(
            "edged_gallery_unread_seconds",
            "Time for which changes cannot be read; 0 in order",
            registry=registry,
        )
        self.gallery_failures = Counter(
            "edged_gallery_load_failures", "Reloads that failed; the old gallery stays", registry=registry
        )

    def _door(self, registry: CollectorRegistry) -> None:
        self.lock_actuations = Counter(
            "edged_lock_actuations", "Pulses of the lock by cause", ["cause"], registry=registry
        )
        self.lock_refusals = Counter(
            "edged_lock_refusals", "Grants refused at the door, by reason", ["reason"], registry=registry
        )
        self.lock_unlocked = Gauge("edged_lock_unlocked", "1 while the line is active", registry=registry)
        self.door_connected = Gauge(
            "edged_door_connected", "1 while the lock line is in reach: held here, or by a door process",
            registry=registry,
        )  # fmt: skip
        self.lock_overruns = Counter(
            "edged_lock_overrun", "Pulses ended later than 50 ms past their deadline", registry=registry
        )
        self.door_condition = Gauge(
            "edged_door_condition", "1 for what the door is in, as its door process says; 0 without one",
            ["condition"], registry=registry,
        )  # fmt: skip
        self.door_tampered = Gauge(
            "edged_door_tampered", "1 while the tamper input is active", registry=registry
        )
        self.door_part_faulty = Gauge(
            "edged_door_part_faulty", "1 for an input that cannot be read, and for a guard that is gone",
            ["part"], registry=registry,
        )  # fmt: skip
        self.alarms = Counter("edged_alarms", "Alarms by kind", ["alarm"], registry=registry)

    def door_is(self, status: DoorStatus | None) -> None:
        """Show what a door process says of itself; None: it says nothing."""
        self.lock_unlocked.set(status is not None and status.released)
        self.door_tampered.set(status is not None and status.tampered)
        for one in DOOR_CONDITIONS:
            self.door_condition.labels(one).set(status is not None and one == status.condition)
        for part in DOOR_PARTS:
            self.door_part_faulty.labels(part).set(status is not None and part in status.faulty)

    def alarm(self, kind: str) -> None:
        """Count an alarm."""
        self.alarms.labels(kind if kind in ALARMS else "other").inc()

    def _broker(self, registry: CollectorRegistry) -> None:
        self.mqtt_connected = Gauge("edged_mqtt_connected", "1 while the broker answers", registry=registry)
        self.mqtt_reconnects = Counter(
            "edged_mqtt_reconnects", "Connections after the first", registry=registry
        )
        self.publishes = Counter(
            "edged_mqtt_publishes", "Events handed to the broker, by result", ["result"], registry=registry
        )
        self.acks = Counter(
            "edged_mqtt_app_acks", "Acknowledgements of a collector, by result", ["result"], registry=registry
        )
        self.resends = Counter(
            "edged_mqtt_app_ack_resends", "Events sent again for want of a collector's acknowledgement",
            registry=registry,
        )  # fmt: skip
        self.replay_requests = Counter(
            "edged_mqtt_replay_requests", "Requests to send events of the journal again, by result",
            ["result"], registry=registry,
        )  # fmt: skip
        self.replayed_events = Counter(
            "edged_mqtt_replayed_events", "Events of the journal sent again, by result", ["result"],
            registry=registry,
        )  # fmt: skip
        self.replay_running = Gauge(
            "edged_mqtt_replay_running", "1 while a request is fulfilled", registry=registry
        )

    def _records(self, registry: CollectorRegistry) -> None:
        self.outbox_unacked = Gauge(
            "edged_outbox_unacknowledged", "Events sent that the collector has not acknowledged",
            registry=registry,
        )  # fmt: skip
        self.outbox_rows = Gauge("edged_outbox_rows", "Events not yet delivered", registry=registry)
        self.outbox_oldest = Gauge(
            "edged_outbox_oldest_timestamp_seconds", "Unix time of the oldest undelivered event, 0 if none",
            registry=registry,
        )  # fmt: skip
        self.outbox_quarantined = Gauge(
            "edged_outbox_quarantined", "Events put aside because they cannot be delivered as they are",
            registry=registry,
        )  # fmt: skip
        self.events = Counter("edged_journal_events", "Events recorded", registry=registry)
        self.journal_failures = Counter("edged_journal_failures", "Events not written", registry=registry)
        self.events_dropped = Counter(
            "edged_events_dropped", "Events that will be on no record, by what dropped them", ["reason"],
            registry=registry,
        )  # fmt: skip
        self.storage_recoveries = Counter(
            "edged_storage_recoveries", "Damaged journals whose events were taken over", registry=registry
        )
        self.clock_synced = Gauge(
            "edged_clock_synced", "1 while the clock is said to be synchronised; NaN where nobody tells",
            registry=registry,
        )  # fmt: skip

    def _board(self, registry: CollectorRegistry) -> None:
        self.temperature = Gauge(
            "edged_temperature_celsius", "The board's hottest zone; NaN where it says none", registry=registry
        )
        self.throttled = Gauge(
            "edged_throttled", "1 while heat or the power supply slows the board down; NaN where unknown",
            registry=registry,
        )  # fmt: skip
        self.governor_level = Gauge(
            "edged_governor_level", "Steps by which less work is done, 0 to 3; see edged_governor_pressure",
            registry=registry,
        )  # fmt: skip
        self.governor_pressure = Gauge(
            "edged_governor_pressure", "1 for what makes the door do less work now", ["cause"],
            registry=registry,
        )  # fmt: skip
        self.shed = Counter(
            "edged_searches_shed", "Pictures of a movement without a face that were not searched, by cause",
            ["cause"], registry=registry,
        )  # fmt: skip
        self.storage_free = Gauge("edged_storage_free_bytes", "Room on the journal's disk", registry=registry)
        self.storage_size = Gauge("edged_storage_size_bytes", "Size of the journal's disk", registry=registry)

    def _fleet(self, registry: CollectorRegistry) -> None:
        self.fleet_gallery_version = Gauge(
            "edged_fleet_gallery_version", "Version of the fleet's gallery in force; 0: none",
            registry=registry,
        )  # fmt: skip
        self.fleet_gallery_expires = Gauge(
            "edged_fleet_publisher_due_timestamp_seconds", "Unix time by which the publisher has to speak",
            registry=registry,
        )  # fmt: skip
        self.fleet_gallery_lapses = Gauge(
            "edged_fleet_gallery_last_day_timestamp_seconds", "Unix time at which the gallery lapses",
            registry=registry,
        )  # fmt: skip
        self.fleet_signatures_end = Gauge(
            "edged_fleet_signatures_end_timestamp_seconds",
            "Unix time at which signatures end that no daily word renews: the root keys', the galleries'",
            registry=registry,
        )
        for moment in (self.fleet_gallery_expires, self.fleet_gallery_lapses, self.fleet_signatures_end):
            moment.set(float("nan"))  # without a fleet none is ever due
        self.fleet_group = Gauge(
            "edged_fleet_group_info", "1 for the group of doors that this one belongs to", ["site", "group"],
            registry=registry,
        )  # fmt: skip
        self.fleet_attempts = Counter(
            "edged_fleet_updates", "Looks at what the publisher offers, by result", ["result"],
            registry=registry,
        )  # fmt: skip
        self.commands = Counter(
            "edged_commands", "Commands over MQTT, by what came of them", ["result"], registry=registry
        )

    def _initialise(self) -> None:
        for counter, label, values in (
            (self.stage, "stage", STAGES),
            (self.frames, "result", FRAME_RESULTS),
            (self.liveness_mode, "mode", LIVENESS_MODES),
            (self.liveness_score, "cue", LIVENESS_SCORES),
            (self.liveness_failures, "cause", LIVENESS_FAILURES),
            (self.lock_actuations, "cause", LOCK_CAUSES),
            (self.lock_refusals, "reason", LOCK_REFUSALS),
            (self.door_condition, "condition", DOOR_CONDITIONS),
            (self.door_part_faulty, "part", DOOR_PARTS),
            (self.alarms, "alarm", ALARMS),
            (self.events_dropped, "reason", DROPPED),
            (self.publishes, "result", PUBLISH_RESULTS),
            (self.acks, "result", ACK_RESULTS),
            (self.replay_requests, "result", REPLAY_RESULTS),
            (self.replayed_events, "result", REPLAYED_RESULTS),
            (self.camera_faults, "fault", CAMERA_FAULTS),
            (self.factor_messages, "cause", FACTOR_REJECTIONS),
            (self.fleet_attempts, "result", FLEET_RESULTS),
            (self.commands, "result", COMMAND_RESULTS),
            (self.governor_pressure, "cause", PRESSURES),
            (self.shed, "cause", PRESSURES),
        ):
            for value in values:
                counter.labels(**{label: value})
        for cause in FactorCause:
            for end in FactorOutcome:
                self.second_factors.labels(cause.value, end.value)
        for outcome in (Outcome.GRANT, Outcome.DENY):
            self.match_score.labels(outcome.value)
        self.decisions.labels(Outcome.GRANT.value, Reason.MATCHED.value)
        for reason in Reason:
            if reason not in (Reason.COLLECTING, Reason.MATCHED):
                self.decisions.labels(Outcome.DENY.value, reason.value)


def _process(registry: CollectorRegistry) -> None:
    """Register what the library offers by default on its global registry: process, interpreter, memory."""
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
