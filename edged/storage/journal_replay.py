"""Events of the journal in order, delivered or not: what a collector asks for again."""

from dataclasses import dataclass
from pathlib import Path

from edged.domain.types import StoredEvent
from edged.errors import StoreCorruptError
from edged.storage import connections, held, journal_ends, journal_rows
from edged.storage.journal_rows import COLUMNS


@dataclass(frozen=True, slots=True)
class Recorded:
    """The events that the journal holds above one number, up to ``upto``, which was looked at.

    ``damaged`` of them fail their checksum and are left out; ``gone`` numbers are held no more. Without a gap
    the journal holds ``oldest`` to ``newest``.
    """

    epoch: str
    oldest: int
    newest: int
    upto: int
    events: tuple[StoredEvent, ...]
    damaged: int
    gone: int


def recorded(path: Path, after_seq: int, upto: int | None, limit: int) -> Recorded:
    """Return up to ``limit`` events above ``after_seq``, up to ``upto`` or the newest.

    Raises ``StoreError``.
    """
    query = f"SELECT {COLUMNS} FROM events e WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?"  # noqa: S608 - column names
    with connections.reading(path) as connection:
        connection.execute("BEGIN")  # pruning moves rows from one table to the other
        ends = journal_ends.ends(connection)
        last = ends.head_seq if upto is None else min(upto, ends.head_seq)
        rows = held.between(connection, after_seq, last, limit)
        if len(rows) < limit:
            rows += connection.execute(query, (after_seq, last, limit - len(rows))).fetchall()
    reached = rows[-1][0] if len(rows) == limit else max(after_seq, last)
    events = []
    for row in rows:
        try:
            events.append(journal_rows.decode(ends.epoch, row))
        except StoreCorruptError:
            continue  # ``edged events verify`` names it
    return Recorded(
        ends.epoch, ends.anchor_seq + 1, ends.head_seq, reached, tuple(events),
        damaged=len(rows) - len(events), gone=reached - after_seq - len(rows),
    )  # fmt: skip
