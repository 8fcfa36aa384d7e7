import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.config.sections import JournalConfig
from edged.domain.risk import Traffic
from edged.domain.types import EventKind
from edged.errors import NotFoundError, StoreCorruptError, StoreError
from edged.storage.journal import Journal
from edged.storage.journal_check import MAX_FAULTS, Fault, FaultKind
from edged.storage.journal_reader import JournalReader, traffic_of
from tests.integration.storage.conftest import NOON, event


@pytest.fixture
def written(journal_path: Path) -> Path:
    """A closed journal of nine events, three of each kind."""
    journal = Journal.open(JournalConfig(path=journal_path))
    kinds = [EventKind.ACCESS, EventKind.ATTENDANCE, EventKind.SYSTEM] * 3
    people = ["p-ada", "p-ben", None] * 3
    for number, (kind, person) in enumerate(zip(kinds, people, strict=True), 1):
        journal.submit([event(number, kind, person)]).result()
    journal.close()
    return journal_path


def alter(path: Path, *statements: str) -> None:
    """Change the file as a forger or a worn card would: behind the writer's back."""
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        for statement in statements:
            connection.execute(statement)
    connection.close()


def seqs(path: Path, **wanted: object) -> list[int]:
    with JournalReader.open(path) as reader:
        return [stored.seq for stored in reader.events(**wanted)]  # type: ignore[arg-type]


def test_filters_narrow_and_the_limit_keeps_the_newest(written: Path) -> None:
    assert seqs(written) == list(range(1, 10))
    assert seqs(written, kind=EventKind.ATTENDANCE) == [2, 5, 8]
    assert seqs(written, person_id="p-ada") == [1, 4, 7]
    assert seqs(written, since=NOON + 3, until=NOON + 6) == [3, 4, 5]
    assert seqs(written, limit=2) == [8, 9]
    assert seqs(written, kind=EventKind.ATTENDANCE, limit=2) == [5, 8]
    assert seqs(written, limit=0) == []
    assert seqs(written, after_seq=7) == [8, 9]
    assert seqs(written, person_id="p-nobody", limit=3) == []


def test_many_events_are_read_page_by_page(journal: Journal, journal_path: Path) -> None:
    journal.submit([event(number) for number in range(1201)]).result()
    assert seqs(journal_path) == list(range(1, 1202))


def test_an_id_is_found_by_its_beginning_if_no_other_begins_so(written: Path) -> None:
    with JournalReader.open(written) as reader:
        whole = event(3).event_id
        assert reader.find(whole).seq == 3
        assert reader.find(whole.lower()).seq == 3
        with pytest.raises(NotFoundError, match="several"):
            reader.find(whole[:-1])
        for nothing in ("01ZZZ", "", "%", "_"):
            with pytest.raises(NotFoundError, match="no event"):
                reader.find(nothing)


def test_following_yields_what_is_recorded_later(journal: Journal, journal_path: Path) -> None:
    journal.submit([event(1)]).result()
    upcoming = iter([event(2), event(3)])

    def record_next(_seconds: float) -> None:
        journal.submit([next(upcoming)]).result()

    with JournalReader.open(journal_path) as reader:
        followed = reader.follow(0, wait=record_next)
        assert [next(followed).seq for _ in range(3)] == [1, 2, 3]


def test_a_missing_an_unmade_and_another_file_are_refused(tmp_path: Path, written: Path) -> None:
    with pytest.raises(StoreError, match="there is no journal"):
        JournalReader.open(tmp_path / "none.db")
    (tmp_path / "empty.db").touch()
    with pytest.raises(StoreError, match="not made yet"):
        JournalReader.open(tmp_path / "empty.db")
    (tmp_path / "text.db").write_text("no database\n" * 1000)
    with pytest.raises(StoreCorruptError):
        JournalReader.open(tmp_path / "text.db")


def test_an_untouched_journal_verifies(written: Path) -> None:
    with JournalReader.open(written) as reader:
        found = reader.verify()
    assert (found.ok, found.rows, found.first_seq, found.last_seq) == (True, 9, 1, 9)


def test_an_empty_journal_verifies(journal: Journal, journal_path: Path) -> None:
    with JournalReader.open(journal_path) as reader:
        assert reader.verify().ok
        assert list(reader.events()) == []


