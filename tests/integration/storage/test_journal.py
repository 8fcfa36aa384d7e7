import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edged.config.sections import JournalConfig
from edged.domain.event_body import withdrawal_body
from edged.domain.types import Event, EventKind, Gate
from edged.errors import StoreError, StoreFullError
from edged.storage import quarantine
from edged.storage.journal import Journal, OutboxState
from edged.storage.journal_reader import JournalReader
from tests.integration.storage.conftest import NOON, event


@pytest.fixture
def small(journal_path: Path) -> Iterator[Journal]:
    """A journal of at most 100 events."""
    opened = Journal.open(JournalConfig(path=journal_path, max_rows=100))
    yield opened
    opened.close()


def record(journal: Journal, *events: Event) -> list[int]:
    return [stored.seq for stored in journal.submit(events).result()]


def test_events_come_back_as_recorded(journal: Journal) -> None:
    (stored,) = journal.submit([event(1)]).result()
    assert (stored.seq, stored.event, stored.epoch) == (1, event(1), journal.epoch)
    assert journal.pending(0, 10) == [stored]


def test_seq_has_no_gaps_and_the_epoch_stays_over_a_restart(journal_path: Path) -> None:
    config = JournalConfig(path=journal_path)
    first = Journal.open(config)
    assert record(first, event(1), event(2)) == [1, 2]
    first.close()
    second = Journal.open(config)
    assert record(second, event(3)) == [3]
    assert second.epoch == first.epoch
    assert [stored.seq for stored in second.pending(0, 10)] == [1, 2, 3]
    second.close()


def test_another_database_has_another_epoch(journal: Journal, tmp_path: Path) -> None:
    other = Journal.open(JournalConfig(path=tmp_path / "other.db"))
    assert other.epoch != journal.epoch
    other.close()


def test_events_are_recorded_together_or_not_at_all(journal: Journal) -> None:
    record(journal, event(1))
    with pytest.raises(StoreError, match="UNIQUE"):
        journal.submit([event(2), event(1)]).result()
    assert [stored.event.event_id for stored in journal.pending(0, 10)] == [event(1).event_id]
    assert record(journal, event(2)) == [2]


@pytest.mark.parametrize(
    "bad",
    [
        replace(event(1), body={"score": float("nan")}),
        replace(event(1), body={"score": np.float32(0.5)}),
        replace(event(1), occurred_at=float("inf")),
    ],
    ids=["nan", "numpy", "time"],
)
def test_what_is_not_json_fails_by_its_future(journal: Journal, bad: Event) -> None:
    with pytest.raises(StoreError, match=bad.event_id):
        journal.submit([bad]).result()
    assert journal.outbox() == OutboxState(0, None, 0)


def test_a_trace_is_recorded_whatever_numbers_it_holds(journal: Journal) -> None:
    gates = (Gate("score", np.float32(0.5), float("nan"), passed=np.bool_(False)),)  # type: ignore[arg-type]
    record(journal, replace(event(1), trace=gates))
    (stored,) = journal.pending(0, 1)
    assert stored.event.trace == (Gate("score", 0.5, "nan", passed=False),)


def test_of_whom_a_check_tells_is_recorded_with_it(journal: Journal) -> None:
    gates = (Gate("nearest", 0.5, None, True, "p-ada"), Gate("score", 0.5, 0.6, passed=False))
    record(journal, replace(event(1), trace=gates))
    (stored,) = journal.pending(0, 1)
    assert stored.event.trace == gates


def test_pending_goes_on_after_a_seq_and_stops_at_the_limit(journal: Journal) -> None:
    record(journal, *map(event, range(10)))
    assert [stored.seq for stored in journal.pending(0, 4)] == [1, 2, 3, 4]
    assert [stored.seq for stored in journal.pending(4, 4)] == [5, 6, 7, 8]
    assert journal.pending(10, 4) == []


