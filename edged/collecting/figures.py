"""What a collector counts, for Prometheus and for its log."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from edged.collecting.incoming import REASONS

RESULTS = ("stored", "duplicate", "check", "overflow", "dropped", *REASONS)
ANSWERS = ("done", "busy", "epoch", "interrupted", "failed", "unreachable")


class Figures:
    """The metrics of one collector; no door is a label, since a fleet may have thousands."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.events = Counter(
            "edged_collect_events", "Messages on event topics, by what became of them", ["result"],
            registry=registry,
        )  # fmt: skip
        self.doubled = Counter(
            "edged_collect_doubled_events", "Events stored under a number that another event of the door has",
            registry=registry,
        )  # fmt: skip
        self.replays = Counter(
            "edged_collect_replays", "Requests for missing events, by how they ended", ["result"],
            registry=registry,
        )  # fmt: skip
        self.commit = Histogram(
            "edged_collect_commit_seconds", "One batch into the database", registry=registry,
            buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0),
        )  # fmt: skip
        self.connected = Gauge(
            "edged_collect_broker_connected", "Whether the broker is reached", registry=registry
        )
        self.database = Gauge(
            "edged_collect_database_up", "Whether the database takes events", registry=registry
        )
        self.last = Gauge(
            "edged_collect_last_commit_timestamp_seconds",
            "When events were committed last",
            registry=registry,
        )
        self.missing = Gauge(
            "edged_collect_missing_events", "Numbers that are missing in the database", registry=registry
        )
        self.missing_since = Gauge(
            "edged_collect_missing_since_timestamp_seconds", "Since when the oldest gap is there, 0: none",
            registry=registry,
        )  # fmt: skip
        for result in RESULTS:
            self.events.labels(result)
        for answer in ANSWERS:
            self.replays.labels(answer)

    def count(self, result: str) -> int:
        """Return how many messages ended so."""
        return int(self.registry.get_sample_value("edged_collect_events_total", {"result": result}) or 0)

    def up(self, name: str) -> bool:
        """Whether the gauge ``edged_collect_<name>`` is set."""
        return bool(self.registry.get_sample_value(f"edged_collect_{name}"))

    def totals(self) -> dict[str, int]:
        """Return how many messages ended how, those that never happened left out.

        ``doubled`` are stored too.
        """
        counted = {result: self.count(result) for result in RESULTS}
        counted["doubled"] = int(self.registry.get_sample_value("edged_collect_doubled_events_total") or 0)
        return {result: count for result, count in counted.items() if count or result in RESULTS[:2]}