CHANGES = {
    "event_id": "event_id || 'x'",
    "kind": "'door'",
    "occurred_at": "occurred_at + 1",
    "monotonic_at": "monotonic_at + 0.5",
    "boot_id": "'boot-2'",
    "time_synced": "2",
    "person_id": "'p-eve'",
    "body": "replace(body, 'granted', 'denied')",
    "trace": "'[]'",
    "checksum": "checksum + 1",
    "digest": "zeroblob(32)",
}


@pytest.mark.parametrize("seq", [1, 5, 9])
@pytest.mark.parametrize("column", CHANGES)
def test_a_change_of_any_column_of_any_row_is_found(written: Path, column: str, seq: int) -> None:
    alter(written, f"UPDATE events SET {column} = {CHANGES[column]} WHERE seq = {seq}")
    with JournalReader.open(written) as reader:
        found = reader.verify()
    assert (found.ok, found.bad_seq, found.rows) == (False, seq, seq - 1)
    expected = FaultKind.DIGEST if column == "digest" else FaultKind.CHECKSUM
    assert found.fault is expected


@pytest.mark.parametrize("seq", range(1, 10))
def test_a_deleted_row_is_found_first_last_or_between(written: Path, seq: int) -> None:
    alter(written, f"DELETE FROM events WHERE seq = {seq}")
    with JournalReader.open(written) as reader:
        found = reader.verify()
    assert (found.fault, found.bad_seq) == (FaultKind.GAP, seq)


def test_rows_that_changed_places_are_found(written: Path) -> None:
    alter(
        written,
        "UPDATE events SET seq = -4 WHERE seq = 4",
        "UPDATE events SET seq = 4 WHERE seq = 5",
        "UPDATE events SET seq = 5 WHERE seq = -4",
    )
    with JournalReader.open(written) as reader:
        assert reader.verify().bad_seq == 4


def test_a_row_that_was_added_is_found(written: Path) -> None:
    alter(
        written,
        "INSERT INTO events SELECT 10, 'NEW', kind, 1, 1, 'b', 1, NULL, '{}', '[]', 1, x'00'"
        " FROM events LIMIT 1",
    )
    with JournalReader.open(written) as reader:
        assert reader.verify().bad_seq == 10


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM journal",
        "UPDATE journal SET anchor_digest = zeroblob(32)",
        "UPDATE journal SET epoch = 'other'",
        "UPDATE journal SET head_digest = zeroblob(32)",
        "UPDATE journal SET head_seq = 8",
    ],
)
def test_an_altered_anchor_is_found(written: Path, change: str) -> None:
    alter(written, change)
    with JournalReader.open(written) as reader:
        assert reader.verify().fault is FaultKind.ANCHOR


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    path = tmp_path_factory.mktemp("flips") / "journal.db"
    journal = Journal.open(JournalConfig(path=path))
    journal.submit([event(number) for number in range(1, 10)]).result()
    journal.close()
    return path, path.read_bytes()


@pytest.mark.parametrize(
    ("changes", "faults"),
    [
        (
            ("UPDATE events SET body = '{}' WHERE seq = 2", "UPDATE events SET digest = x'00' WHERE seq = 8"),
            (Fault(FaultKind.CHECKSUM, 2), Fault(FaultKind.DIGEST, 8)),
        ),
        (
            ("DELETE FROM events WHERE seq IN (1, 4, 5, 6, 9)",),
            (Fault(FaultKind.GAP, 1), Fault(FaultKind.GAP, 4, 3), Fault(FaultKind.GAP, 9)),
        ),
        (
            ("UPDATE events SET digest = zeroblob(32) WHERE seq = 9",),
            (Fault(FaultKind.DIGEST, 9),),
        ),
        (
            ("UPDATE journal SET anchor_seq = 4, anchor_digest = (SELECT digest FROM events WHERE seq = 4)",),
            (Fault(FaultKind.ANCHOR, 1),),
        ),
        (
            ("UPDATE journal SET anchor_digest = zeroblob(32)", "UPDATE events SET kind = 'x' WHERE seq = 3"),
            (Fault(FaultKind.ANCHOR, 0), Fault(FaultKind.CHECKSUM, 3)),
        ),
    ],
    ids=["two rows", "gaps", "last digest", "rows before the anchor", "anchor and row"],
)
def test_each_fault_is_told_and_none_accuses_its_neighbours(
    pristine: tuple[Path, bytes], tmp_path: Path, changes: tuple[str, ...], faults: tuple[Fault, ...]
) -> None:
    path = tmp_path / "journal.db"
    path.write_bytes(pristine[1])
    alter(path, *changes)
    with JournalReader.open(path) as reader:
        found = reader.verify()
    assert (found.faults, found.fault_count, found.ok) == (faults, len(faults), False)