def test_a_delivered_event_leaves_the_outbox_at_once_and_stays_in_the_journal(
    journal: Journal, journal_path: Path
) -> None:
    record(journal, *map(event, range(5)))
    journal.delivered([1, 2, 4, 99])
    assert [stored.seq for stored in journal.pending(0, 10)] == [3, 5]
    assert journal.outbox() == OutboxState(2, NOON + 2, 0)
    with JournalReader.open(journal_path) as reader:
        assert len(list(reader.events())) == 5


@pytest.mark.parametrize("count", [1, 49, 50, 200])
def test_what_was_delivered_is_not_sent_again_after_a_restart(journal_path: Path, count: int) -> None:
    config = JournalConfig(path=journal_path)
    journal = Journal.open(config)
    record(journal, *map(event, range(count + 1)))
    for seq in range(1, count + 1):
        journal.delivered([seq])
    journal.close()
    again = Journal.open(config)
    assert [stored.seq for stored in again.pending(0, 1000)] == [count + 1]
    again.close()


def test_quarantine_frees_the_head_of_the_queue(journal: Journal) -> None:
    record(journal, event(1), event(2))
    journal.quarantine(1, "too large")
    journal.quarantine(1, "twice")
    journal.quarantine(77, "never existed")
    assert [stored.seq for stored in journal.pending(0, 10)] == [2]
    assert journal.outbox() == OutboxState(1, NOON + 2, 1)


def test_quarantine_survives_a_restart_and_gives_its_events_back_in_order(journal_path: Path) -> None:
    config = JournalConfig(path=journal_path)
    first = Journal.open(config)
    record(first, *map(event, range(1, 6)))
    for seq in (4, 2, 1):
        first.quarantine(seq, "too large")
    first.close()
    again = Journal.open(config)
    assert again.outbox().quarantined == 3
    assert [(one.seq, one.event_id, one.reason) for one in quarantine.rows(journal_path)] == [
        (seq, event(seq).event_id, "too large") for seq in (1, 2, 4)
    ]
    assert again.put_back([4, 3, 2, 77]) == [2, 4]
    assert [stored.seq for stored in again.pending(0, 10)] == [2, 3, 4, 5]
    assert again.put_back() == [1]
    assert [stored.seq for stored in again.pending(0, 10)] == [1, 2, 3, 4, 5]
    assert again.outbox().quarantined == 0
    again.close()


def test_another_process_asks_the_writer_to_put_events_back(journal: Journal, journal_path: Path) -> None:
    record(journal, *map(event, range(1, 4)))
    for seq in (1, 2, 3):
        journal.quarantine(seq, "too large")
    assert journal.put_back_asked() == []
    quarantine.ask(journal_path, [3, 1])
    with pytest.raises(StoreError, match="earlier request"):
        quarantine.ask(journal_path, None)
    assert journal.put_back_asked() == [1, 3]
    assert journal.put_back_asked() == []
    quarantine.ask(journal_path, None)
    assert journal.put_back_asked() == [2]


@pytest.mark.parametrize("text", ["", "nonsense", "{}", '["1"]', "[true]", "\x00"])
def test_what_is_no_request_is_removed(journal: Journal, journal_path: Path, text: str) -> None:
    record(journal, event(1))
    journal.quarantine(1, "too large")
    quarantine.request_path(journal_path).write_text(text)
    assert journal.put_back_asked() == []
    assert not quarantine.request_path(journal_path).exists()
    assert journal.outbox().quarantined == 1


def test_a_damaged_event_is_put_into_quarantine_not_sent(journal: Journal) -> None:
    record(journal, event(1), event(2), event(3))
    journal._database.submit(
        lambda connection: connection.execute(
            'UPDATE events SET body = \'{"decision":"granted"}\' WHERE seq = 2'
        )
    ).result()
    assert [stored.seq for stored in journal.pending(0, 10)] == [1, 3]
    assert journal.outbox().quarantined == 1


