"""What a journal knows of its clocks: the corrections it holds, and which starts wait for one."""

import json
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from edged.domain.clock_correction import CLOCK_CORRECTED, Correction, Corrections, corrections_of
from edged.domain.types import Event
from edged.errors import StoreCorruptError
from edged.storage import connections, journal_rows
from edged.storage.journal_rows import COLUMNS

# Not part of the first version's tables: a writer adds it to a journal that was made before it, and a
# reader finds the same rows without it, only later.
INDEX = "CREATE INDEX IF NOT EXISTS events_system ON events (seq) WHERE kind = 'system'"
# Rows whose time is not what their column says, beside those that the kernel did not vouch for.
WRONG = "time_synced = 0 OR boot_id IN (SELECT value FROM json_each(:stepped))"
_QUERY = (
    f"SELECT {COLUMNS} FROM events e WHERE kind = 'system' AND instr(body, '{CLOCK_CORRECTED}') ORDER BY seq"  # noqa: S608 - fixed texts
)


@dataclass(frozen=True, slots=True)
class Boots:
    """The starts that recorded something, each with its newest event of a time not vouched for, 0: none."""

    newest_seq: int
    unsynced: dict[str, int]


def boots(path: Path, after_seq: int, most_rows: int) -> Boots:
    """Look at the newest ``most_rows`` events above ``after_seq``. Raises ``StoreError``."""
    query = (
        "SELECT boot_id, max(seq * (time_synced = 0)), max(seq) FROM (SELECT boot_id, seq, time_synced"
        " FROM events WHERE seq > ? ORDER BY seq DESC LIMIT ?) GROUP BY boot_id"
    )
    with connections.reading(path) as connection:
        rows = connection.execute(query, (after_seq, most_rows)).fetchall()
    newest = max((int(seq) for _, _, seq in rows), default=after_seq)
    return Boots(newest, {str(boot): int(unsynced) for boot, unsynced, _ in rows})


def read_corrections(connection: sqlite3.Connection, epoch: str) -> dict[str, list[Correction]]:
    """Return the corrections by start; damaged rows are passed over. Raises ``FAILURES``."""
    return corrections_of(_events(connection, epoch))


def stepped(corrections: Corrections) -> str:
    """Return the starts of which even times that the kernel vouched for are wrong, as ``WRONG`` wants it."""
    return json.dumps(
        [boot for boot, found in corrections.items() if any(one.synced_from is not None for one in found)]
    )


def _events(connection: sqlite3.Connection, epoch: str) -> list[Event]:
    found = []
    for row in connection.execute(_QUERY):
        try:
            found.append(journal_rows.decode(epoch, row).event)
        except StoreCorruptError:
            continue  # ``edged events verify`` names it
    return found
