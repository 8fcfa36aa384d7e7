"""Damage of every kind: the file is moved aside, what verifies is taken over, and it is told."""

import json
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from edged.cli import registry
from edged.cli.events_salvaged import _understood
from edged.config.sections import JournalConfig
from edged.domain.types import EventKind, StoredEvent
from edged.errors import StoreCorruptError, StoreError
from edged.storage import journal_recovery, quarantine, remains
from edged.storage.journal import Journal
from edged.storage.journal_reader import JournalReader
from edged.storage.journal_rows import COLUMNS, checksum, covered_columns
from edged.storage.salvage import Salvage
from tests.integration.storage.conftest import event

PAGE = 4096
EVENTS = 60


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, str]:
    """A closed journal of 60 events on some 20 pages, and its epoch.

    The first 40 are delivered but 7; number 9 is in quarantine. Number 30 is larger than a page.
    """
    path = tmp_path_factory.mktemp("pristine") / "journal.db"
    journal = Journal.open(JournalConfig(path=path))
    for number in range(1, EVENTS + 1):
        body = {"note": "x" * (9000 if number == 30 else 700), "number": number}
        journal.submit([replace(event(number), body=body)]).result()
    journal.quarantine(9, "too large")
    journal.delivered([seq for seq in range(1, 41) if seq not in (7, 9)])
    journal.close()
    return path.read_bytes(), journal.epoch


@pytest.fixture
def broken(tmp_path: Path, pristine: tuple[bytes, str]) -> Path:
    """A journal to be broken, with the note of its epoch."""
    path = tmp_path / "journal.db"
    path.write_bytes(pristine[0])
    remains.note_epoch(path, pristine[1])
    return path


