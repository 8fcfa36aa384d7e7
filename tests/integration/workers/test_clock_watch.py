"""A board that starts in 1970 and is told the time later: no row is rewritten, all are read right."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from edged.config.sections import AttendanceConfig, JournalConfig
from edged.devices.clock import Clock
from edged.domain.attendance import PunchKind
from edged.domain.attendance_report import day_reports, stamps_between
from edged.domain.boots import boot_name
from edged.domain.event_body import withdrawal_body
from edged.domain.types import Event, EventKind
from edged.metrics import Metrics
from edged.storage.journal import Journal
from edged.storage.journal_export import record_of, summary_line
from edged.storage.journal_reader import JournalReader, newest_times
from edged.workers.clock_watch import ClockWatch
from edged.workers.event_log import EventLog
from edged.workers.policy import attendance_clock

NOON = datetime(2026, 7, 6, 12, tzinfo=UTC).timestamp()
SUMMER = timezone(timedelta(hours=2))


class BoardClock(Clock):
    """The clock of a board without a battery: wrong until ``synchronise``."""

    def __init__(self) -> None:
        super().__init__("Europe/Paris")
        self.mono, self.offset, self.right = 30.0, 0.0, False

    def monotonic(self) -> float:
        return self.mono

    def unix(self) -> float:
        return self.mono + self.offset

    def synced(self) -> bool:
        return self.right

    def synchronise(self, unix: float) -> None:
        self.offset, self.right = unix - self.mono, True


class Board:
    def __init__(self, path: Path) -> None:
        self.clock = BoardClock()
        self.journal = Journal.open(JournalConfig(path=path))
        self.path = path
        self.corrected = 0
        self.start("first")

    def start(self, boot_id: str, machine_boot: str = "machine") -> None:
        self.log = EventLog(self.journal, Metrics(CollectorRegistry()), self.clock, boot_id)
        self.watch = ClockWatch(
            self.clock,
            self.log,
            self.path,
            boot_id=boot_id,
            machine_boot=machine_boot,
            on_corrected=self.count,
        )
        self.record(EventKind.SYSTEM, {"type": "started", "machine_boot": machine_boot})

    def count(self) -> None:
        self.corrected += 1

    def record(self, kind: EventKind, body: dict[str, object], person: str | None = None) -> Event:
        event = self.log.event(kind, body, person_id=person)
        self.journal.submit([event]).result()
        return event

    def punch(self, kind: str, person: str = "p-ada") -> Event:
        local = self.clock.local(self.clock.unix())
        offset = local.utcoffset() or timedelta()
        body = {
            "direction": "toggle", "punch": kind, "access_event_id": "01A",
            "local_date": local.date().isoformat(), "utc_offset_minutes": offset.total_seconds() // 60,
        }  # fmt: skip
        return self.record(EventKind.ATTENDANCE, body, person)

    def pass_time(self, seconds: float) -> None:
        self.clock.mono += seconds
        self.watch.look()

    def read(self, **wanted: object) -> list[tuple[str, float]]:
        with JournalReader.open(self.path) as reader:
            assert reader.verify().ok
            return [(one.event.event_id, one.happened_at) for one in reader.events(**wanted)]  # type: ignore[arg-type]


@pytest.fixture
def board(tmp_path: Path) -> Iterator[Board]:
    made = Board(tmp_path / "journal.db")
    yield made
    made.journal.close()


def test_what_was_recorded_before_the_time_was_known_is_read_at_its_time(board: Board) -> None:
    punched = board.punch("in")
    board.pass_time(600)
    board.clock.synchronise(NOON)
    board.pass_time(2)
    board.pass_time(2)
    assert board.corrected == 1
    assert dict(board.read())[punched.event_id] == pytest.approx(NOON - 600)
    # By the time that it was, not the one that is in its row.
    noon = board.read(since=NOON - 700, until=NOON - 500, kind=EventKind.ATTENDANCE)
    assert [event_id for event_id, _ in noon] == [punched.event_id]
    assert board.read(until=1e6, kind=EventKind.ATTENDANCE) == []
    with JournalReader.open(board.path) as reader:
        stored = reader.find(punched.event_id)
    assert stored.event == punched
    record = record_of(stored)
    assert record["occurred_at"] == punched.occurred_at
    assert record["corrected_time"] == "2026-07-06T11:50:00.000Z"
    assert "13:50:00" in summary_line(stored, SUMMER)
    assert "corrected afterwards" in summary_line(stored, SUMMER)


def test_a_clock_that_was_right_from_the_start_is_never_corrected(board: Board) -> None:
    board.clock.synchronise(NOON)
    board.start("right", "another boot")
    board.pass_time(2)
    assert board.corrected == 0


def test_a_start_before_of_the_same_boot_of_the_machine_is_put_right_too(board: Board) -> None:
    lost = board.record(EventKind.DOOR, {"type": "unlocked"})
    board.clock.mono += 100
    board.start("second")
    board.clock.synchronise(NOON)
    board.pass_time(2)
    board.clock.mono += 10
    board.start("third")
    board.pass_time(2)
    assert board.corrected == 1
    assert dict(board.read())[lost.event_id] == pytest.approx(NOON - 100)


def test_of_another_boot_of_the_machine_nothing_is_known(board: Board) -> None:
    lost = board.record(EventKind.DOOR, {"type": "unlocked"})
    board.clock.mono = 5.0
    board.start("second", "another boot")
    board.clock.synchronise(NOON)
    board.pass_time(2)
    assert dict(board.read())[lost.event_id] == lost.occurred_at


def test_the_report_has_the_right_day_and_hour_and_says_that_the_clock_was_not_right(board: Board) -> None:
    board.punch("in")
    board.pass_time(3600)
    board.clock.synchronise(NOON)
    board.pass_time(2)
    board.punch("out")
    with JournalReader.open(board.path) as reader:
        events = list(reader.events(kind=EventKind.ATTENDANCE))
    (day,) = day_reports(stamps_between(events, date(2026, 7, 6), date(2026, 7, 6), SUMMER))
    assert day.worked_seconds == pytest.approx(3602)
    assert day.first_entry is not None
    assert day.first_entry.punch.local.hour == 13
    assert day.clock_unsynced


def test_a_punch_taken_back_before_the_time_was_known_stays_taken_back(board: Board) -> None:
    punched = board.punch("in")
    withdrawal = board.log.event(EventKind.ATTENDANCE, withdrawal_body(punched, "refused"), person_id="p-ada")
    board.journal.submit([
        replace(withdrawal, occurred_at=punched.occurred_at, monotonic_at=punched.monotonic_at)
    ]).result()  # fmt: skip
    board.clock.synchronise(NOON)
    board.pass_time(2)
    with JournalReader.open(board.path) as reader:
        events = list(reader.events(since=NOON - 60, kind=EventKind.ATTENDANCE))
    assert len(events) == 2
    assert stamps_between(events, date.min, date.max) == []


def test_a_toggling_door_goes_on_with_the_corrected_day(board: Board) -> None:
    board.punch("in")
    board.pass_time(3600)
    board.clock.synchronise(NOON)
    board.pass_time(2)
    config = AttendanceConfig(enabled=True, direction="toggle")
    clock = attendance_clock(config, board.journal, board.clock)
    assert clock is not None
    punch = clock.punch("p-ada", board.clock.unix(), board.clock.local(board.clock.unix()))
    assert punch is not None
    assert punch.kind is PunchKind.OUT


def in_order(board: Board) -> list[float]:
    """The times as they are read, in the journal's order."""
    times = [happened_at for _, happened_at in board.read()]
    assert times == sorted(times)
    return times


