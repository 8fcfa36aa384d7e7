"""From a damaged journal to one that works: moved aside, a new epoch, what verifies taken over.

A journal is looked at before anybody writes to it: SQLite's own check, the ends of the chain, the
checksums of the newest rows, and the outbox, since SQLite does not see a flipped bit in a row. What was
taken over, left and lost is an event of its own, ``storage_recovered``.
"""

import logging
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from ulid import ULID

from edged.domain.types import Event, EventKind
from edged.errors import StoreCorruptError, StoreError
from edged.storage import connections, journal_ends, journal_rows, journal_schema, outbox, remains
from edged.storage.connections import Schema
from edged.storage.database import Database
from edged.storage.files import create_private_file, is_there
from edged.storage.journal_chain import ChainWriter
from edged.storage.journal_rows import COLUMNS
from edged.storage.remains import Remains
from edged.storage.salvage import Salvage, SalvagedRow

logger = logging.getLogger(__name__)

EventMaker = Callable[[EventKind, Mapping[str, Any]], Event]

# Two months of a busy door, some 30 us a row on a desktop and three times that on a small board: the
# door must be back within ten seconds. What is older stays readable where the file was moved to.
NEWEST_ROWS = 50_000
_BATCH_ROWS = 1000
# Some 10 us a row. A flipped bit in an older row is found by ``edged events verify``.
_INSPECTED_ROWS = 20_000


@dataclass(frozen=True, slots=True)
class Recovered:
    """What came of a salvage: rows taken over, left in the old file, and lost (None: nobody knows)."""

    salvaged: int
    left: int
    lost: int | None


def plain_event(kind: EventKind, body: Mapping[str, Any]) -> Event:
    """Return an event of a process that is no daemon: its clock is not known to be right."""
    return Event(str(ULID()), kind, time.time(), time.monotonic(), "no-daemon", time_synced=False, body=body)


def prepare(path: Path, schema: Schema, *, distrusted: bool = False) -> None:
    """Leave a journal at ``path`` that may be written to, or an empty file; under the writer's lock.

    One that is damaged, or gone while its traces are there, is moved aside; ``distrusted``: whatever the
    checks say, since they found nothing in what then stopped a write. Raises ``StoreError``.
    """
    try:
        _inspect(path, schema, distrusted=distrusted)
    except StoreCorruptError as exc:
        logger.error("journal damaged, moved aside error=%s", exc)  # noqa: TRY400 - the card is the fault
        remains.move_aside(path, str(exc))
        create_private_file(path)


def salvage_all(database: Database, make_event: EventMaker, *, max_rows: int, deliver: bool) -> int:
    """Take over what verifies of every journal that was moved aside; return of how many.

    One that cannot be finished now is tried at the next start; its events stay where they are.
    """
    done = 0
    for found in remains.unfinished(database.path):
        try:
            recovered = _salvage(database, found, make_event, min(max_rows, NEWEST_ROWS), deliver=deliver)
            found.finish()
        except StoreError as exc:
            logger.error("journal not salvaged, tried again at the next start error=%s", exc)  # noqa: TRY400
            _tell(database, found, make_event, {"type": "storage_damaged"}, deliver=deliver)
            continue
        done += 1
        logger.warning(
            "journal recovered salvaged=%d left=%d lost=%s file=%s",
            recovered.salvaged, recovered.left, recovered.lost, found.label,
        )  # fmt: skip
    return done


def _salvage(
    database: Database, found: Remains, make_event: EventMaker, newest: int, *, deliver: bool
) -> Recovered:
    salvaged = held = 0
    with Salvage(found) as salvage:
        rows = salvage.rows(newest)
        while batch := list(islice(rows, _BATCH_ROWS)):
            database.submit(_taking_over(batch, deliver=deliver)).result()
            salvaged += len(batch)
            held += sum(row.held for row in batch)
        left = salvage.left
        lost = None if salvage.events is None else max(0, salvage.events - left - (salvaged - held))
        body = {
            "type": "storage_recovered",
            "epoch_before": salvage.epoch,
            "salvaged": salvaged,
            "left": left,
            "lost": lost,
            "outbox_known": salvage.outbox_known,
        }
    _tell(database, found, make_event, body, deliver=deliver).result()
    return Recovered(salvaged, left, lost)


