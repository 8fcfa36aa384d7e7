"""When something really happened that was recorded while the clock was not right.

A board without a battery-backed clock starts at some time of its own. What is recorded until the network
tells the time carries that time, the monotonic clock and ``time_synced`` false; once the time is known
one event, ``clock_corrected``, says what to add to the monotonic clock of which starts. Rows are never
rewritten: whoever reads them adds it.

A clock that the kernel vouched for can be wrong as well: one that is set back had run ahead. Then the
correction is for what was vouched for since a moment too, or the journal's time would run backwards there.
One that is set forward corrects nothing that was vouched for: a machine that slept looks the same.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from edged.domain.types import Event, EventKind, StoredEvent

CLOCK_CORRECTED = "clock_corrected"


@dataclass(frozen=True, slots=True)
class Correction:
    """``offset`` is Unix time less the monotonic clock of one boot of the machine; all in seconds.

    It was found at the monotonic time ``until``, and is for what happened before. ``synced_from``: from this
    monotonic time on for what the kernel vouched for as well; None: not for that.
    """

    offset: float
    until: float
    synced_from: float | None = None

    def undoes(self, moment: float) -> bool:
        """Whether the time that was believed at monotonic ``moment`` turned out to be wrong."""
        return self.synced_from is not None and self.synced_from <= moment < self.until


# Of each start (``boot_id``), in the order in which they were found.
Corrections = Mapping[str, Sequence[Correction]]


def correction_body(
    boot_ids: Sequence[str], offset: float, step_seconds: float | None, synced_from: float | None = None
) -> dict[str, Any]:
    """Return the body of the event that corrects the starts ``boot_ids`` of one boot of the machine.

    ``offset``: Unix time less the monotonic clock, seconds; ``step_seconds``: how far the wall clock
    moved in the present start, None where it was right from the beginning; ``synced_from`` as in
    ``Correction``.
    """
    body = {
        "type": CLOCK_CORRECTED,
        "boot_ids": list(boot_ids),
        "unix_minus_monotonic": round(offset, 3),
        "step_seconds": None if step_seconds is None else round(step_seconds, 3),
    }
    return body if synced_from is None else body | {"synced_from_monotonic": round(synced_from, 3)}


def corrections_of(events: Iterable[Event]) -> dict[str, list[Correction]]:
    """Return what ``events`` correct. Bodies that make no sense are passed over."""
    found: dict[str, list[Correction]] = {}
    for event in events:
        body = event.body
        offset, since = _time(body.get("unix_minus_monotonic")), _time(body.get("synced_from_monotonic"))
        boots = body.get("boot_ids")
        if event.kind is not EventKind.SYSTEM or body.get("type") != CLOCK_CORRECTED:
            continue
        if offset is not None and isinstance(boots, list):
            for boot in boots:
                found.setdefault(str(boot), []).append(Correction(offset, event.monotonic_at, since))
    return found


def corrected(stored: StoredEvent, corrections: Corrections) -> StoredEvent:
    """Return ``stored`` with ``corrected_at`` where its clock was not right and is known by now."""
    one = _for(stored.event, corrections.get(stored.event.boot_id, ()))
    return stored if one is None else replace(stored, corrected_at=stored.event.monotonic_at + one.offset)


def _for(event: Event, found: Sequence[Correction]) -> Correction | None:
    """Return the correction of an event: the first after it, unless a later one undoes that."""
    best, believed_at = None, event.monotonic_at
    if not event.time_synced and found:
        best = next((one for one in found if one.until >= event.monotonic_at), found[-1])
        believed_at = best.until
    for one in found:
        if one.undoes(believed_at):
            best = one
    return best


def _time(value: object) -> float | None:
    fits = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if fits else None  # type: ignore[arg-type]
