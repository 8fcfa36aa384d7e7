"""The writing end of the chain: appends rows within a transaction of the writer."""

import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from edged.domain.types import StoredEvent
from edged.errors import StoreCorruptError
from edged.storage import journal_ends, journal_rows, outbox
from edged.storage.journal_ends import Ends

# An event's id that is taken is another matter: then the event was recorded before.
_NUMBER_TAKEN = (sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_ROWID)
_INSERT = "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


class ChainWriter:
    """Appends behind ``ends``; nothing counts before ``finish``."""

    def __init__(self, connection: sqlite3.Connection, ends: Ends) -> None:
        self._connection = connection
        self._ends = ends
        self._epoch = ends.epoch
        self._seq, self._last = ends.head_seq, ends.head_digest

    def append(self, covered: Sequence[Any], *, waits: bool, quarantined: str | None = None) -> StoredEvent:
        """Add one row of covered columns (see ``journal_rows``); ``waits`` puts it into the outbox."""
        self._add(covered, waits=waits, quarantined=quarantined)
        return journal_rows.stored(self._epoch, self._seq, covered, self._last)

    def append_new(self, covered: Sequence[Any], *, waits: bool, quarantined: str | None = None) -> None:
        """Add a row unless its event is here already; its content is not understood, only kept."""
        query = "SELECT 1 FROM events WHERE event_id = ?"
        if self._connection.execute(query, (covered[0],)).fetchone() is None:
            self._add(covered, waits=waits, quarantined=quarantined)

    def _add(self, covered: Sequence[Any], *, waits: bool, quarantined: str | None) -> None:
        self._seq += 1
        self._last = journal_rows.digest(self._last, self._epoch, self._seq, covered)
        crc = journal_rows.checksum(self._epoch, self._seq, covered)
        try:
            self._connection.execute(_INSERT, (self._seq, *covered, crc, self._last))
            if quarantined is not None:
                self._connection.execute("INSERT INTO quarantine VALUES (?, ?)", (self._seq, quarantined))
            elif waits:
                outbox.put(self._connection, self._seq)
        except sqlite3.IntegrityError as exc:
            if exc.sqlite_errorcode not in _NUMBER_TAKEN:
                raise
            # No caller chose the number: a table has a row beyond the end that the journal says it has.
            raise StoreCorruptError(
                f"the journal is damaged: the number of its next event, {self._seq}, is taken: {exc}"
            ) from exc

    def finish(self) -> None:
        """Note the ends of the chain, the head of which is a new one."""
        journal_ends.write(self._connection, replace(self._ends, head_seq=self._seq, head_digest=self._last))
