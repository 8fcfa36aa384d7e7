"""What the journal and the wire say about a decision and a punch: JSON values only, never a name.

The person stands in the event itself, beside the body.
"""

import math
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Any

from edged.domain.attendance import Direction, Punch, PunchKind
from edged.domain.second_factor import AskedFactor
from edged.domain.types import Decision, Event, EventKind, StoredEvent

# Cosines are compared to four places; more would only be noise of the camera.
_PLACES = 4


def access_body(
    decision: Decision,
    *,
    latency_ms: float | None,
    gallery_version: int,
    model: str,
    direction: Direction | None = None,
    punch: Punch | None = None,
) -> dict[str, Any]:
    """Return the body of an access event.

    ``latency_ms`` is the time from the first usable face to the decision; ``model`` the embedding
    space; ``direction`` what the door is set to where attendance is on; ``punch`` what it made.
    A score is null where nobody was compared. What a second factor had to do with it stands there only where
    one was asked for, or would have been by an armed door.
    """
    compared = decision.person_id is not None or decision.score > -1.0
    return {
        "decision": decision.outcome.value,
        "reason": decision.reason.value,
        "score": _rounded(decision.score) if compared else None,
        "margin": _rounded(decision.margin) if compared else None,
        "frames": int(decision.frames),
        "quality": _rounded(decision.quality),
        "live": _rounded(decision.liveness),
        "latency_ms": _rounded(latency_ms, 1),
        "gallery_version": int(gallery_version),
        "model": model,
        "direction": direction,
        "punch": None if punch is None else punch.kind.value,
        **({} if decision.factor is None else _factor(decision.factor)),
    }


def _factor(asked: AskedFactor) -> dict[str, Any]:
    return {
        "second_factor": asked.cause.value,
        "factor_outcome": asked.outcome and asked.outcome.value,
        "factor_kind": asked.kind and asked.kind.value,
        "factor_source": asked.source and asked.source.value,
        "factor_wrong": asked.wrong,
    }


def attendance_body(punch: Punch, *, direction: Direction, access_event_id: str) -> dict[str, Any]:
    """Return the body of an attendance event; ``direction`` is what the door is set to.

    The event's ``occurred_at`` must be ``punch.at``: date and offset here make a local time of it.
    """
    offset = punch.local.utcoffset() or timedelta()
    return {
        "direction": direction,
        "punch": punch.kind.value,
        "access_event_id": access_event_id,
        "local_date": punch.local.date().isoformat(),
        "utc_offset_minutes": round(offset.total_seconds() / 60),
    }


def withdrawal_body(punched: Event, reason: str) -> dict[str, Any]:
    """Return the body of the event that takes back the attendance event ``punched``, and why."""
    return {**punched.body, "withdraws": punched.event_id, "reason": reason}


def standing_punches(events: Iterable[StoredEvent]) -> list[StoredEvent]:
    """Return the attendance events of ``events`` that make a punch and were not taken back, in order."""
    found = [stored for stored in events if stored.event.kind is EventKind.ATTENDANCE]
    withdrawn = {stored.event.body.get("withdraws") for stored in found}
    return [
        stored
        for stored in found
        if "withdraws" not in stored.event.body and stored.event.event_id not in withdrawn
    ]


def punch_of(event: Event, corrected_at: float | None = None, zone: tzinfo | None = None) -> Punch:
    """Return the punch of an attendance event. Raises ``ValueError`` where the body is not one.

    Where its time was corrected (``corrected_at`` Unix seconds) ``zone`` says the local time, if given:
    the offset on record is that of another date.
    """
    body: Mapping[str, Any] = event.body
    if event.person_id is None:
        raise ValueError(f"event {event.event_id}: not an attendance event: it has no person")
    try:
        recorded = timezone(timedelta(minutes=body["utc_offset_minutes"]))
        at = event.occurred_at if corrected_at is None else corrected_at
        local = datetime.fromtimestamp(at, recorded if zone is None or corrected_at is None else zone)
        return Punch(event.person_id, PunchKind(body["punch"]), at, local)
    except (KeyError, TypeError, ValueError, OverflowError, OSError) as exc:
        raise ValueError(f"event {event.event_id}: not an attendance event: {exc!r}") from exc


def _rounded(value: float | None, places: int = _PLACES) -> float | None:
    """Return a plain float, or None where there is no finite number."""
    if value is None or not math.isfinite(value):
        return None
    return round(float(value), places)