def test_the_newest_punch_of_each_person_is_found(journal: Journal) -> None:
    record(
        journal,
        event(1, EventKind.ATTENDANCE, "p-ada"),
        event(2, EventKind.ATTENDANCE, "p-ben"),
        event(3, EventKind.ACCESS, "p-ada"),
        event(4, EventKind.ATTENDANCE, "p-ada"),
    )
    assert [stored.seq for stored in journal.last_attendance(NOON)] == [2, 4]
    assert [stored.seq for stored in journal.last_attendance(NOON + 3)] == [4]


def test_a_punch_that_was_taken_back_is_passed_over(journal: Journal) -> None:
    first, second = (event(number, EventKind.ATTENDANCE, "p-ada") for number in (1, 2))
    record(
        journal,
        first,
        second,
        replace(event(3, EventKind.ATTENDANCE, "p-ada"), body=withdrawal_body(second, "stale")),
    )
    assert [stored.event for stored in journal.last_attendance(NOON)] == [first]


def test_a_punch_that_was_written_late_is_not_the_newest(journal: Journal) -> None:
    late, newest = event(1, EventKind.ATTENDANCE), event(2, EventKind.ATTENDANCE)
    record(journal, newest)
    record(journal, late)
    assert [stored.event for stored in journal.last_attendance(NOON)] == [newest]
    # Of another start the clocks cannot be compared: there the order of the journal counts.
    restarted = replace(event(0, EventKind.ATTENDANCE), boot_id="boot-2")
    record(journal, restarted)
    assert [stored.event for stored in journal.last_attendance(NOON)] == [restarted]


def test_the_oldest_delivered_events_make_room(small: Journal, journal_path: Path) -> None:
    for number in range(250):
        journal_seqs = record(small, event(number))
        small.delivered(journal_seqs)
    with JournalReader.open(journal_path) as reader:
        kept = [stored.seq for stored in reader.events()]
        found = reader.verify()
    assert kept[-1] == 250
    assert kept == list(range(kept[0], 251))
    assert 30 <= len(kept) <= 100
    assert found.ok
    assert found.first_seq == kept[0]


def test_an_undelivered_event_outlives_the_pruning_and_does_not_stop_it(
    small: Journal, journal_path: Path
) -> None:
    record(small, *map(event, range(100)))
    small.delivered(range(2, 101))
    assert record(small, event(100)) == [101]
    small._database.submit(lambda _connection: None).result()  # behind the event that tells of it
    waiting = [stored.seq for stored in small.pending(0, 10)]
    assert waiting[0] == 1
    assert small.pending(0, 1)[0].event == event(0)
    told = small.pending(waiting[-1] - 1, 1)[0].event
    assert told.body == {"type": "events_held", "events": 1}
    assert small.outbox() == OutboxState(len(waiting), event(0).occurred_at, 0)
    small.quarantine(1, "refused")
    assert [one.seq for one in quarantine.rows(journal_path)] == [1]
    assert small.outbox().quarantined == 1
    assert 1 not in [stored.seq for stored in small.pending(0, 10)]
    assert small.put_back() == [1]
    small.delivered(waiting)
    assert small.pending(0, 10) == []
    with JournalReader.open(journal_path) as reader:
        assert reader.verify().ok


def test_too_many_undelivered_events_are_kept_and_new_ones_refused(small: Journal) -> None:
    record(small, *map(event, range(100)))
    with pytest.raises(StoreFullError, match="max_rows"):
        small.submit([event(100)]).result()
    assert len(small.pending(0, 500)) == 100
    small.delivered(range(1, 60))
    assert record(small, event(100)) == [101]


def test_quarantined_events_do_not_block_pruning_for_ever(small: Journal) -> None:
    record(small, *map(event, range(100)))
    small.quarantine(1, "too large")
    small.delivered(range(2, 101))
    assert record(small, event(100)) == [101]
    assert small.outbox().quarantined == 0


def test_a_lowered_bound_prunes_step_by_step(journal_path: Path) -> None:
    big = Journal.open(JournalConfig(path=journal_path))
    big.delivered(record(big, *map(event, range(2000))))
    big.close()
    small = Journal.open(JournalConfig(path=journal_path, max_rows=1000))
    small.delivered(record(small, event(2000)))
    small.delivered(record(small, event(2001)))
    with JournalReader.open(journal_path) as reader:
        assert len(list(reader.events())) == 2000 + 2 - 1002
        assert reader.verify().ok
    small.close()


