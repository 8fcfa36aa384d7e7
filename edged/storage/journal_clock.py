"""The corrections of the clock that a journal holds."""

import sqlite3

from edged.domain.clock_correction import CLOCK_CORRECTED, corrections_of
from edged.domain.types import Event
from edged.errors import StoreCorruptError
from edged.storage import journal_rows
from edged.storage.journal_rows import COLUMNS

# Not part of the first version's tables: a writer adds it to a journal that was made before it, and a
# reader finds the same rows without it, only later.
INDEX = "CREATE INDEX IF NOT EXISTS events_system ON events (seq) WHERE kind = 'system'"
_QUERY = (
    f"SELECT {COLUMNS} FROM events e WHERE kind = 'system' AND instr(body, '{CLOCK_CORRECTED}') ORDER BY seq"  # noqa: S608 - fixed texts
)


def read_corrections(connection: sqlite3.Connection, epoch: str) -> dict[str, float]:
    """Return Unix time less monotonic time by start; damaged rows are passed over. Raises ``FAILURES``."""
    return corrections_of(_events(connection, epoch))


def _events(connection: sqlite3.Connection, epoch: str) -> list[Event]:
    found = []
    for row in connection.execute(_QUERY):
        try:
            found.append(journal_rows.decode(epoch, row).event)
        except StoreCorruptError:
            continue  # ``edged events verify`` names it
    return found