def test_very_many_faults_are_counted_and_the_first_are_told(journal: Journal, journal_path: Path) -> None:
    journal.submit([event(number) for number in range(30)]).result()
    journal.close()
    alter(journal_path, "UPDATE events SET boot_id = 'other' WHERE seq > 4")
    with JournalReader.open(journal_path) as reader:
        found = reader.verify()
    assert (found.rows, found.fault_count, len(found.faults)) == (4, 26, MAX_FAULTS)
    assert [fault.seq for fault in found.faults] == list(range(5, 5 + MAX_FAULTS))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"CREATE TABLE journal", b"CREATE TABLE j\xc7urnal"),
        (b"CREATE TABLE events", b"CREATE T\xc2BLE events"),
        (b"SQLite format 3", b"SQLite format 2"),
    ],
)
def test_a_damaged_schema_is_named_as_damage(written: Path, old: bytes, new: bytes) -> None:
    content = written.read_bytes()
    assert old in content
    written.write_bytes(content.replace(old, new))
    with pytest.raises(StoreError, match=r"journal\.db"):
        JournalReader.open(written)
    assert written.read_bytes() == content.replace(old, new)


def test_an_anchor_moved_past_deleted_rows_is_found(written: Path) -> None:
    alter(written, "DELETE FROM events WHERE seq <= 3", "UPDATE journal SET anchor_seq = 3")
    with JournalReader.open(written) as reader:
        assert reader.verify().bad_seq == 4


def test_a_damaged_row_stops_reading_unless_it_is_forgiven(written: Path) -> None:
    alter(written, "UPDATE events SET body = '{}' WHERE seq = 5")
    with JournalReader.open(written) as reader:
        with pytest.raises(StoreCorruptError, match="number 5"):
            list(reader.events())
        with pytest.raises(StoreCorruptError, match="number 5"):
            reader.find(event(5).event_id)
    damage: list[StoreCorruptError] = []
    with JournalReader.open(written, on_damage=damage.append) as reader:
        assert [stored.seq for stored in reader.events()] == [1, 2, 3, 4, 6, 7, 8, 9]
    assert len(damage) == 1


@given(place=st.integers(min_value=0), bit=st.integers(0, 7))
def test_no_flipped_bit_of_the_file_makes_another_event(
    pristine: tuple[Path, bytes], place: int, bit: int
) -> None:
    """Whatever bit flips, a journal that verifies holds the events that were written."""
    path, content = pristine
    flipped = bytearray(content)
    flipped[place % len(content)] ^= 1 << bit
    path.write_bytes(flipped)
    try:
        with JournalReader.open(path) as reader:
            if reader.verify().ok:
                assert [stored.event for stored in reader.events()] == [
                    event(number) for number in range(1, 10)
                ]
    except StoreError:
        pass  # the damage was found before any row was shown
    finally:
        for name in ("-wal", "-shm"):
            path.with_name(path.name + name).unlink(missing_ok=True)


def test_traffic_counts_the_visits_of_four_weeks(journal: Journal, journal_path: Path) -> None:
    day = 86_400
    old = [replace(event(number), occurred_at=NOON - 40 * day + number) for number in range(5)]
    doors = [replace(event(10, EventKind.DOOR), occurred_at=NOON - 20 * day)]
    visits = [replace(event(20 + number), occurred_at=NOON - number * day) for number in range(10)][::-1]
    journal.submit([*old, *doors, *visits]).result(60)
    with JournalReader.open(journal_path) as reader:
        # The door was there for twenty days, with a visit on ten of them.
        assert reader.traffic(NOON) == Traffic(10, 20.0)
        assert reader.traffic(NOON + 100 * day) == Traffic(0, 1.0)
    assert traffic_of(journal_path, NOON) == Traffic(10, 20.0)


def test_traffic_of_no_journal_is_not_known(tmp_path: Path) -> None:
    assert traffic_of(tmp_path / "none.db", NOON) is None
