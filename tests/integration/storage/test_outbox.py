"""One flipped bit in what waits for delivery: found, and what may not have been sent is sent again."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from edged.config.sections import JournalConfig
from edged.domain.types import EventKind
from edged.errors import StoreCorruptError
from edged.storage.journal import Journal
from edged.storage.journal_check import FaultKind
from edged.storage.journal_reader import JournalReader
from tests.integration.storage.conftest import alter, event

EVENTS, DELIVERED = 60, 40


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """Sixty events, of which the last twenty wait."""
    path = tmp_path / "journal.db"
    journal = Journal.open(JournalConfig(path=path))
    journal.submit([event(number) for number in range(1, EVENTS + 1)]).result()
    journal.delivered(range(1, DELIVERED + 1))
    journal.close()
    return path


def waiting(journal: Journal) -> list[int]:
    rows = journal.pending(0, 500)
    return [int(one.event.event_id[5:]) for one in rows if one.event.kind is EventKind.ACCESS]


MOVED = {
    "to an event that was delivered": (
        "UPDATE outbox SET seq = 9 WHERE seq = 41",
        {9, *range(41, EVENTS + 1)},
    ),
    "to no event": ("UPDATE outbox SET seq = seq + 65536 WHERE seq = 50", set(range(41, EVENTS + 1))),
    "the second number": ("UPDATE outbox SET turned = ~10 WHERE seq = 50", {10, *range(41, EVENTS + 1)}),
}


@pytest.mark.parametrize("case", MOVED)
def test_an_altered_number_is_found_and_both_events_that_it_may_mean_are_sent(
    written: Path, case: str
) -> None:
    statement, owed = MOVED[case]
    alter(written, statement)
    with JournalReader.open(written) as reader:
        verified = reader.verify()
    assert {fault.kind for fault in verified.faults} == {FaultKind.OUTBOX}
    journal = Journal.open(JournalConfig(path=written))
    assert journal.recoveries == 1
    assert set(waiting(journal)) == owed
    journal.delivered([one.seq for one in journal.pending(0, 500)])
    journal.close()
    journal = Journal.open(JournalConfig(path=written))
    assert (journal.recoveries, journal.outbox().rows) == (0, 0)
    journal.close()
    with JournalReader.open(written) as reader:
        assert reader.verify().ok
        found = [one.event for one in reader.events() if one.event.kind is EventKind.ACCESS]
    assert found == [event(number) for number in range(1, EVENTS + 1)]


def test_a_journal_of_an_earlier_version_keeps_what_waits_and_gets_the_second_number(written: Path) -> None:
    alter(written, "ALTER TABLE outbox DROP COLUMN turned")
    journal = Journal.open(JournalConfig(path=written))
    assert (journal.recoveries, waiting(journal)) == (0, list(range(41, EVENTS + 1)))
    journal.close()
    alter(written, "UPDATE outbox SET seq = 9 WHERE seq = 41")
    with JournalReader.open(written) as reader:
        assert reader.verify().fault is FaultKind.OUTBOX


def test_where_an_earlier_version_wrote_it_everything_is_sent_again(written: Path) -> None:
    alter(
        written, "ALTER TABLE outbox DROP COLUMN turned", "UPDATE outbox SET seq = seq + 65536 WHERE seq = 50"
    )
    journal = Journal.open(JournalConfig(path=written))
    assert (journal.recoveries, waiting(journal)) == (1, list(range(1, EVENTS + 1)))
    journal.close()


def test_a_number_that_is_taken_in_the_outbox_is_damage_and_not_a_full_disk(written: Path) -> None:
    journal = Journal.open(JournalConfig(path=written))
    alter(written, f"UPDATE outbox SET seq = {EVENTS + 1} WHERE seq = 50")
    with pytest.raises(StoreCorruptError, match="is taken"):
        journal.submit([event(EVENTS + 1)]).result()
    journal.reopen()
    journal.submit([event(EVENTS + 1)]).result()
    assert waiting(journal) == list(range(41, EVENTS + 2))
    journal.close()


def root(path: Path) -> int:
    """The offset of the one page of the outbox."""
    connection = sqlite3.connect(path)
    (page,) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'outbox'").fetchone()
    connection.close()
    return (int(page) - 1) * 4096


def fewer_cells(content: bytearray, page: int) -> None:
    content[page + 4] -= 4


def one_cell_twice(content: bytearray, page: int) -> None:
    content[page + 8 : page + 10] = content[page + 10 : page + 12]


def a_cell_of_zeros(content: bytearray, page: int) -> None:
    content[page + 8 : page + 10] = (100).to_bytes(2)


@pytest.mark.parametrize("damage", [fewer_cells, one_cell_twice, a_cell_of_zeros])
def test_a_page_that_shows_fewer_numbers_than_it_has_lets_none_of_them_go(
    written: Path, damage: Callable[[bytearray, int], None]
) -> None:
    content = bytearray(written.read_bytes())
    damage(content, root(written))
    written.write_bytes(content)
    journal = Journal.open(JournalConfig(path=written))
    assert journal.recoveries == 1
    assert waiting(journal) == list(range(1, EVENTS + 1))  # what waits is not known: all may
    journal.close()


@pytest.mark.parametrize(
    ("name", "other"), [(b"turned INTEGER", b"turnfd INTEGER"), (b"time_synced", b"tyme_synced")]
)
def test_a_column_whose_name_was_altered_is_damage_and_keeps_nobody_from_starting(
    written: Path, name: bytes, other: bytes
) -> None:
    written.write_bytes(written.read_bytes().replace(name, other))
    journal = Journal.open(JournalConfig(path=written))
    assert (journal.recoveries, waiting(journal)) == (1, list(range(41, EVENTS + 1)))
    journal.close()
