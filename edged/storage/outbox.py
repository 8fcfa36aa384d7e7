"""Which events wait for delivery: the number of each, and the same number again with every bit turned.

One flipped bit would have one event never sent, and another sent in its place. With both numbers it shows,
and either may be the right one: both events are sent then, since one that was sent before is known to the
collector by its id, and one that was not is known to nobody.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

TABLE = "CREATE TABLE outbox (seq INTEGER PRIMARY KEY REFERENCES events (seq), turned INTEGER) STRICT"
_OLD_COLUMNS = 1  # as before there was the second number


def begin(connection: sqlite3.Connection) -> None:
    """Give a table of an earlier version, which was looked at, the second number."""
    if not _has_second(connection):
        connection.execute("ALTER TABLE outbox ADD COLUMN turned INTEGER")
        connection.execute("UPDATE outbox SET turned = ~seq")


def put(connection: sqlite3.Connection, seq: int) -> None:
    """Let an event wait. Raises ``sqlite3.IntegrityError`` where it does already, or there is none."""
    connection.execute("INSERT INTO outbox VALUES (?, ?)", (seq, ~seq))


def put_back(connection: sqlite3.Connection, seqs: Iterable[int]) -> None:
    """Let events wait that may do so already."""
    connection.executemany("INSERT OR IGNORE INTO outbox VALUES (?, ?)", ((seq, ~seq) for seq in seqs))


def leave(connection: sqlite3.Connection, seqs: str) -> None:
    """Forget delivered events; ``seqs`` is a JSON list."""
    connection.execute("DELETE FROM outbox WHERE seq IN (SELECT value FROM json_each(?))", (seqs,))


def altered(connection: sqlite3.Connection, anchor: int, head: int, limit: int) -> list[int]:
    """Return up to ``limit`` numbers that are not the ones that were written, ascending.

    Nothing that waits is outside of the events kept: above seq ``anchor``, up to ``head``.
    """
    second = "turned IS NOT ~seq OR " if _has_second(connection) else ""
    query = f"SELECT seq FROM outbox WHERE {second}seq <= ? OR seq > ? ORDER BY seq LIMIT ?"  # noqa: S608 - fixed texts
    return [int(seq) for (seq,) in connection.execute(query, (anchor, head, limit))]


def told(seq: int, columns: Sequence[Any]) -> tuple[int, ...] | None:
    """Return which events the row of these columns, at ``seq``, may mean; None where nobody can tell.

    One of an earlier version says a single number, and whether that is right cannot be seen in the row.
    """
    if is_old(columns):
        return (seq,)
    if len(columns) != _OLD_COLUMNS + 1 or type(columns[1]) is not int:
        return None
    return (seq,) if columns[1] == ~seq else (seq, ~columns[1])


def is_old(columns: Sequence[Any]) -> bool:
    """Whether a row of these columns is of an earlier version."""
    return len(columns) == _OLD_COLUMNS


def _has_second(connection: sqlite3.Connection) -> bool:
    return any(column[1] == "turned" for column in connection.execute("PRAGMA table_info(outbox)"))