def change(path: Path, at: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(data)


def page_of(path: Path, text: bytes) -> int:
    """The offset of the page that holds ``text``."""
    return path.read_bytes().index(text) // PAGE * PAGE


def read(path: Path) -> list[StoredEvent]:
    with JournalReader.open(path) as reader:
        assert reader.verify().ok
        return list(reader.events())


def recover(path: Path) -> tuple[dict[int, int], dict[str, object], Journal]:
    """Open it; return new seq by number of the event, the body of the recovery event, the journal."""
    journal = Journal.open(JournalConfig(path=path))
    found = read(path)
    (told,) = [one.event for one in found if one.event.kind is EventKind.SYSTEM]
    events = [one for one in found if one.event.kind is EventKind.ACCESS]
    for one in events:
        number = int(one.event.event_id[5:])
        # What is taken over is what was written, to the last byte.
        assert replace(one.event, body={}) == replace(event(number), body={})
        assert one.event.body["number"] == number
    return {int(one.event.event_id[5:]): one.seq for one in events}, dict(told.body), journal


def zero_a_leaf(path: Path) -> None:
    change(path, page_of(path, event(20).event_id.encode()), bytes(PAGE))


def truncate(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size * 3 // 4 // PAGE * PAGE)


def cut_within_a_page(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 5 * PAGE // 2)


def flip_a_bit(path: Path) -> None:
    content = path.read_bytes()
    at = content.index(b'"number":20}') - 10
    change(path, at, bytes([content[at] ^ 4]))


def remove_the_header(path: Path) -> None:
    change(path, 0, bytes(100))


def zero_the_first_page(path: Path) -> None:
    change(path, 0, bytes(PAGE))


def zero_the_page_of_the_ends(path: Path) -> None:
    epoch = remains.noted_epoch(path)
    assert epoch is not None
    change(path, page_of(path, epoch.encode()), bytes(PAGE))


def alter_the_epoch(path: Path) -> None:
    epoch = remains.noted_epoch(path)
    assert epoch is not None
    change(path, path.read_bytes().index(epoch.encode()), b"0123456789abcdef")


def empty(path: Path) -> None:
    path.write_bytes(b"")


def remove(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize(
    ("damage", "least"),
    [
        (zero_a_leaf, 50), (truncate, 30), (cut_within_a_page, 40), (flip_a_bit, 59), (remove_the_header, 60),
        (zero_the_first_page, 60), (zero_the_page_of_the_ends, 60), (alter_the_epoch, 60), (empty, 0),
        (remove, 0),
    ],
)  # fmt: skip
def test_what_verifies_is_taken_over_and_the_rest_is_told(
    broken: Path, pristine: tuple[bytes, str], damage: Callable[[Path], None], least: int
) -> None:
    damage(broken)
    before = broken.read_bytes() if broken.exists() else None
    seqs, told, journal = recover(broken)
    assert least <= len(seqs) <= EVENTS
    assert list(seqs.values()) == list(range(1, len(seqs) + 1))
    assert sorted(seqs) == list(seqs)
    assert journal.epoch != pristine[1]
    assert journal.recoveries == 1
    # Nothing that was not delivered has left the outbox; what waited nowhere may wait again.
    waiting = {int(one.event.event_id[5:]) for one in journal.pending(0, 500) if one.event.person_id}
    owed = {7, *range(41, EVENTS + 1)} & set(seqs)
    assert owed <= waiting
    if told["outbox_known"] and least:
        assert waiting == owed
        assert journal.outbox().quarantined == (1 if 9 in seqs else 0)
    assert (told["type"], told["salvaged"], told["left"]) == ("storage_recovered", len(seqs), 0)
    assert told["lost"] in (None, EVENTS - len(seqs))
    assert journal.submit([event(100)]).result()[0].seq == len(seqs) + 2
    journal.close()
    # The evidence stands beside, as it was found.
    aside = broken.with_name(str(told["file"]))
    assert aside.is_dir()
    if before is not None:
        assert (aside / "journal.db").read_bytes() == before
    # The next start finds nothing to mend.
    again = Journal.open(JournalConfig(path=broken))
    assert (again.recoveries, again.epoch) == (0, journal.epoch)
    again.close()
    assert len(read(broken)) == len(seqs) + 2


def test_what_stands_in_the_write_ahead_log_is_taken_over_as_far_as_it_was_committed(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    journal = Journal.open(JournalConfig(path=path))
    for number in range(1, 31):
        journal.submit([replace(event(number), body={"number": number})]).result()
    # As a power cut leaves it: nothing in the database file, a half transaction at the end of the log.
    wal = path.with_name("journal.db-wal").read_bytes()
    main = path.read_bytes()
    journal.close()
    epoch = journal.epoch
    for end, least in ((len(wal), 30), (len(wal) - 10, 29), (len(wal) // 2, 10)):
        for old in tmp_path.glob("journal.db*"):
            if old.is_file():
                old.unlink()
        path.write_bytes(b"no header" + main[9:])
        path.with_name("journal.db-wal").write_bytes(wal[:end])
        remains.note_epoch(path, epoch)
        with Salvage(remains.move_aside(path, "a test")) as salvage:
            found = [row.seq for row in salvage.rows()]
        assert found == list(range(1, len(found) + 1))
        assert least <= len(found) <= (30 if end == len(wal) else 29)
        for directory in tmp_path.glob("journal.db.salvage-*"):
            directory.rename(tmp_path / f"done{end}")


def test_a_salvage_that_is_cut_short_is_finished_at_the_next_start(
    broken: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zero_a_leaf(broken)
    monkeypatch.setattr(journal_recovery, "_BATCH_ROWS", 10)
    rows = Salvage.rows

    def torn(self: Salvage, newest: int | None = None) -> object:
        for number, row in enumerate(rows(self, newest)):
            if number == 25:
                raise StoreError("the disk is gone for a moment")
            yield row

    with monkeypatch.context() as patched:
        patched.setattr(Salvage, "rows", torn)
        first = Journal.open(JournalConfig(path=broken))
    assert first.recoveries == 0
    first.submit([event(200)]).result()
    first.close()
    second = Journal.open(JournalConfig(path=broken))
    assert second.recoveries == 1
    second.close()
    found = [one.event for one in read(broken)]
    assert len({one.event_id for one in found}) == len(found)
    told = [one.body["type"] for one in found if one.kind is EventKind.SYSTEM]
    assert told == ["storage_damaged", "storage_recovered"]
    assert len(found) >= 50 + 3


def test_only_the_newest_and_those_that_wait_are_taken_over_and_the_rest_stays_readable(
    broken: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_recovery, "NEWEST_ROWS", 15)
    change(broken, 0, bytes(20))
    seqs, told, journal = recover(broken)
    journal.close()
    assert {7, 9} < set(seqs)
    assert set(range(46, EVENTS + 1)) < set(seqs)
    assert 20 not in seqs
    assert (told["left"], told["lost"]) == (EVENTS - len(seqs), 0)
    with Salvage(remains.load(broken.with_name(str(told["file"])))) as salvage:
        assert [row.seq for row in salvage.rows()] == list(range(1, EVENTS + 1))


def test_a_damaged_index_is_found_so_that_an_event_offered_again_goes_in_once(broken: Path) -> None:
    content = broken.read_bytes()
    text = event(20).event_id.encode()
    places = [at for at in range(len(content)) if content.startswith(text, at)]
    (at,) = [at for at in places if content[at // PAGE * PAGE] == 10]  # a leaf of an index
    change(broken, at + 1, b"X")
    seqs, _told, journal = recover(broken)
    assert list(seqs) == list(range(1, EVENTS + 1))
    with pytest.raises(StoreError, match="event_id"):
        journal.submit([event(20)]).result()
    journal.close()


def test_another_program_s_file_or_a_newer_version_is_left_untouched(broken: Path) -> None:
    with sqlite3.connect(broken) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = broken.read_bytes()
    with pytest.raises(StoreError, match="version"):
        Journal.open(JournalConfig(path=broken))
    assert broken.read_bytes() == before


def test_a_card_that_damages_every_new_file_is_not_filled_with_copies(broken: Path) -> None:
    for _ in range(5):
        remove_the_header(broken)
        Journal.open(JournalConfig(path=broken)).close()
    remove_the_header(broken)
    with pytest.raises(StoreCorruptError, match="6th time within an hour"):
        Journal.open(JournalConfig(path=broken))


def test_without_any_epoch_nothing_is_believed(broken: Path) -> None:
    zero_the_page_of_the_ends(broken)
    remains.epoch_path(broken).unlink()
    seqs, told, journal = recover(broken)
    journal.close()
    assert seqs == {}
    assert (told["salvaged"], told["lost"], told["epoch_before"]) == (0, None, None)


def test_a_journal_that_breaks_while_it_is_written_to_is_opened_anew_and_nothing_is_lost(
    broken: Path,
) -> None:
    journal = Journal.open(JournalConfig(path=broken))
    journal.submit([replace(event(61), body={"number": 61})]).result()
    for page in range(1, broken.stat().st_size // PAGE):
        change(broken, page * PAGE, bytes(8))
    journal._database.submit(lambda connection: connection.execute("PRAGMA shrink_memory")).result()
    late = replace(event(62), body={"number": 62})
    failed = False
    for _ in range(5):
        try:
            journal.submit([late]).result()
            break
        except StoreCorruptError:
            failed = True
    assert failed
    assert journal.damaged
    journal.reopen()
    assert not journal.damaged
    assert journal.recoveries == 1
    journal.submit([late]).result()
    journal.close()
    assert read(broken)[-1].event == late


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_whatever_bytes_are_hurt_no_event_is_invented(
    pristine: tuple[bytes, str], tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    content = bytearray(pristine[0])
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(content) - 1))
        junk = data.draw(st.binary(min_size=1, max_size=600))
        content[at : at + len(junk)] = junk
    path = tmp_path_factory.mktemp("hurt") / "journal.db"
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    remains.note_epoch(path, pristine[1])
    with Salvage(remains.move_aside(path, "a test")) as salvage:
        for row in salvage.rows():
            found = row.stored()
            assert replace(found.event, body={}) == replace(event(row.seq), body={})


def test_a_large_journal_is_taken_over_whole(tmp_path: Path) -> None:
    path, rows = tmp_path / "journal.db", 5000
    journal = Journal.open(JournalConfig(path=path))
    for start in range(0, rows, 1000):
        journal.submit([event(number) for number in range(start, start + 1000)]).result()
    journal.close()
    remove_the_header(path)
    Journal.open(JournalConfig(path=path)).close()
    assert len(read(path)) == rows + 1


def test_a_write_that_met_damage_which_no_check_finds_has_the_file_moved_aside(broken: Path) -> None:
    journal = Journal.open(JournalConfig(path=broken))

    def meet(_connection: sqlite3.Connection) -> None:
        raise StoreCorruptError("an index that no quick check looks into")

    with pytest.raises(StoreCorruptError):
        journal._database.submit(meet).result()
    journal.reopen()
    assert (journal.damaged, journal.recoveries) == (False, 1)
    journal.close()
    assert len(read(broken)) == EVENTS + 1


def test_an_event_that_outlived_the_pruning_is_taken_over_too(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    journal = Journal.open(JournalConfig(path=path, max_rows=100))
    for start in range(0, 200, 50):
        stored = journal.submit([event(number) for number in range(start, start + 50)]).result()
        journal.delivered([one.seq for one in stored if one.seq != 1])
    assert journal.pending(0, 1)[0].event == event(0)
    journal.close()
    remove_the_header(path)
    again = Journal.open(JournalConfig(path=path))
    assert again.pending(0, 1)[0].event == event(0)
    again.close()
    found = read(path)
    assert found[-1].event.body["lost"] == 0
    assert found[0].event == event(0)


def test_the_command_reads_what_was_moved_aside(broken: Path, tmp_path: Path) -> None:
    zero_a_leaf(broken)
    seqs, told, journal = recover(broken)
    journal.close()
    app = typer.Typer()
    registry.register(app)
    output = tmp_path / "events.jsonl"
    aside = broken.with_name(str(told["file"]))
    found = CliRunner().invoke(app, ["events", "salvaged", str(aside), "--json", "-o", str(output)])
    assert found.exit_code == 0, found.output
    records = [json.loads(line) for line in output.read_text().splitlines()]
    assert [int(record["event_id"][5:]) for record in records] == list(seqs)
    assert {record["epoch"] for record in records} == {told["epoch_before"]}
    refused = CliRunner().invoke(app, ["events", "salvaged", str(tmp_path)])
    assert isinstance(refused.exception, StoreError)


@pytest.mark.parametrize("nested", [b"[" * 60_000, b'{"a":' * 60_000])
def test_notes_that_nest_without_end_are_no_notes(tmp_path: Path, nested: bytes) -> None:
    journal = tmp_path / "journal.db"
    quarantine.request_path(journal).write_bytes(nested)
    assert quarantine.asked(journal) is None
    assert not quarantine.request_path(journal).exists()
    aside = tmp_path / "journal.db.damaged-x"
    aside.mkdir()
    (aside / "facts.json").write_bytes(nested)
    with pytest.raises(StoreError, match=r"facts\.json"):
        remains.load(aside)


def test_a_row_of_a_kind_that_only_a_newer_version_knows_is_kept_and_stops_no_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "journal.db"
    journal = Journal.open(JournalConfig(path=path))
    for number in range(1, 4):
        journal.submit([event(number)]).result()
    journal.close()
    _make_newer(path, journal.epoch, seq=2)
    change(path, 0, bytes(100))
    opened = Journal.open(JournalConfig(path=path))
    try:
        kept = {one.event.event_id for one in opened.pending(0, 10)}
        assert {event(1).event_id, event(3).event_id} <= kept
        assert [one.event_id for one in quarantine.rows(path)] == [event(2).event_id]
    finally:
        opened.close()
    (aside,) = tmp_path.glob("journal.db.damaged-*")
    with Salvage(remains.load(aside)) as salvage:
        assert len(list(_understood(salvage))) == 2
    assert "what the row holds is no event" in capsys.readouterr().err


def _make_newer(path: Path, epoch: str, *, seq: int) -> None:
    """Give a row a kind that is not known here, and the checksum that belongs to it."""
    connection = sqlite3.connect(path)
    row = list(connection.execute(f"SELECT {COLUMNS} FROM events e WHERE seq = ?", (seq,)).fetchone())
    row[2] = "epiphany"
    crc = checksum(epoch, seq, covered_columns(row))
    connection.execute("UPDATE events SET kind = ?, checksum = ? WHERE seq = ?", (row[2], crc, seq))
    connection.commit()
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