def test_a_clock_set_back_by_an_hour_although_it_counted_as_right(board: Board) -> None:
    board.clock.synchronise(NOON + 3600)
    board.start("right", "another boot")
    board.pass_time(2)
    early = board.punch("in")
    board.pass_time(600)
    board.clock.synchronise(NOON)
    board.pass_time(2)
    assert board.corrected == 1
    late = board.punch("out")
    assert early.occurred_at > late.occurred_at
    times = dict(board.read())
    assert times[early.event_id] == pytest.approx(NOON - 600)
    assert times[late.event_id] == late.occurred_at
    in_order(board)
    # Found by the time that it was, which is not the one in its row.
    punches = board.read(since=NOON - 700, until=NOON - 500, kind=EventKind.ATTENDANCE)
    assert [event_id for event_id, _ in punches] == [early.event_id]
    assert early.event_id not in dict(board.read(since=NOON + 2000))
    stamps = [stored.event.event_id for stored in board.journal.last_attendance(NOON - 700)]
    assert stamps == [late.event_id]
    with JournalReader.open(board.path) as reader:
        events = list(reader.events(kind=EventKind.ATTENDANCE))
    first, second = stamps_between(events, date.min, date.max, SUMMER)
    assert (first.time_synced, second.time_synced) == (False, True)


