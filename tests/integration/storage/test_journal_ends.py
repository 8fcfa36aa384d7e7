"""One flipped bit in the row that is rewritten with every event: found, mended, and told as what it is."""

import sqlite3
from pathlib import Path

import pytest

from edged.config.sections import JournalConfig
from edged.domain.types import EventKind, StoredEvent
from edged.errors import StoreCorruptError
from edged.storage.journal import Journal
from edged.storage.journal_check import FaultKind
from edged.storage.journal_reader import JournalReader
from tests.integration.storage.conftest import alter, event

EVENTS = 40
PRUNED = 64


def written(path: Path, events: int = EVENTS, **bounds: int) -> Path:
    journal = Journal.open(JournalConfig(path=path, **bounds))
    for start in range(1, events + 1, 500):
        batch = [event(number) for number in range(start, min(start + 500, events + 1))]
        journal.delivered([one.seq for one in journal.submit(batch).result()])
    journal.close()
    return path


def make_old(path: Path) -> None:
    """Take away what a file of an earlier version does not have."""
    alter(path, "ALTER TABLE journal DROP COLUMN checksum")


def read(path: Path) -> list[StoredEvent]:
    with JournalReader.open(path) as reader:
        assert reader.verify().ok
        return list(reader.events())


def flip_head_down(path: Path) -> None:
    alter(path, "UPDATE journal SET head_seq = head_seq & ~8")


def flip_head_up(path: Path) -> None:
    alter(path, "UPDATE journal SET head_seq = head_seq | 2048")


def flip_anchor(path: Path) -> None:
    alter(path, "UPDATE journal SET anchor_seq = anchor_seq + 16")


def flip_head_digest(path: Path) -> None:
    alter(path, "UPDATE journal SET head_digest = zeroblob(32)")


def flip_anchor_digest(path: Path) -> None:
    alter(path, "UPDATE journal SET anchor_digest = zeroblob(32)")


def flip_epoch(path: Path) -> None:
    alter(path, "UPDATE journal SET epoch = 'x' || substr(epoch, 2)")


DAMAGES = [flip_head_down, flip_head_up, flip_anchor, flip_head_digest, flip_anchor_digest]