def test_a_full_disk_keeps_what_was_recorded_and_goes_on_when_there_is_space(journal: Journal) -> None:
    record(journal, event(1))

    def limit(pages: int) -> None:
        journal._database.submit(
            lambda connection: connection.execute(f"PRAGMA max_page_count = {pages}").fetchone()
        ).result()

    limit(1)  # SQLite takes the present size for the least
    failures = 0
    number = 1
    while failures < 3:
        number += 1
        try:
            record(journal, replace(event(number), body={"note": "x" * 2000}))
        except StoreFullError:
            failures += 1
    kept = [stored.seq for stored in journal.pending(0, 1000)]
    limit(1_000_000)
    assert record(journal, event(number + 1)) == [kept[-1] + 1]
    assert [stored.seq for stored in journal.pending(0, 1000)] == [*kept, kept[-1] + 1]
    with JournalReader.open(journal._path) as reader:
        assert reader.verify().ok


def test_a_second_journal_on_the_same_file_is_refused(journal: Journal, journal_path: Path) -> None:
    with pytest.raises(StoreError, match="is writing"):
        Journal.open(JournalConfig(path=journal_path), wait_seconds=0)


def test_after_close_nothing_is_recorded(journal_path: Path) -> None:
    journal = Journal.open(JournalConfig(path=journal_path))
    journal.close()
    with pytest.raises(StoreError, match="closed"):
        journal.submit([event(1)]).result(timeout=0)


def test_files_are_private(journal: Journal, journal_path: Path) -> None:
    record(journal, event(1))
    assert {stat.S_IMODE(file.stat().st_mode) for file in journal_path.parent.iterdir()} == {0o600}


def test_without_a_collector_nothing_waits_and_the_oldest_make_room(journal_path: Path) -> None:
    config = JournalConfig(path=journal_path, max_rows=100)
    before = Journal.open(config)
    record(before, *(event(number) for number in range(60)))
    before.close()
    journal = Journal.open(config, deliver=False)
    for number in range(60, 260):
        record(journal, event(number))
    waiting = journal.outbox()
    journal.close()
    with JournalReader.open(journal_path) as reader:
        assert reader.verify().ok
        assert [stored.seq for stored in reader.events()][-1] == 260
    assert waiting == OutboxState(0, None, 0)


def large(numbers: range) -> list[Event]:
    return [replace(event(number), body={"note": "x" * 4000}) for number in numbers]


def test_the_space_of_the_journal_is_bounded_as_its_rows_are(journal_path: Path) -> None:
    journal = Journal.open(JournalConfig(path=journal_path, max_megabytes=2), deliver=False)
    for first in range(0, 2000, 20):
        journal.submit(large(range(first, first + 20))).result()
    journal.close()
    assert journal_path.stat().st_size < 2_300_000
    with JournalReader.open(journal_path) as reader:
        assert reader.verify().ok
        kept = [stored.event.event_id for stored in reader.events()]
    assert kept == [event(number).event_id for number in range(2000 - len(kept), 2000)]
    assert 300 < len(kept) < 500


def test_what_waits_for_delivery_fills_the_space_and_a_tenth_and_then_a_write_fails(
    journal_path: Path,
) -> None:
    journal = Journal.open(JournalConfig(path=journal_path, max_megabytes=2))
    writes = [journal.submit(large(range(first, first + 20))) for first in range(0, 1000, 20)]
    with pytest.raises(StoreFullError, match="max_megabytes"):
        writes[-1].result()
    assert journal_path.stat().st_size < 2_700_000
    waiting = journal.pending(0, 5000)
    journal.delivered([stored.seq for stored in waiting])
    journal.submit(large(range(5000, 5020))).result()
    journal.close()
    ids = [stored.event.event_id for stored in waiting if stored.event.kind is EventKind.ACCESS]
    assert ids == [event(number).event_id for number in range(len(ids))]
