"""Dates and times as people write them in tables and options."""

from datetime import date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo

from edged.errors import EnrolmentError


def zone_of(name: str) -> tzinfo | None:
    """Return the zone called ``name``; None means the machine's own, as does ``local``."""
    return None if name == "local" else ZoneInfo(name)


def parse_moment(text: str, zone: tzinfo | None, *, end: bool) -> datetime:
    """Return the aware datetime of an ISO 8601 date or time; without an offset it is in ``zone``.

    A bare date is its beginning, and with ``end`` the beginning of the next day: somebody valid until
    a day is let in on that day. Raises ``EnrolmentError`` (bad_date).
    """
    cleaned = text.strip()
    try:
        try:
            day = date.fromisoformat(cleaned)
        except ValueError:
            moment = datetime.fromisoformat(cleaned)
        else:
            moment = datetime.combine(day + timedelta(days=1 if end else 0), time())
        if moment.tzinfo is not None:
            return moment
        return moment.astimezone() if zone is None else moment.replace(tzinfo=zone)
    except (ValueError, OverflowError) as exc:
        raise EnrolmentError(
            "bad_date",
            f"expected a date such as 2026-12-31, or a time such as 2026-12-31T18:00, got {text[:40]!r}",
        ) from exc