@pytest.mark.parametrize("old", [False, True], ids=["now", "from before there was a checksum"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_row_that_contradicts_the_events_is_found_at_the_start_and_nothing_is_lost_or_invented(
    tmp_path: Path, damage: object, *, old: bool
) -> None:
    path = written(tmp_path / "journal.db")
    if old:
        make_old(path)
    damage(path)  # type: ignore[operator]
    journal = Journal.open(JournalConfig(path=path))
    assert journal.recoveries == 1
    assert journal.submit([event(EVENTS + 1)]).result()[0].seq == EVENTS + 2
    journal.close()
    found = read(path)
    assert [one.event for one in found if one.event.kind is EventKind.ACCESS] == [
        event(number) for number in range(1, EVENTS + 2)
    ]
    (told,) = [one.event.body for one in found if one.event.kind is EventKind.SYSTEM]
    # Without a checksum nobody knows how many there were: none is said to be lost that never was.
    assert (told["type"], told["salvaged"], told["lost"]) == ("storage_recovered", EVENTS, None)


@pytest.mark.parametrize("damage", [flip_head_down, flip_head_up, flip_anchor])
def test_so_it_is_where_retention_has_removed_events(tmp_path: Path, damage: object) -> None:
    path = written(tmp_path / "journal.db", 1000 + PRUNED, max_rows=1000)
    journal = Journal.open(JournalConfig(path=path))  # what is whole is left alone
    assert journal.recoveries == 0
    journal.close()
    kept = [one.event for one in read(path)]
    assert 900 < len(kept) <= 1000
    damage(path)  # type: ignore[operator]
    journal = Journal.open(JournalConfig(path=path))
    journal.close()
    assert [one.event for one in read(path) if one.event.kind is EventKind.ACCESS] == kept


@pytest.mark.parametrize("damage", [*DAMAGES, flip_epoch])
def test_verify_says_so_and_claims_no_event_to_be_missing(tmp_path: Path, damage: object) -> None:
    path = written(tmp_path / "journal.db")
    damage(path)  # type: ignore[operator]
    with JournalReader.open(path) as reader:
        found = reader.verify()
    assert FaultKind.ANCHOR in [fault.kind for fault in found.faults]
    assert FaultKind.GAP not in [fault.kind for fault in found.faults]


def test_a_file_of_an_earlier_version_gets_its_checksum_and_keeps_all_it_has(tmp_path: Path) -> None:
    path = written(tmp_path / "journal.db")
    before = read(path)
    make_old(path)
    assert read(path) == before
    journal = Journal.open(JournalConfig(path=path))
    assert journal.recoveries == 0
    journal.close()
    assert read(path) == before
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT checksum FROM journal").fetchone()[0] is not None
    connection.close()


def test_a_damaged_checksum_alone_costs_nothing(tmp_path: Path) -> None:
    path = written(tmp_path / "journal.db")
    before = read(path)
    alter(path, "UPDATE journal SET checksum = checksum + 1")
    journal = Journal.open(JournalConfig(path=path))
    assert journal.recoveries == 0
    journal.close()
    assert read(path) == before


@pytest.mark.parametrize("damage", [*DAMAGES, flip_epoch])
def test_damage_that_comes_while_it_runs_is_told_as_damage_and_mended_by_opening_anew(
    tmp_path: Path, damage: object
) -> None:
    path = written(tmp_path / "journal.db")
    journal = Journal.open(JournalConfig(path=path))
    damage(path)  # type: ignore[operator]
    with pytest.raises(StoreCorruptError, match="altered"):
        journal.submit([event(EVENTS + 1)]).result()
    with pytest.raises(StoreCorruptError, match="altered"):
        journal.pending(0, 10)  # nothing is put into quarantine for an epoch that is not its own
    assert journal.damaged
    journal.reopen()
    journal.submit([event(EVENTS + 1)]).result()
    assert journal.outbox().quarantined == 0
    journal.close()
    found = [one.event for one in read(path) if one.event.kind is EventKind.ACCESS]
    assert found == [event(number) for number in range(1, EVENTS + 2)]


def test_a_number_that_is_taken_is_damage_and_an_event_that_is_recorded_already_is_none(
    tmp_path: Path,
) -> None:
    path = written(tmp_path / "journal.db")
    journal = Journal.open(JournalConfig(path=path))
    repeated = journal.submit([event(EVENTS)]).exception()
    assert "events.event_id" in str(repeated)
    assert not journal.damaged
    alter(path, f"UPDATE events SET seq = {EVENTS + 1} WHERE seq = 7")
    with pytest.raises(StoreCorruptError, match=f"next event, {EVENTS + 1}, is taken"):
        journal.submit([event(EVENTS + 1)]).result()
    assert journal.damaged
    journal.close()


def test_an_event_that_is_held_twice_stops_no_other_for_good(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    journal = Journal.open(JournalConfig(path=path, max_rows=1000))
    journal.submit([event(number) for number in range(1, 1001)]).result()
    alter(
        path, "INSERT INTO held SELECT *, NULL FROM events WHERE seq = 1",
        "UPDATE held SET seq = 0, event_id = 'other' WHERE seq = 1", "UPDATE held SET seq = 2 WHERE seq = 0",
    )  # fmt: skip
    more = [event(number) for number in range(1001, 1010)]
    with pytest.raises(StoreCorruptError, match="contradict"):
        journal.submit(more).result()
    journal.reopen()
    journal.submit(more).result()
    journal.close()
    assert [one.event for one in read(path) if one.event.kind is EventKind.ACCESS][-9:] == more
