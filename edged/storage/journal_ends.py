"""The two ends of the chain: one row, written anew with every event, with a checksum of its own.

A flipped bit in it would have the next event take a number that is taken, for ever, or pass over numbers
that nobody has. So it is believed only with its checksum, and at a start it is held against the events that
are there: what it says of both ends follows from the oldest and the newest of them.
"""

import hashlib
import json
import logging
import secrets
import sqlite3
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edged.errors import StoreCorruptError
from edged.storage import journal_rows
from edged.storage.journal_rows import COLUMNS

logger = logging.getLogger(__name__)

TABLE = """CREATE TABLE journal (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    epoch TEXT NOT NULL,
    head_seq INTEGER NOT NULL,
    head_digest BLOB NOT NULL,
    anchor_seq INTEGER NOT NULL,
    anchor_digest BLOB NOT NULL,
    checksum INTEGER
) STRICT"""
COLUMN_COUNTS = (6, 7)  # before there was a checksum, and since
_NEW_COLUMN = "ALTER TABLE journal ADD COLUMN checksum INTEGER"
_TYPES = (str, int, bytes, int, bytes)


@dataclass(frozen=True, slots=True)
class Ends:
    """The two ends of the chain: ``anchor`` is before the oldest row kept, ``head`` is the newest row."""

    epoch: str
    head_seq: int
    head_digest: bytes
    anchor_seq: int
    anchor_digest: bytes


@dataclass(frozen=True, slots=True)
class EndsRow:
    """What the row says; ``intact`` is whether its checksum says so too, None where it has none."""

    ends: Ends
    intact: bool | None


def genesis(epoch: str) -> bytes:
    """Return the digest that the first row of a database is chained to."""
    return hashlib.sha256(f"edged journal {epoch}".encode("utf-8", "surrogateescape")).digest()


def parse(columns: Sequence[Any]) -> EndsRow | None:
    """Return what the row of these columns, the id first, says; None where it is not legible."""
    # A flipped bit in a record's header changes types, whatever the table says.
    if len(columns) not in COLUMN_COUNTS or tuple(map(type, columns[1:6])) != _TYPES:
        return None
    ends = Ends(*columns[1:6])
    told = columns[6] if len(columns) > COLUMN_COUNTS[0] else None
    return EndsRow(ends, None if told is None else told == _checksum(ends))


def read_row(connection: sqlite3.Connection) -> EndsRow | None:
    """Return the row, or None where it is missing or illegible."""
    columns = connection.execute("SELECT * FROM journal").fetchone()
    return None if columns is None else parse(columns)


def read_ends(connection: sqlite3.Connection) -> Ends | None:
    """Return the ends of the chain, believed or not; None where their row is missing or illegible."""
    row = read_row(connection)
    return None if row is None else row.ends


def ends(connection: sqlite3.Connection) -> Ends:
    """Return the ends of the chain.

    Raises ``StoreCorruptError`` where they are missing, illegible or not what was written.
    """
    row = read_row(connection)
    if row is None:
        raise StoreCorruptError("the journal is damaged: the anchor of the chain is missing")
    if row.intact is False:
        raise StoreCorruptError("the journal is damaged: the record of both ends of the chain was altered")
    return row.ends


def write(connection: sqlite3.Connection, ends: Ends) -> None:
    """Note the ends of the chain."""
    query = (
        "UPDATE journal SET epoch = ?, head_seq = ?, head_digest = ?, anchor_seq = ?, anchor_digest = ?,"
        " checksum = ?"
    )
    connection.execute(query, (*_values(ends), _checksum(ends)))


def begin(connection: sqlite3.Connection) -> Ends:
    """Return the ends of a journal that was looked at, or of a new one; an older file gets its checksum."""
    row = read_row(connection)
    if not any(column[1] == "checksum" for column in connection.execute("PRAGMA table_info(journal)")):
        connection.execute(_NEW_COLUMN)
    if row is None:
        epoch = secrets.token_hex(8)
        ends = Ends(epoch, 0, genesis(epoch), 0, genesis(epoch))
        query = "INSERT INTO journal VALUES (1, ?, ?, ?, ?, ?, ?)"
        connection.execute(query, (*_values(ends), _checksum(ends)))
        return ends
    if not row.intact:
        if row.intact is False:
            # All the rest was found to be right: ``contradiction``.
            logger.warning("journal: the checksum of the ends of the chain was damaged, written anew")
        write(connection, row.ends)
    return row.ends


def contradiction(connection: sqlite3.Connection) -> str | None:
    """Return in what the row contradicts the events that are there; None where it does not.

    Whether the epoch is right is seen by the events' checksums, which cover it.
    """
    row = read_row(connection)
    if row is None:
        return "the anchor of the chain is missing"
    ends = row.ends
    if ends.anchor_seq == 0 and ends.anchor_digest != genesis(ends.epoch):
        return "the anchor of the chain is not that of its epoch"
    query = "SELECT (SELECT min(seq) FROM events), (SELECT max(seq) FROM events)"
    oldest, newest = connection.execute(query).fetchone()
    if oldest is None:
        return _contradiction_of_nothing(row)
    if (oldest, newest) != (ends.anchor_seq + 1, ends.head_seq):
        said = f"{ends.anchor_seq + 1} to {ends.head_seq}"
        return f"it says that events {said} are there, there are {oldest} to {newest}"
    if _row(connection, newest)[11] != ends.head_digest:
        return f"the digest of its newest event {newest} is another one"
    follows = row.intact or _follows(ends, _row(connection, oldest))
    return None if follows else f"its oldest event {oldest} does not follow on what it says was before"


def _contradiction_of_nothing(row: EndsRow) -> str | None:
    """Hold the row against a chain of which everything was pruned, or that never had anything."""
    ends = row.ends
    empty = (ends.head_seq, ends.head_digest) == (ends.anchor_seq, ends.anchor_digest)
    if empty and (row.intact is not False or ends.anchor_seq == 0):
        return None
    return f"it says that events up to {ends.head_seq} are there, there is none"


def _follows(ends: Ends, row: Sequence[Any]) -> bool:
    covered = journal_rows.covered_columns(row)
    if journal_rows.checksum(ends.epoch, row[0], covered) != row[10]:
        return True  # it is the event that is damaged: it says nothing about the row
    return bool(journal_rows.digest(ends.anchor_digest, ends.epoch, row[0], covered) == row[11])


def _row(connection: sqlite3.Connection, seq: int) -> Sequence[Any]:
    query = f"SELECT {COLUMNS} FROM events e WHERE seq = ?"  # noqa: S608 - column names
    found: Sequence[Any] = connection.execute(query, (seq,)).fetchone()
    return found


def _values(ends: Ends) -> tuple[str, int, bytes, int, bytes]:
    return ends.epoch, ends.head_seq, ends.head_digest, ends.anchor_seq, ends.anchor_digest


def _checksum(ends: Ends) -> int:
    digests = ends.head_digest.hex(), ends.anchor_digest.hex()
    text = json.dumps([ends.epoch, ends.head_seq, ends.anchor_seq, *digests], separators=(",", ":"))
    return zlib.crc32(text.encode("ascii"))