def test_set_back_twice_all_before_is_read_by_the_last_word(board: Board) -> None:
    first = board.record(EventKind.DOOR, {"type": "unlocked"})
    board.clock.synchronise(NOON + 7200)
    board.pass_time(2)
    second = board.record(EventKind.DOOR, {"type": "locked"})
    board.pass_time(60)
    board.clock.synchronise(NOON + 3600)
    board.pass_time(2)
    third = board.record(EventKind.DOOR, {"type": "unlocked"})
    board.pass_time(60)
    board.clock.synchronise(NOON)
    board.pass_time(2)
    times = dict(board.read())
    assert times[third.event_id] == pytest.approx(NOON - 60)
    assert times[second.event_id] == pytest.approx(NOON - 122)
    assert times[first.event_id] == pytest.approx(NOON - 124)
    in_order(board)


@pytest.mark.parametrize("step", [3600.0, -1.0])
def test_a_sleep_and_a_leap_second_correct_nothing(board: Board, step: float) -> None:
    board.clock.synchronise(NOON)
    board.start("right", "another boot")
    board.pass_time(2)
    early = board.record(EventKind.DOOR, {"type": "unlocked"})
    board.clock.offset += step
    board.pass_time(2)
    assert board.corrected == 0
    assert dict(board.read())[early.event_id] == early.occurred_at


def test_what_is_recorded_while_the_kernel_takes_its_word_back_is_corrected_too(board: Board) -> None:
    board.clock.synchronise(NOON)
    board.pass_time(2)
    right = board.record(EventKind.DOOR, {"type": "unlocked"})
    board.clock.right = False  # somebody sets the clock by hand, an hour too early
    board.clock.offset -= 3600
    board.pass_time(2)
    wrong = board.record(EventKind.DOOR, {"type": "locked"})
    board.pass_time(60)
    board.clock.offset += 3600
    board.clock.right = True
    board.pass_time(2)
    times = dict(board.read())
    assert times[right.event_id] == right.occurred_at
    assert times[wrong.event_id] == pytest.approx(wrong.occurred_at + 3600)
    in_order(board)


def door_event(board: Board, boot_id: str, what: str) -> Event:
    """An event as the door process makes it: by its own clock, under its own name."""
    event = replace(board.log.event(EventKind.DOOR, {"type": what}), boot_id=boot_id)
    board.journal.submit([event]).result()
    return event


MACHINE = "0f8fad5b-d9cb-469f-a165-70867728950e"


def test_what_the_door_process_recorded_is_put_right_as_well(board: Board) -> None:
    board.start("first", MACHINE)
    ours, others = boot_name(MACHINE, "aa"), boot_name("ffffffff-d9cb-469f-a165-70867728950e", "bb")
    opened = door_event(board, ours, "opened")
    unknown = door_event(board, others, "opened")
    board.pass_time(100)
    board.clock.synchronise(NOON)
    board.pass_time(2)
    times = dict(board.read())
    assert times[opened.event_id] == pytest.approx(NOON - 100)
    assert times[unknown.event_id] == unknown.occurred_at


