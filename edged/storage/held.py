"""Undelivered events that pruning has reached: kept whole, beside the chain, until they are delivered.

Without it one event that no broker takes would keep the oldest row of the journal for ever, and a journal
that cannot make room denies everybody. ``reason`` is set while such an event is in quarantine.
"""

import sqlite3
from typing import Any

from edged.storage.journal_rows import COLUMNS, EVENT_COLUMNS

TABLE = f"CREATE TABLE IF NOT EXISTS held ({EVENT_COLUMNS}, reason TEXT) STRICT"


def hold(connection: sqlite3.Connection, upto: int) -> int:
    """Copy the events of the outbox up to seq ``upto``, which will be pruned; return how many are held."""
    query = f"INSERT INTO held SELECT {COLUMNS}, NULL FROM events e JOIN outbox o USING (seq) WHERE seq <= ?"  # noqa: S608 - column names
    connection.execute(query, (upto,))
    return int(connection.execute("SELECT count(*) FROM held").fetchone()[0])


def pending(connection: sqlite3.Connection, after_seq: int, acked: str, limit: int) -> list[Any]:
    """Return rows of ``COLUMNS`` that wait, by seq; ``acked`` is a JSON list of seqs to leave out."""
    query = (
        f"SELECT {COLUMNS} FROM held e WHERE reason IS NULL AND seq > ?"  # noqa: S608 - column names
        " AND seq NOT IN (SELECT value FROM json_each(?)) ORDER BY seq LIMIT ?"
    )
    return connection.execute(query, (after_seq, acked, limit)).fetchall()


def between(connection: sqlite3.Connection, after_seq: int, upto: int, limit: int) -> list[Any]:
    """Return rows of ``COLUMNS`` above ``after_seq`` up to ``upto``, by seq; those in quarantine too."""
    query = f"SELECT {COLUMNS} FROM held e WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?"  # noqa: S608 - column names
    return connection.execute(query, (after_seq, upto, limit)).fetchall()


def waiting(connection: sqlite3.Connection, acked: str) -> tuple[int, float | None, int]:
    """Return how many wait, since when (Unix seconds), and how many are in quarantine."""
    query = (
        "SELECT count(*) FILTER (WHERE reason IS NULL), count(*) FILTER (WHERE reason IS NOT NULL)"
        " FROM held WHERE seq NOT IN (SELECT value FROM json_each(?))"
    )
    rows, quarantined = connection.execute(query, (acked,)).fetchone()
    oldest = pending(connection, 0, acked, 1)
    return int(rows), oldest[0][3] if oldest else None, int(quarantined)


def leave(connection: sqlite3.Connection, seqs: str) -> None:
    """Forget delivered events; ``seqs`` is a JSON list."""
    connection.execute(
        "DELETE FROM held WHERE reason IS NULL AND seq IN (SELECT value FROM json_each(?))", (seqs,)
    )


def set_aside(connection: sqlite3.Connection, seq: int, reason: str) -> None:
    """Put a held event into quarantine."""
    connection.execute("UPDATE held SET reason = ? WHERE seq = ? AND reason IS NULL", (reason, seq))


def put_back(connection: sqlite3.Connection, seqs: str | None) -> list[int]:
    """Let events of the quarantine wait again; ``seqs`` is a JSON list, None: all. Return which."""
    chosen = "" if seqs is None else " AND seq IN (SELECT value FROM json_each(?))"
    values = () if seqs is None else (seqs,)
    query = f"SELECT seq FROM held WHERE reason IS NOT NULL{chosen} ORDER BY seq"  # noqa: S608 - fixed texts
    moved = [int(seq) for (seq,) in connection.execute(query, values)]
    connection.executemany("UPDATE held SET reason = NULL WHERE seq = ?", ((seq,) for seq in moved))
    return moved
