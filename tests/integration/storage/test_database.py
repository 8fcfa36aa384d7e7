import sqlite3
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from edged.errors import StoreCorruptError, StoreError, StoreFullError
from edged.storage import database as database_module
from edged.storage.connections import Schema, reading
from edged.storage.database import Database

TOY = Schema("a toy", 0x746F7921, 1, ("CREATE TABLE things (id INTEGER PRIMARY KEY, text TEXT) STRICT",))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "var" / "toy.db"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    opened = Database.open(path, name="toy", schema=TOY)
    yield opened
    opened.close()


def insert(text: str) -> database_module.Work[int]:
    return lambda connection: int(
        connection.execute("INSERT INTO things (text) VALUES (?)", (text,)).lastrowid or 0
    )


def texts(path: Path) -> list[str]:
    with reading(path) as connection:
        return [row[0] for row in connection.execute("SELECT text FROM things ORDER BY id")]


def test_files_are_private(database: Database, path: Path) -> None:
    database.submit(insert("a")).result()
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert modes == dict.fromkeys(["toy.db", "toy.db-wal", "toy.db-shm", "toy.db.lock"], 0o600)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_the_writer_keeps_its_durability_settings(database: Database) -> None:
    def settings(connection: sqlite3.Connection) -> dict[str, object]:
        names = ("journal_mode", "synchronous", "secure_delete", "foreign_keys", "mmap_size")
        found = {name: connection.execute(f"PRAGMA {name}").fetchone() for name in names}
        return {name: row and row[0] for name, row in found.items()}

    found = database.submit(settings).result()
    assert found.pop("mmap_size") in (0, None)
    assert found == {"journal_mode": "wal", "synchronous": 2, "secure_delete": 1, "foreign_keys": 1}


def test_what_was_submitted_before_close_is_written(path: Path) -> None:
    database = Database.open(path, name="toy", schema=TOY)
    futures = [database.submit(insert(str(number))) for number in range(50)]
    database.close()
    assert [future.result() for future in futures] == list(range(1, 51))
    assert not path.with_name("toy.db-wal").exists()
    assert texts(path) == [str(number) for number in range(50)]


def test_a_failing_transaction_leaves_nothing_and_the_next_one_works(database: Database, path: Path) -> None:
    def half(connection: sqlite3.Connection) -> None:
        insert("half")(connection)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        database.submit(half).result()
    with pytest.raises(StoreError, match="no such table"):
        database.submit(lambda connection: connection.execute("INSERT INTO nowhere VALUES (1)")).result()
    database.submit(insert("whole")).result()
    assert texts(path) == ["whole"]


def test_after_close_a_write_fails_at_once(path: Path) -> None:
    database = Database.open(path, name="toy", schema=TOY)
    database.close()
    database.close()
    with pytest.raises(StoreError, match="closed"):
        database.submit(insert("late")).result(timeout=0)


def occupied(database: Database) -> threading.Event:
    """Keep the writer busy until what is returned is set."""
    gate, running = threading.Event(), threading.Event()

    def slow(_connection: sqlite3.Connection) -> None:
        running.set()
        gate.wait(100)

    database.submit(slow)
    assert running.wait(60)
    return gate


def test_a_full_inbox_fails_at_once_and_what_waited_is_written(database: Database, path: Path) -> None:
    gate = occupied(database)
    waiting = [database.submit(insert("waiting")) for _ in range(database_module._INBOX)]
    refused = database.submit(insert("too many"))
    with pytest.raises(StoreError, match="waiting already"):
        refused.result(timeout=0)
    gate.set()
    assert len({future.result(60) for future in waiting}) == database_module._INBOX
    assert texts(path) == ["waiting"] * database_module._INBOX


def test_a_cancelled_write_is_not_done(database: Database, path: Path) -> None:
    gate = occupied(database)
    future = database.submit(insert("never"))
    assert future.cancel()
    gate.set()
    database.submit(insert("after")).result()
    assert texts(path) == ["after"]