def test_what_the_door_process_kept_until_after_the_clock_was_right_is_found(board: Board) -> None:
    board.start("first", MACHINE)
    late = replace(board.log.event(EventKind.DOOR, {"type": "opened"}), boot_id=boot_name(MACHINE, "aa"))
    board.pass_time(100)
    board.clock.synchronise(NOON)
    board.pass_time(2)
    board.journal.submit([late]).result()
    board.pass_time(30)
    assert dict(board.read())[late.event_id] == late.occurred_at
    board.pass_time(60)
    assert dict(board.read())[late.event_id] == pytest.approx(NOON - 100)
    board.pass_time(600)
    assert board.corrected == 2  # and not again


def test_a_thread_held_up_between_two_clocks_sees_no_step(board: Board) -> None:
    board.clock.synchronise(NOON)
    board.start("right", "another boot")
    board.pass_time(2)
    unix = board.clock.unix

    def held_up() -> float:
        found = unix()
        board.clock.mono += 10  # stopped in between, as by a debugger or a frozen machine
        return found

    board.clock.unix = held_up  # type: ignore[method-assign]
    board.pass_time(2)
    board.clock.unix = unix  # type: ignore[method-assign]
    board.pass_time(2)
    assert board.corrected == 0


def test_two_boots_without_the_time_between_them_do_not_run_backwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real clock object, on a board that starts in 1970 each time."""
    config, wall, mono = JournalConfig(path=tmp_path / "journal.db"), NOON, 5000.0
    synced = True
    monkeypatch.setattr("edged.devices.clock.time.time", lambda: wall)
    monkeypatch.setattr("edged.devices.clock.time.monotonic", lambda: mono)
    monkeypatch.setattr(Clock, "synced", lambda _self: synced)

    def boot(name: str, seconds: float) -> list[Event]:
        nonlocal wall, mono
        journal = Journal.open(config)
        clock = Clock()
        clock.not_before(*newest_times(config.path))
        log = EventLog(journal, Metrics(CollectorRegistry()), clock, name)
        made = []
        for _ in range(2):
            made.append(log.event(EventKind.DOOR, {"type": "unlocked"}))
            journal.submit([made[-1]]).result()
            wall, mono = wall + seconds, mono + seconds
        journal.close()
        return made

    (_, known), synced = boot("known", 10), False
    wall, mono = 30.0, 30.0
    lost = boot("lost", 1000)
    wall, mono = 30.0, 30.0
    again = boot("again", 100)
    assert known.occurred_at == NOON + 10
    assert [one.occurred_at for one in lost] == [NOON + 10, NOON + 1010]
    assert [one.occurred_at for one in again] == [NOON + 1010, NOON + 1110]
    assert not any(one.time_synced for one in (*lost, *again))
    wall, synced = NOON + 50, True  # the time server knows better, and is believed
    (first, _) = boot("right", 1)
    assert first.occurred_at == NOON + 50
    wall, synced = NOON + 90_000, False  # set by hand: later than all that is known
    (first, _) = boot("by hand", 1)
    assert first.occurred_at == NOON + 90_000


def test_a_clock_that_ran_ahead_is_set_back_and_the_order_of_the_journal_stays(board: Board) -> None:
    board.clock.offset = NOON + 10 * 86_400  # it believed to be later than it was
    early = board.record(EventKind.DOOR, {"type": "unlocked"})
    board.pass_time(60)
    board.clock.synchronise(NOON)
    board.pass_time(2)
    late = board.record(EventKind.DOOR, {"type": "locked"})
    times = dict(board.read())
    assert early.occurred_at > late.occurred_at
    assert times[early.event_id] < times[late.event_id]
    assert [event_id for event_id, _ in board.read(kind=EventKind.DOOR)] == [early.event_id, late.event_id]
