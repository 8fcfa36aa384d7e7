"""Attendance out of a collector's database, as a door's own journal would tell it."""

import json
from collections.abc import Iterator
from datetime import date, tzinfo
from typing import Any

from edged.collecting.links import Link
from edged.domain.attendance_report import Stamp, stamps_between
from edged.domain.clock_correction import CLOCK_CORRECTED, Corrections, corrected, corrections_of
from edged.domain.types import Event, EventKind, StoredEvent
from edged.errors import NotFoundError, StoreCorruptError
from edged.fleet.messages import timestamp

_COLUMNS = (
    "event_id, kind, occurred_at, mono_ms, boot_id, time_synced, person_id, CAST(body AS text), epoch, seq"
)
_DOOR = "site = %s AND door = %s"


def doors(link: Link, site: str | None = None, door: str | None = None) -> list[tuple[str, str]]:
    """Return the doors that said anything, of one site or name where it is given.

    Raises ``NotFoundError`` where there is none of that name, ``StoreError``.
    """
    rows = link.execute("SELECT DISTINCT site, door FROM streams ORDER BY 1, 2")
    found = [
        (str(at), str(name)) for at, name in rows if site in (None, str(at)) and door in (None, str(name))
    ]
    if not found and (site is not None or door is not None):
        raise NotFoundError(f"no events of door {door or 'any'} at site {site or 'any'}")
    return found


def stamps(
    link: Link,
    places: list[tuple[str, str]],
    days: tuple[date, date],
    span: tuple[float, float],
    zone: tzinfo | None,
) -> list[Stamp]:
    """Return the punches of the local ``days``, first and last, at the doors ``places``.

    ``span`` in Unix seconds is wider than the days in any zone. Each door's clock is corrected by its own
    word alone, and only a door takes its punches back. Raises ``StoreError``.
    """
    found: list[Stamp] = []
    for place in places:
        events = list(_events(link, place, span))
        try:
            found += stamps_between(events, *days, zone)
        except ValueError as exc:
            raise StoreCorruptError(f"door {place[1]} of {place[0]}: {exc}") from exc
    return found


def _events(link: Link, place: tuple[str, str], span: tuple[float, float]) -> Iterator[StoredEvent]:
    corrections = _corrections(link, place)
    stepped = [boot for boot, ones in corrections.items() if any(one.synced_from is not None for one in ones)]
    marks = "".join(f" OR boot_id = {mark}" for mark in ["%s"] * len(stepped))
    rows = link.execute(
        f"SELECT {_COLUMNS} FROM events WHERE {_DOOR} AND kind = 'attendance'"  # noqa: S608 - fixed texts
        f" AND (occurred_at >= %s AND occurred_at < %s OR NOT time_synced{marks})"
        " ORDER BY epoch, seq, event_id",
        (*place, *map(timestamp, span), *stepped),
    )
    for row in rows:
        stored = corrected(_stored(link, row), corrections)
        if span[0] <= stored.happened_at < span[1]:
            yield stored


def _corrections(link: Link, place: tuple[str, str]) -> Corrections:
    rows = link.execute(
        f"SELECT {_COLUMNS} FROM events WHERE {_DOOR} AND kind = 'system'"  # noqa: S608 - fixed texts
        f" AND CAST(body AS text) LIKE '%%{CLOCK_CORRECTED}%%' ORDER BY epoch, seq, event_id",
        place,
    )
    return corrections_of(_stored(link, row).event for row in rows)


def _stored(link: Link, row: tuple[Any, ...]) -> StoredEvent:
    event_id, kind, occurred_at, mono_ms, boot_id, synced, person_id, body, epoch, seq = row
    event = Event(
        event_id=str(event_id),
        kind=EventKind(kind),
        occurred_at=link.seconds(occurred_at),
        monotonic_at=mono_ms / 1000,
        boot_id=str(boot_id),
        time_synced=bool(synced),
        person_id=person_id,
        body=json.loads(body),
    )
    return StoredEvent(str(epoch), int(seq), event, digest="")
