"""Every instrument, on an injected registry.

All label sets are closed and initialised, so a scrape shows the same series on the first day and
after ten thousand people. No name, person id or event id is ever a label.
"""

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)

from edged.domain.types import Outcome, Reason

STAGES = (
    "motion", "detect", "track", "align", "quality", "embed", "match", "decide", "journal", "actuate",
)  # fmt: skip
FRAME_RESULTS = ("captured", "replaced", "stale", "idle", "processed")
PUBLISH_RESULTS = ("delivered", "nobody", "refused", "oversized", "failed")
LOCK_CAUSES = ("face", "test")
CAMERA_FAULTS = ("open", "timeout", "ended", "frozen", "blind", "format")

# The whole way has a budget of 250-700 ms on a small board, so the buckets are densest there.
_LATENCY = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0)
_STAGE = (0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.0)
_COSINE = tuple(round(-0.2 + 0.05 * step, 2) for step in range(25))


class Metrics:
    """One attribute an instrument; ``registry`` is what ``/metrics`` shows."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self._build(registry)
        self._door_and_fleet(registry)
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

    def _door_and_fleet(self, registry: CollectorRegistry) -> None:
        self.armed = Gauge("edged_armed", "1 while a match may open the door", registry=registry)
        self.threshold = Gauge("edged_match_threshold", "Cosine threshold in force", registry=registry)
        self.gallery_people = Gauge("edged_gallery_people", "People in memory", registry=registry)
        self.gallery_templates = Gauge("edged_gallery_templates", "Templates in memory", registry=registry)
        self.gallery_version = Gauge("edged_gallery_version", "Generation in memory", registry=registry)
        self.gallery_failures = Counter(
            "edged_gallery_load_failures", "Reloads that failed; the old gallery stays", registry=registry
        )
        self.lock_actuations = Counter(
            "edged_lock_actuations", "Pulses of the lock by cause", ["cause"], registry=registry
        )
        self.lock_refusals = Counter(
            "edged_lock_refusals", "Grants refused at the door, by reason", ["reason"], registry=registry
        )
        self.lock_unlocked = Gauge("edged_lock_unlocked", "1 while the line is active", registry=registry)
        self.lock_overruns = Counter(
            "edged_lock_overrun", "Pulses ended later than 50 ms past their deadline", registry=registry
        )
        self.mqtt_connected = Gauge("edged_mqtt_connected", "1 while the broker answers", registry=registry)
        self.mqtt_reconnects = Counter(
            "edged_mqtt_reconnects", "Connections after the first", registry=registry
        )
        self.publishes = Counter(
            "edged_mqtt_publishes", "Events handed to the broker, by result", ["result"], registry=registry
        )
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
        self.journal_failures = Counter(
            "edged_journal_failures", "Events that could not be recorded", registry=registry
        )
        self.clock_synced = Gauge(
            "edged_clock_synced", "1 while the kernel says the clock is synchronised", registry=registry
        )

    def _initialise(self) -> None:
        for stage in STAGES:
            self.stage.labels(stage)
        for result in FRAME_RESULTS:
            self.frames.labels(result)
        for outcome in (Outcome.GRANT, Outcome.DENY):
            self.match_score.labels(outcome.value)
        self.decisions.labels(Outcome.GRANT.value, Reason.MATCHED.value)
        for reason in Reason:
            if reason not in (Reason.COLLECTING, Reason.MATCHED):
                self.decisions.labels(Outcome.DENY.value, reason.value)
        for cause in LOCK_CAUSES:
            self.lock_actuations.labels(cause)
        for reason_name in ("stale", "queue_full", "stopping", "line_failed"):
            self.lock_refusals.labels(reason_name)
        for result in PUBLISH_RESULTS:
            self.publishes.labels(result)
        for fault in CAMERA_FAULTS:
            self.camera_faults.labels(fault)


def _process(registry: CollectorRegistry) -> None:
    """Register what the library offers by default on its global registry: process, interpreter, memory."""
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
