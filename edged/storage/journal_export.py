"""Events for other programs: JSON lines, and a table that a spreadsheet opens safely."""

import csv
import json
from collections.abc import Iterable
from datetime import UTC, datetime, tzinfo
from typing import Any, TextIO

from edged.domain.types import StoredEvent

# Every key of an access or attendance body has its column; what else a body holds goes to "details".
BODY_COLUMNS = (
    "decision", "reason", "score", "margin", "frames", "quality", "live", "latency_ms", "direction", "punch",
    "access_event_id", "local_date", "utc_offset_minutes", "gallery_version", "model",
)  # fmt: skip
COLUMNS = (
    "seq", "event_id", "time", "kind", "person_id", *BODY_COLUMNS, "details", "time_synced",
    "corrected_time", "boot_id", "monotonic_at", "epoch", "digest",
)  # fmt: skip
# A spreadsheet takes text that begins so for a formula (OWASP, "CSV Injection").
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def utc_text(unix: float) -> str:
    """Return ISO 8601 in UTC with milliseconds."""
    return datetime.fromtimestamp(unix, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def local_time(unix: float, zone: tzinfo | None) -> str:
    """Return a time to the second for people; in ``zone``, None is the machine's own."""
    return datetime.fromtimestamp(unix, UTC).astimezone(zone).isoformat(sep=" ", timespec="seconds")


def record_of(stored: StoredEvent) -> dict[str, Any]:
    """Return all of an event as JSON values."""
    event = stored.event
    return {
        "epoch": stored.epoch,
        "seq": stored.seq,
        "event_id": event.event_id,
        "kind": event.kind.value,
        "time": utc_text(event.occurred_at),
        "occurred_at": event.occurred_at,
        "corrected_time": None if stored.corrected_at is None else utc_text(stored.corrected_at),
        "monotonic_at": event.monotonic_at,
        "boot_id": event.boot_id,
        "time_synced": event.time_synced,
        "person_id": event.person_id,
        "body": dict(event.body),
        "trace": [
            {"name": gate.name, "value": gate.value, "limit": gate.limit, "passed": gate.passed}
            | ({} if gate.who is None else {"who": gate.who})
            for gate in event.trace
        ],
        "digest": stored.digest,
    }


def summary_line(stored: StoredEvent, zone: tzinfo | None) -> str:
    """Return an event on one line for people; times in ``zone``, None is the machine's own."""
    event = stored.event
    doubt = "" if event.time_synced else " clock not synchronised"
    if stored.corrected_at is not None:
        doubt = " time corrected afterwards"
    body = " ".join(f"{name}={value}" for name, value in event.body.items() if value is not None)
    person = event.person_id or "-"
    time = local_time(stored.happened_at, zone)
    return f"{stored.seq:>8} {time} {event.kind.value:<10} {person:<14} {body} id={event.event_id}{doubt}"


def write_json_lines(file: TextIO, events: Iterable[StoredEvent]) -> int:
    """Write one JSON object a line; return how many."""
    count = 0
    for stored in events:
        file.write(json.dumps(record_of(stored), ensure_ascii=False) + "\n")
        count += 1
    return count


def write_csv(file: TextIO, events: Iterable[StoredEvent]) -> int:
    """Write a heading and one row an event; return how many events."""
    writer = csv.writer(file)
    writer.writerow(COLUMNS)
    count = 0
    for stored in events:
        writer.writerow([safe_cell(cell) for cell in _cells(stored)])
        count += 1
    return count


def safe_cell(value: object) -> object:
    """Return ``value`` for a CSV cell: text that a spreadsheet would run is quoted with an apostrophe."""
    if isinstance(value, str) and value.startswith(_FORMULA):
        return "'" + value
    return value


def _cells(stored: StoredEvent) -> list[object]:
    record = record_of(stored)
    body = record["body"]
    details = {key: value for key, value in body.items() if key not in BODY_COLUMNS}
    record["details"] = json.dumps(details, sort_keys=True, ensure_ascii=False) if details else None
    return [body.get(name) if name in BODY_COLUMNS else record[name] for name in COLUMNS]