def test_a_second_writer_is_told_who_holds_it(database: Database, path: Path) -> None:
    holder = path.with_name("toy.db.lock").read_text().strip()
    with pytest.raises(StoreError, match=rf"process {holder} is writing"):
        Database.open(path, name="toy-2", schema=TOY)


def test_a_waiting_writer_gets_in_when_the_first_leaves(path: Path) -> None:
    first = Database.open(path, name="toy", schema=TOY)
    timer = threading.Timer(0.1, first.close)
    timer.start()
    second = Database.open(path, name="toy-2", schema=TOY, wait_seconds=60)
    second.close()
    timer.join()


def test_a_full_disk_says_so_and_the_space_can_be_used_again(database: Database, path: Path) -> None:
    database.submit(insert("before")).result()

    def limit(pages: int) -> None:
        database.submit(
            lambda connection: connection.execute(f"PRAGMA max_page_count = {pages}").fetchone()
        ).result()

    limit(8)
    with pytest.raises(StoreFullError):
        database.submit(insert("x" * 100_000)).result()
    assert texts(path) == ["before"]
    limit(100_000)
    database.submit(insert("after")).result()
    assert texts(path) == ["before", "after"]


@pytest.mark.parametrize(
    "content", [b"no database at all" * 500, b"SQLite format 3\0" + b"\xff" * 4080], ids=["text", "header"]
)
def test_what_is_no_database_is_refused_and_left_untouched(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(StoreCorruptError, match=r"toy\.db.*untouched"):
        Database.open(path, name="toy", schema=TOY)
    assert path.read_bytes() == content


def test_a_damaged_page_is_found_at_start_and_left_untouched(path: Path) -> None:
    database = Database.open(path, name="toy", schema=TOY)
    for number in range(100):
        database.submit(insert(f"{number}" * 100))
    database.close()
    content = bytearray(path.read_bytes())
    content[4096:8192] = bytes(4096)
    path.write_bytes(content)
    with pytest.raises(StoreCorruptError, match="untouched"):
        Database.open(path, name="toy", schema=TOY)
    assert path.read_bytes() == content


def test_another_kind_and_another_version_are_refused(path: Path) -> None:
    Database.open(path, name="toy", schema=TOY).close()
    other = Schema("a journal", 0x6F746872, 1, TOY.script)
    newer = Schema("a toy", TOY.application_id, 2, TOY.script)
    with pytest.raises(StoreError, match="expected a journal"):
        Database.open(path, name="toy", schema=other)
    with pytest.raises(StoreError, match="expected version 2 of a toy, got 1"):
        Database.open(path, name="toy", schema=newer)
    Database.open(path, name="toy", schema=TOY).close()


def test_an_empty_file_of_a_start_cut_short_is_completed(path: Path) -> None:
    path.parent.mkdir()
    path.touch(0o600)
    database = Database.open(path, name="toy", schema=TOY)
    database.submit(insert("a")).result()
    database.close()
    assert texts(path) == ["a"]


def test_readers_read_while_the_writer_writes(database: Database, path: Path) -> None:
    database.submit(insert("a")).result()
    with reading(path) as reader:
        reader.execute("BEGIN")
        before = reader.execute("SELECT count(*) FROM things").fetchone()
        database.submit(insert("b")).result()
        assert reader.execute("SELECT count(*) FROM things").fetchone() == before
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            reader.execute("ROLLBACK").execute("DELETE FROM things")
    assert texts(path) == ["a", "b"]


def test_idle_is_called_in_the_writers_thread(path: Path) -> None:
    called, names = threading.Event(), []

    def idle() -> None:
        names.append(threading.current_thread().name)
        called.set()

    database = Database.open(path, name="toy", schema=TOY, idle=idle)
    assert called.wait(30)
    database.close()
    assert set(names) == {"edged-toy"}


def test_a_directory_that_cannot_be_made_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError):
        Database.open(tmp_path / "file" / "toy.db", name="toy", schema=TOY)
