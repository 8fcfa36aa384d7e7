from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.domain.attendance import AttendanceClock, Direction, Punch, PunchKind

BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str) -> tuple[float, datetime]:
    """Unix seconds and local time of a moment in Berlin, 2026-03-MM-DD ``dd hh:mm:ss``."""
    local = datetime.strptime(f"2026-03-{text}", "%Y-%m-%d %H:%M:%S").replace(tzinfo=BERLIN)
    return local.timestamp(), local


def punches(clock: AttendanceClock, *moments: str, person_id: str = "p-ada") -> list[PunchKind | None]:
    made = [clock.punch(person_id, *at(moment)) for moment in moments]
    return [punch and punch.kind for punch in made]


@pytest.mark.parametrize("direction", ["in", "out"])
def test_a_one_way_door_always_punches_its_way(direction: Direction) -> None:
    clock = AttendanceClock(direction, 60)
    assert punches(clock, "02 08:00:00", "02 12:00:00", "03 08:00:00") == [PunchKind(direction)] * 3


def test_a_toggle_door_starts_each_day_with_in_and_alternates() -> None:
    clock = AttendanceClock("toggle", 60)
    moments = "02 08:00:00", "02 12:00:00", "02 12:30:00", "03 08:00:00", "03 17:00:00"
    assert punches(clock, *moments) == [
        PunchKind.IN,
        PunchKind.OUT,
        PunchKind.IN,
        PunchKind.IN,
        PunchKind.OUT,
    ]


def test_a_second_grant_within_the_window_is_no_punch_and_does_not_lengthen_it() -> None:
    clock = AttendanceClock("toggle", 60)
    moments = "02 08:00:00", "02 08:00:59", "02 08:01:00", "02 08:01:30"
    assert punches(clock, *moments) == [PunchKind.IN, None, PunchKind.OUT, None]


def test_a_clock_set_back_a_little_makes_no_second_punch() -> None:
    clock = AttendanceClock("toggle", 60)
    assert punches(clock, "02 08:00:00", "02 07:59:30") == [PunchKind.IN, None]


def test_people_do_not_disturb_each_other() -> None:
    clock = AttendanceClock("toggle", 60)
    assert punches(clock, "02 08:00:00") == [PunchKind.IN]
    assert punches(clock, "02 08:00:01", person_id="p-ben") == [PunchKind.IN]
    assert punches(clock, "02 09:00:00") == [PunchKind.OUT]


def test_the_local_day_counts_not_the_day_in_utc() -> None:
    clock = AttendanceClock("toggle", 60)
    # 23:30 UTC on the 1st is 00:30 on the 2nd in Berlin; both are the 2nd there.
    assert punches(clock, "02 00:30:00", "02 01:30:00") == [PunchKind.IN, PunchKind.OUT]


def test_a_restored_clock_goes_on_where_it_was() -> None:
    came = Punch("p-ada", PunchKind.IN, *at("02 08:00:00"))
    assert punches(AttendanceClock("toggle", 60, [came]), "02 08:00:30", "02 17:00:00") == [
        None,
        PunchKind.OUT,
    ]
    assert punches(AttendanceClock("toggle", 60, [came]), "03 08:00:00") == [PunchKind.IN]


def test_a_withdrawn_punch_is_made_again() -> None:
    clock = AttendanceClock("toggle", 60)
    first = clock.punch("p-ada", *at("02 08:00:00"))
    lost = clock.punch("p-ada", *at("02 09:00:00"))
    assert first is not None
    assert lost is not None
    clock.withdraw(lost)
    clock.withdraw(lost)
    assert punches(clock, "02 09:00:01") == [PunchKind.OUT]
    clock.withdraw(first)
    assert punches(clock, "02 10:00:00") == [PunchKind.IN]


def test_a_withdrawn_first_punch_leaves_no_trace() -> None:
    clock = AttendanceClock("toggle", 60)
    lost = clock.punch("p-ada", *at("02 08:00:00"))
    assert lost is not None
    clock.withdraw(lost)
    assert punches(clock, "02 08:00:01") == [PunchKind.IN]


def test_a_local_time_without_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        AttendanceClock("in", 60).punch("p-ada", 0.0, datetime(2026, 3, 2))  # noqa: DTZ001 - the point of it


moments = st.lists(st.floats(0, 10 * 86_400, allow_nan=False), max_size=60).map(sorted)


@given(moments=moments, window=st.floats(0, 7200), offset=st.integers(-14, 14))
def test_toggle_alternates_within_a_day_and_keeps_its_distance(
    moments: list[float], window: float, offset: int
) -> None:
    zone = timezone(timedelta(hours=offset))
    clock = AttendanceClock("toggle", window)
    made = [clock.punch("p", moment, datetime.fromtimestamp(moment, zone)) for moment in moments]
    kept = [punch for punch in made if punch is not None]
    assert bool(kept) == bool(moments)
    for before, after in pairwise(kept):
        assert after.at - before.at >= window
        same_day = before.local.date() == after.local.date()
        assert (after.kind is before.kind) == (not same_day and before.kind is PunchKind.IN)
    assert not kept or kept[0].kind is PunchKind.IN


@given(moments=moments, cut=st.integers(0, 60))
def test_a_restart_anywhere_changes_nothing(moments: list[float], cut: int) -> None:
    def run(clock: AttendanceClock, part: list[float]) -> list[Punch | None]:
        return [clock.punch("p", moment, datetime.fromtimestamp(moment, UTC)) for moment in part]

    whole = run(AttendanceClock("toggle", 600), moments)
    before = run(AttendanceClock("toggle", 600), moments[:cut])
    last = [punch for punch in before if punch is not None][-1:]
    assert before + run(AttendanceClock("toggle", 600, last), moments[cut:]) == whole
