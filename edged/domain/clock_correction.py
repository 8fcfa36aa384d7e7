"""When something really happened that was recorded before the clock was right.

A board without a battery-backed clock starts at some time of its own. What is recorded until the network
tells the time carries that time, the monotonic clock and ``time_synced`` false; once the time is known
one event, ``clock_corrected``, says what to add to the monotonic clock of which starts. Rows are never
rewritten: whoever reads them adds it.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from edged.domain.types import Event, EventKind, StoredEvent

CLOCK_CORRECTED = "clock_corrected"
# Of each start (``boot_id``): Unix time less its monotonic clock, in seconds.
Corrections = Mapping[str, float]


def correction_body(boot_ids: Sequence[str], offset: float, step_seconds: float | None) -> dict[str, Any]:
    """Return the body of the event that corrects the starts ``boot_ids`` of one boot of the machine.

    ``offset``: Unix time less the monotonic clock, seconds; ``step_seconds``: how far the wall clock
    moved in the present start, None where it was right from the beginning.
    """
    return {
        "type": CLOCK_CORRECTED,
        "boot_ids": list(boot_ids),
        "unix_minus_monotonic": round(offset, 3),
        "step_seconds": None if step_seconds is None else round(step_seconds, 3),
    }


def corrections_of(events: Iterable[Event]) -> dict[str, float]:
    """Return what ``events`` correct; the last word counts. Bodies that make no sense are passed over."""
    found: dict[str, float] = {}
    for event in events:
        offset, boots = event.body.get("unix_minus_monotonic"), event.body.get("boot_ids")
        if event.kind is not EventKind.SYSTEM or event.body.get("type") != CLOCK_CORRECTED:
            continue
        if isinstance(offset, int | float) and math.isfinite(offset) and isinstance(boots, list):
            found |= {str(boot): float(offset) for boot in boots}
    return found


def corrected(stored: StoredEvent, corrections: Corrections) -> StoredEvent:
    """Return ``stored`` with ``corrected_at`` where its clock was not right and is known by now."""
    event = stored.event
    offset = None if event.time_synced else corrections.get(event.boot_id)
    return stored if offset is None else replace(stored, corrected_at=event.monotonic_at + offset)