def _taking_over(batch: Sequence[SalvagedRow], *, deliver: bool) -> Callable[[sqlite3.Connection], None]:
    def work(connection: sqlite3.Connection) -> None:
        chain = ChainWriter(connection, journal_ends.ends(connection))
        for row in batch:
            chain.append_new(row.covered, waits=row.waits and deliver, quarantined=row.quarantined)
        chain.finish()

    return work


def _tell(
    database: Database, found: Remains, make_event: EventMaker, body: Mapping[str, Any], *, deliver: bool
) -> "Any":
    event_id = found.recovered_id if body["type"] == "storage_recovered" else found.damaged_id
    event = make_event(EventKind.SYSTEM, {**body, "reason": found.reason, "file": found.label})
    covered = (event_id, *journal_rows.encode(event)[1:])

    def work(connection: sqlite3.Connection) -> None:
        chain = ChainWriter(connection, journal_ends.ends(connection))
        chain.append_new(covered, waits=deliver)
        chain.finish()

    return database.submit(work)


def _inspect(path: Path, schema: Schema, *, distrusted: bool) -> None:
    """Raise ``StoreCorruptError`` where ``path`` may not be written to; make an empty file of nothing."""
    if not is_there(path):
        if remains.traces(path):
            raise StoreCorruptError(f"{path}: damaged: the file is gone")
        create_private_file(path)
        return
    connections.roll_back(path)
    connections.check(path, schema)
    if distrusted:
        raise StoreCorruptError(f"{path}: damaged: a write failed")
    with connections.reading(path) as connection:
        if not connections.check_header(connection, path, schema):
            if remains.noted_epoch(path) is not None:
                raise StoreCorruptError(f"{path}: damaged: the file is empty")
            return
        if (table := journal_schema.altered(connection)) is not None:
            raise StoreCorruptError(f"{path}: damaged: the columns of the table {table} were altered")
        _check_ends(path, connection)
        _check_rows(path, connection)
        _check_outbox(path, connection)


def _check_ends(path: Path, connection: sqlite3.Connection) -> None:
    if journal_ends.read_ends(connection) is not None:
        wrong = journal_ends.contradiction(connection)
        if wrong is not None:
            raise StoreCorruptError(f"{path}: damaged: the record of both ends of the chain: {wrong}")
        return
    (rows,) = connection.execute("SELECT count(*) FROM events").fetchone()
    (ends,) = connection.execute("SELECT count(*) FROM journal").fetchone()
    if rows or ends or remains.noted_epoch(path) is not None:
        raise StoreCorruptError(f"{path}: damaged: the anchor of the chain is missing")


def _check_rows(path: Path, connection: sqlite3.Connection) -> None:
    ends = journal_ends.read_ends(connection)
    if ends is None:
        return
    query = f"SELECT {COLUMNS} FROM events e ORDER BY seq DESC LIMIT {_INSPECTED_ROWS}"  # noqa: S608 - column names
    bad = list(islice(_failing(ends.epoch, connection.execute(query)), 3))
    if bad:
        numbers = ", ".join(map(str, bad))
        raise StoreCorruptError(f"{path}: damaged: event numbers failing their checksum: {numbers}")


def _check_outbox(path: Path, connection: sqlite3.Connection) -> None:
    ends = journal_ends.read_ends(connection)
    if ends is not None and (found := outbox.altered(connection, ends.anchor_seq, ends.head_seq, 3)):
        numbers = ", ".join(map(str, found))
        raise StoreCorruptError(f"{path}: damaged: numbers of the outbox that were altered: {numbers}")


def _failing(epoch: str, rows: Iterator[Sequence[Any]]) -> Iterator[int]:
    for row in rows:
        if journal_rows.checksum(epoch, row[0], journal_rows.covered_columns(row)) != row[10]:
            yield row[0]
