"""SQLite connections of two kinds, and what their errors mean.

Writing: WAL with ``synchronous=FULL``. In a power-cut simulation NORMAL lost committed rows in most of
150 cuts, FULL in none. No mmap, since a failing card then kills the process instead of a statement.
Reading: opened read-only for one question, so that no reader keeps the WAL from being checkpointed.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edged.errors import StoreCorruptError, StoreError, StoreFullError, printable
from edged.storage.files import is_there

BUSY_MS = 5000
# SQLite's own default of 1000 pages lets the WAL grow to 4 MB, which is read again at every start.
_AUTOCHECKPOINT_PAGES = 256
_WAL_LIMIT_BYTES = 1 << 20
_IOERR_SHMSIZE = 4874  # sqlite3.h; Python's own name for it came later than 3.11


@dataclass(frozen=True, slots=True)
class Schema:
    """What a database must be: ``application_id`` and ``version`` stand in its header."""

    what: str
    application_id: int
    version: int
    script: tuple[str, ...]


# SQLite quotes a damaged schema in its message, and sqlite3 then fails to decode the message.
# A file that claims to be larger than memory is out of memory to it, which sqlite3 raises as Python's own.
FAILURES = (sqlite3.Error, UnicodeDecodeError, MemoryError)


def translate(path: Path, exc: Exception) -> StoreError:
    """Return the error of ours that says what ``exc``, one of ``FAILURES``, means for ``path``."""
    if isinstance(exc, UnicodeDecodeError):
        return StoreCorruptError(f"{path}: damaged: its schema is not text; the file was left untouched")
    if isinstance(exc, MemoryError):
        return StoreError(f"{path}: SQLite finds no memory for it: it is damaged, or the machine is short")
    code = getattr(exc, "sqlite_errorcode", 0)
    primary = code & 0xFF
    said = printable(str(exc))
    # The index of the WAL is a file too, and finds no room under a code of its own.
    if primary == sqlite3.SQLITE_FULL or code == _IOERR_SHMSIZE:
        return StoreFullError(f"{path}: no space is left: {said}")
    if primary in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return StoreCorruptError(f"{path}: damaged: {said}; the file was left untouched")
    return StoreError(f"{path}: {said}")


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Open ``path`` read-only for the length of a ``with`` block; errors become ``StoreError``."""
    connection = None
    try:
        connection = open_reader(path)
        yield connection
    except FAILURES as exc:
        raise translate(path, exc) from exc
    finally:
        if connection is not None:
            connection.close()


def open_reader(path: Path) -> sqlite3.Connection:
    """Return a read-only connection in autocommit mode. Raises ``FAILURES``."""
    uri = f"{path.absolute().as_uri()}?mode=ro"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=BUSY_MS / 1000)
    # Damaged text must still be readable, or its checksum could not be held against it.
    connection.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
    return connection


def open_writer(path: Path) -> sqlite3.Connection:
    """Return the writing connection of an existing file. Raises ``FAILURES``, ``StoreError``."""
    uri = f"{path.absolute().as_uri()}?mode=rw"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=BUSY_MS / 1000)
    try:
        for pragma in (
            "mmap_size = 0", "secure_delete = ON", "foreign_keys = ON", "trusted_schema = OFF",
            "cell_size_check = ON", "temp_store = MEMORY", f"journal_size_limit = {_WAL_LIMIT_BYTES}",
            f"wal_autocheckpoint = {_AUTOCHECKPOINT_PAGES}", "synchronous = FULL",
        ):  # fmt: skip
            connection.execute(f"PRAGMA {pragma}")
        _enter_wal(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _enter_wal(connection: sqlite3.Connection, path: Path) -> None:
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise StoreError(f"{path}: expected journal mode wal, the file system allows only {mode!r}")


def is_new(connection: sqlite3.Connection) -> bool:
    """Whether nothing was ever made in this file: a first start may have been cut short."""
    try:
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except MemoryError as exc:
        # Nothing that is asked of a sound file needs less memory than this.
        damaged = sqlite3.DatabaseError("its schema claims more than there is")
        damaged.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise damaged from exc
    return int(tables) == 0


def roll_back(path: Path) -> None:
    """Let SQLite undo what a power cut left of the switch to WAL at the first start; a writer's task.

    That one transaction has a rollback journal, and no read-only connection may look at the file before.
    Raises ``StoreError``.
    """
    if not is_there(path.with_name(f"{path.name}-journal")):
        return
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None)
        try:
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        finally:
            connection.close()
    except FAILURES as exc:
        raise translate(path, exc) from exc


def check(path: Path, schema: Schema) -> None:
    """Read the whole of ``path`` without changing a byte, before anybody may write to it.

    Raises ``StoreCorruptError`` where SQLite finds damage, ``StoreError`` where the file is another
    program's or a newer version's.
    """
    with reading(path) as connection:
        if check_header(connection, path, schema):
            check_pages(connection, path)


def check_pages(connection: sqlite3.Connection, path: Path) -> None:
    """Let SQLite look at every page. Raises ``StoreCorruptError``.

    Without it a damaged page may show fewer rows than there are, and nobody would miss them. Indexes are
    held against their rows too, or an event that is offered again would go in twice: with 100,000 events
    it takes 1.4 times as long as ``quick_check``, which leaves that out.
    """
    (verdict,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if verdict != "ok":
        raise StoreCorruptError(f"{path}: damaged: {verdict}; the file was left untouched")


def check_header(connection: sqlite3.Connection, path: Path, schema: Schema) -> bool:
    """Return whether the tables were made. Raises ``StoreError`` where they are not of ``schema``."""
    if is_new(connection):
        return False
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application_id != schema.application_id:
        raise StoreError(f"{path}: expected {schema.what}, got another kind of database")
    if version != schema.version:
        raise StoreError(
            f"{path}: expected version {schema.version} of {schema.what}, got {version}; "
            "another version of edged wrote it"
        )
    return True


def create(connection: sqlite3.Connection, schema: Schema) -> bool:
    """Make the tables of ``schema`` within the caller's transaction; False if they exist."""
    if not is_new(connection):
        return False
    for statement in schema.script:
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {schema.application_id}")
    connection.execute(f"PRAGMA user_version = {schema.version}")
    return True
