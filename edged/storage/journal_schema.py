"""The tables of a journal, and what a file of an earlier version gets at its next start."""

import sqlite3

from edged.storage import held, journal_clock, journal_ends, outbox
from edged.storage.connections import Schema
from edged.storage.journal_ends import Ends
from edged.storage.journal_rows import EVENT_COLUMNS

SCHEMA = Schema(
    what="a journal of events",
    application_id=int.from_bytes(b"edJL"),
    version=1,
    script=(
        journal_ends.TABLE,
        f"CREATE TABLE events ({EVENT_COLUMNS}) STRICT",
        "CREATE INDEX events_attendance ON events (occurred_at) WHERE kind = 'attendance'",
        outbox.TABLE,
        "CREATE TABLE quarantine (seq INTEGER PRIMARY KEY, reason TEXT NOT NULL) STRICT",
    ),
)

_TABLES = ("journal", "events", "outbox", "quarantine", "held")
# A file that no writer of this version has opened yet lacks it.
_WITH_A_LATE_COLUMN = ("journal", "outbox")


def altered(connection: sqlite3.Connection) -> str | None:
    """Name a table whose columns are not those that were made, None where all are.

    A flipped bit in what SQLite keeps as text is a column of another name, and no damage to SQLite.
    """
    made = _columns()
    for table, expected in made.items():
        found = _columns_of(connection, table)
        if table == "held" and not found:
            continue  # of an earlier version
        least = len(expected) - (table in _WITH_A_LATE_COLUMN)
        if not least <= len(found) <= len(expected) or found != expected[: len(found)]:
            return table
    return None


def _columns() -> dict[str, list[tuple[object, ...]]]:
    connection = sqlite3.connect(":memory:")
    try:
        for statement in (*SCHEMA.script, held.TABLE):
            connection.execute(statement)
        return {table: _columns_of(connection, table) for table in _TABLES}
    finally:
        connection.close()


def _columns_of(connection: sqlite3.Connection, table: str) -> list[tuple[object, ...]]:
    """Return name, type, whether it may be null, and place in the key of each column; none without it."""
    query = 'SELECT name, type, "notnull", pk FROM pragma_table_info(?)'
    return connection.execute(query, (table,)).fetchall()


def begin(connection: sqlite3.Connection) -> Ends:
    """Give a journal that was looked at, or was just made, all that this version keeps; return its ends."""
    connection.execute(journal_clock.INDEX)
    connection.execute(held.TABLE)
    outbox.begin(connection)
    return journal_ends.begin(connection)
