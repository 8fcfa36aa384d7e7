from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.domain.attendance import Punch, PunchKind
from edged.domain.attendance_report import DayReport, Stamp, day_reports, month_reports, stamps_between
from edged.domain.event_body import attendance_body
from edged.domain.types import Event, EventKind, StoredEvent

DAY = datetime(2026, 3, 2, tzinfo=UTC)


def stamp(text: str, kind: str, person_id: str = "p-ada", *, day: int = 0, synced: bool = True) -> Stamp:
    hour, minute = map(int, text.split(":"))
    local = DAY + timedelta(days=day, hours=hour, minutes=minute)
    return Stamp(Punch(person_id, PunchKind(kind), local.timestamp(), local), f"E{text}", synced)


def only(*stamps: Stamp) -> DayReport:
    (report,) = day_reports(stamps)
    return report


def test_a_plain_day() -> None:
    report = only(stamp("08:00", "in"), stamp("12:00", "out"), stamp("12:30", "in"), stamp("17:00", "out"))
    assert report.worked_seconds == 8.5 * 3600
    assert report.first_entry is not None
    assert report.first_entry.punch.local.hour == 8
    assert report.last_leaving is not None
    assert report.last_leaving.punch.local.hour == 17
    assert (report.missing_in, report.missing_out, report.clock_unsynced) == (False, False, False)


def test_who_did_not_leave_is_flagged_and_only_whole_stays_count() -> None:
    report = only(stamp("08:00", "in"), stamp("12:00", "out"), stamp("13:00", "in"))
    assert (report.missing_in, report.missing_out) == (False, True)
    assert report.worked_seconds == 4 * 3600


def test_two_entries_in_a_row_miss_a_leaving_between() -> None:
    report = only(stamp("08:00", "in"), stamp("13:00", "in"), stamp("17:00", "out"))
    assert [stay.seconds for stay in report.stays] == [0, 4 * 3600]
    assert report.missing_out


def test_leaving_without_having_come_is_flagged() -> None:
    report = only(stamp("17:00", "out"))
    assert (report.missing_in, report.missing_out, report.worked_seconds) == (True, False, 0)
    assert report.first_entry is None


def test_an_unsynchronised_clock_is_flagged() -> None:
    assert only(stamp("08:00", "in"), stamp("17:00", "out", synced=False)).clock_unsynced


def test_days_and_people_are_apart_and_in_order() -> None:
    stamps = [
        stamp("08:00", "in", "p-b", day=1),
        stamp("08:00", "in", "p-b"),
        stamp("09:00", "in", "p-a", day=1),
    ]
    assert [(report.day.day, report.person_id) for report in day_reports(stamps)] == [
        (2, "p-b"),
        (3, "p-a"),
        (3, "p-b"),
    ]


def test_a_month_adds_up_its_days() -> None:
    stamps = [
        stamp("08:00", "in"), stamp("16:00", "out"),
        stamp("08:00", "in", day=1),
        stamp("17:00", "out", day=2, synced=False),
        stamp("08:00", "in", day=40), stamp("09:00", "out", day=40),
    ]  # fmt: skip
    march, april = month_reports(day_reports(stamps))
    assert (march.month, march.days, march.worked_seconds) == (date(2026, 3, 1), 3, 8 * 3600)
    assert (march.days_missing_in, march.days_missing_out, march.days_unsynced) == (1, 1, 1)
    assert (april.month, april.days, april.worked_seconds) == (date(2026, 4, 1), 1, 3600)


def stored(punch: Punch, kind: EventKind = EventKind.ATTENDANCE) -> StoredEvent:
    body = attendance_body(punch, direction="in", access_event_id="A")
    event = Event("E", kind, punch.at, 0, "b", time_synced=True, person_id=punch.person_id, body=body)
    return StoredEvent("e", 1, event, "")


def test_stamps_are_chosen_by_the_local_day_of_the_door() -> None:
    late = datetime(2026, 3, 2, 23, 30, tzinfo=UTC)
    early = datetime.fromisoformat("2026-03-03T00:30:00+13:45")
    events = [stored(Punch("p", PunchKind.IN, moment.timestamp(), moment)) for moment in (late, early)]
    chosen = stamps_between(events, date(2026, 3, 3), date(2026, 3, 3))
    assert [stamp.punch.local for stamp in chosen] == [early]
    assert chosen[0].punch.local.utcoffset() == timedelta(hours=13, minutes=45)


def test_other_events_are_passed_over_and_bad_bodies_are_not() -> None:
    punch = Punch("p", PunchKind.IN, DAY.timestamp(), DAY)
    assert stamps_between([stored(punch, EventKind.ACCESS)], DAY.date(), DAY.date()) == []
    broken = stored(punch)
    bad = StoredEvent(
        "e", 1, Event("E", EventKind.ATTENDANCE, 0, 0, "b", time_synced=True, person_id="p"), ""
    )
    assert broken.event.body["punch"] == "in"
    with pytest.raises(ValueError, match="not an attendance event"):
        stamps_between([bad], DAY.date(), DAY.date())


minutes = st.lists(st.tuples(st.integers(0, 1439), st.sampled_from(["in", "out"])), min_size=1, max_size=30)


@given(minutes)
def test_no_stamp_is_lost_or_counted_twice(rows: list[tuple[int, str]]) -> None:
    stamps = [stamp(f"{minute // 60}:{minute % 60}", kind) for minute, kind in rows]
    report = only(*stamps)
    used = [end for stay in report.stays for end in (stay.entry, stay.leaving) if end is not None]
    assert sorted(map(id, used)) == sorted(map(id, stamps))
    span = max(end.punch.at for end in used) - min(end.punch.at for end in used)
    assert 0 <= report.worked_seconds <= span
    whole = not report.missing_in and not report.missing_out
    assert whole == all(stay.entry and stay.leaving for stay in report.stays)
