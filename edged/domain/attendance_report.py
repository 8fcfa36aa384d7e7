"""Punches to working days: who came and went when, and what is missing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, tzinfo
from itertools import groupby

from edged.domain.attendance import Punch, PunchKind
from edged.domain.event_body import punch_of, standing_punches
from edged.domain.types import StoredEvent


@dataclass(frozen=True, slots=True)
class Stamp:
    """A recorded punch: its event, and whether the clock was synchronised when it was made."""

    punch: Punch
    event_id: str
    time_synced: bool


@dataclass(frozen=True, slots=True)
class Stay:
    """From one coming to the next going; None is a stamp that is missing."""

    entry: Stamp | None
    leaving: Stamp | None

    @property
    def seconds(self) -> float:
        """How long it lasted; 0 where either end is missing."""
        if self.entry is None or self.leaving is None:
            return 0.0
        return self.leaving.punch.at - self.entry.punch.at


@dataclass(frozen=True, slots=True)
class DayReport:
    """One person on one local day. ``stays`` in order of time, never empty."""

    person_id: str
    day: date
    stays: tuple[Stay, ...]

    @property
    def first_entry(self) -> Stamp | None:
        """The earliest coming."""
        return next((stay.entry for stay in self.stays if stay.entry), None)

    @property
    def last_leaving(self) -> Stamp | None:
        """The latest going."""
        return next((stay.leaving for stay in reversed(self.stays) if stay.leaving), None)

    @property
    def worked_seconds(self) -> float:
        """The sum of the stays that have both ends."""
        return sum(stay.seconds for stay in self.stays)

    @property
    def missing_in(self) -> bool:
        """Whether somebody left without having come."""
        return any(stay.entry is None for stay in self.stays)

    @property
    def missing_out(self) -> bool:
        """Whether somebody came and did not leave, or is still here."""
        return any(stay.leaving is None for stay in self.stays)

    @property
    def clock_unsynced(self) -> bool:
        """Whether a stamp was made while the clock was not known to be right."""
        stamps = [stamp for stay in self.stays for stamp in (stay.entry, stay.leaving) if stamp]
        return not all(stamp.time_synced for stamp in stamps)


@dataclass(frozen=True, slots=True)
class MonthReport:
    """One person in one month: ``month`` is its first day; the counts are of days."""

    person_id: str
    month: date
    days: int
    worked_seconds: float
    days_missing_in: int
    days_missing_out: int
    days_unsynced: int


def stamps_between(
    events: Iterable[StoredEvent], first: date, last: date, zone: tzinfo | None = None
) -> list[Stamp]:
    """Return the stamps of the attendance events whose local day is ``first`` to ``last``, inclusive.

    ``zone`` is the door's, for punches whose time was corrected afterwards; they stay marked. Punches
    that were taken back are none. Raises ``ValueError`` where the body of an event is not a punch's.
    """
    stamps = [
        Stamp(
            punch_of(stored.event, stored.corrected_at, zone),
            stored.event.event_id,
            stored.event.time_synced and stored.corrected_at is None,
        )
        for stored in standing_punches(events)
    ]
    return [stamp for stamp in stamps if first <= stamp.punch.local.date() <= last]


def day_reports(stamps: Iterable[Stamp]) -> list[DayReport]:
    """Return one report a person and local day, by day, then person."""

    def key(stamp: Stamp) -> tuple[date, str]:
        return stamp.punch.local.date(), stamp.punch.person_id

    ordered = sorted(stamps, key=lambda stamp: (*key(stamp), stamp.punch.at))
    return [
        DayReport(person_id, day, _stays(list(group))) for (day, person_id), group in groupby(ordered, key)
    ]


def month_reports(days: Iterable[DayReport]) -> list[MonthReport]:
    """Return one report a person and month, by month, then person."""

    def key(report: DayReport) -> tuple[date, str]:
        return report.day.replace(day=1), report.person_id

    return [
        _month(person_id, month, list(group))
        for (month, person_id), group in groupby(sorted(days, key=key), key)
    ]


def _month(person_id: str, month: date, days: Sequence[DayReport]) -> MonthReport:
    return MonthReport(
        person_id,
        month,
        days=len(days),
        worked_seconds=sum(day.worked_seconds for day in days),
        days_missing_in=sum(day.missing_in for day in days),
        days_missing_out=sum(day.missing_out for day in days),
        days_unsynced=sum(day.clock_unsynced for day in days),
    )


def _stays(stamps: Sequence[Stamp]) -> tuple[Stay, ...]:
    """Pair each coming with the going right after it; what has no partner stands alone."""
    stays: list[Stay] = []
    entry: Stamp | None = None
    for stamp in stamps:
        if stamp.punch.kind is PunchKind.OUT:
            stays.append(Stay(entry, stamp))
            entry = None
            continue
        if entry is not None:
            stays.append(Stay(entry, None))
        entry = stamp
    if entry is not None:
        stays.append(Stay(entry, None))
    return tuple(stays)
