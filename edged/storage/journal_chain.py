"""The writing end of the chain: appends rows within a transaction of the writer."""

import sqlite3
from collections.abc import Sequence
from typing import Any

from edged.domain.types import StoredEvent
from edged.storage import journal_rows
from edged.storage.journal_rows import Ends

_INSERT = "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


class ChainWriter:
    """Appends behind ``ends``; nothing counts before ``finish``."""

    def __init__(self, connection: sqlite3.Connection, ends: Ends) -> None:
        self._connection = connection
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
        self._connection.execute(_INSERT, (self._seq, *covered, crc, self._last))
        if quarantined is not None:
            self._connection.execute("INSERT INTO quarantine VALUES (?, ?)", (self._seq, quarantined))
        elif waits:
            self._connection.execute("INSERT INTO outbox VALUES (?)", (self._seq,))

    def finish(self) -> None:
        """Note the new head of the chain."""
        self._connection.execute("UPDATE journal SET head_seq = ?, head_digest = ?", (self._seq, self._last))
