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


def begin(connection: sqlite3.Connection) -> Ends:
    """Give a journal that was looked at, or was just made, all that this version keeps; return its ends."""
    connection.execute(journal_clock.INDEX)
    connection.execute(held.TABLE)
    outbox.begin(connection)
    return journal_ends.begin(connection)
