"""Events and their outbox: one transaction, one writer.

An event is recorded and queued for delivery together or not at all; a delivered one leaves the outbox
and stays in the journal until ``max_rows`` or ``max_megabytes`` makes room for newer ones.
"""

import json
import logging
import sqlite3
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial
from typing import Self

from edged.config.sections import JournalConfig
from edged.domain.clock_correction import corrected
from edged.domain.event_body import standing_punches
from edged.domain.types import Event, EventKind, StoredEvent
from edged.errors import StoreCorruptError, StoreError, StoreFullError
from edged.storage import (
    connections,
    held,
    journal_clock,
    journal_ends,
    journal_recovery,
    journal_rows,
    outbox,
    quarantine,
    remains,
)
from edged.storage.ballast import Ballast
from edged.storage.database import Database
from edged.storage.journal_chain import ChainWriter
from edged.storage.journal_ends import Ends
from edged.storage.journal_recovery import EventMaker, plain_event
from edged.storage.journal_replay import Recorded, recorded
from edged.storage.journal_rows import COLUMNS
from edged.storage.journal_schema import SCHEMA, begin

logger = logging.getLogger(__name__)

# A daemon that was just replaced needs a moment to close its files.
_WRITER_WAIT_SECONDS = 2.0
# One commit for each acknowledged event would triple what is written to the card.
_DELIVERED_BATCH = 50
# Pruning rides on the write of an event, which has 50 ms: a few pages, no more.
_PRUNE_BATCH = 64
_PRUNE_LIMIT = 512
_MAX_REASON = 200
# Of ``max_rows`` and of ``max_megabytes``: so much that is undelivered is kept beyond them, before a write
# counts as failed.
_HELD_SHARE = 10


@dataclass(frozen=True, slots=True)
class OutboxState:
    """What waits for delivery: ``oldest_occurred_at`` is Unix seconds, None when nothing waits."""

    rows: int
    oldest_occurred_at: float | None
    quarantined: int


class Journal:
    """The one writer of the journal, and what the publisher asks of it. All methods are thread-safe."""

    def __init__(
        self, config: JournalConfig, *, deliver: bool = True, make_event: EventMaker = plain_event
    ) -> None:
        self._path = path = config.path
        self._max_rows = config.max_rows
        self._max_bytes = config.max_megabytes * 1_000_000
        self._deliver = deliver
        self._make_event = make_event
        self.recoveries = 0  # damaged files whose events were taken over since the start
        self._lock = threading.Lock()
        self._ballast = Ballast(path)
        self._held_told = False
        self._untold: list[Event] = []
        self._acked: set[int] = set()
        self._flushing = False
        self.epoch = ""
        self._database: Database

    @classmethod
    def open(
        cls,
        config: JournalConfig,
        *,
        deliver: bool = True,
        wait_seconds: float = _WRITER_WAIT_SECONDS,
        make_event: EventMaker = plain_event,
    ) -> Self:
        """Open the journal of ``config``, or make it, and start its writer.

        Another writer is waited for ``wait_seconds``. Without ``deliver`` there is no collector to wait
        for: nothing enters the outbox, and what is in it does not keep the oldest events from making room.

        A damaged file is moved aside and what verifies of it is taken over, under a new epoch;
        ``make_event`` makes the event that tells of it. Raises ``StoreError`` when another process writes
        to it, ``StoreCorruptError`` where it is damaged again and again; the file is then untouched.
        """
        journal = cls(config, deliver=deliver, make_event=make_event)
        journal._open(wait_seconds)
        return journal

    def _open(self, wait_seconds: float, *, distrusted: bool = False) -> None:
        self._database = Database.open(
            self._path, name="journal", schema=SCHEMA, wait_seconds=wait_seconds, idle=self._rest,
            prepare=partial(journal_recovery.prepare, distrusted=distrusted), relieve=self._relieve,
        )  # fmt: skip
        try:
            self.epoch = self._database.submit(begin).result().epoch
            remains.note_epoch(self._path, self.epoch)
            self.recoveries += journal_recovery.salvage_all(
                self._database, self._make_event, max_rows=self._max_rows, deliver=self._deliver
            )
        except BaseException:
            self._database.close()
            raise

    @property
    def damaged(self) -> bool:
        """Whether a write met damage: nothing more can be recorded before ``reopen``."""
        return self._database.damaged

    def check(self) -> None:
        """Raise ``StoreCorruptError`` once a write has met damage, ``StoreError`` once nobody writes."""
        if not self._database.alive:
            raise StoreError(f"{self._path}: its writer has died; the next start brings a new one")
        if self.damaged:
            raise StoreCorruptError(f"{self._path}: damaged while it was written to; the next start mends it")

    def reopen(self) -> None:
        """Close and open the file as at a start, which moves a damaged one aside. Raises ``StoreError``.

        Of the old epoch nothing may be in delivery any more: its numbers would be taken for new ones.
        """
        self._write_delivered()
        self._database.close()
        with self._lock:
            self._acked.clear()
        self._open(_WRITER_WAIT_SECONDS, distrusted=self._database.damaged)

    def submit(self, events: Sequence[Event]) -> Future[tuple[StoredEvent, ...]]:
        """Record ``events`` and queue them for delivery, together or not at all; never blocks.

        The future's result means that they are on the disk. It fails with ``StoreFullError`` when
        there is no space or too many undelivered events wait, else with ``StoreError``. Callbacks
        of the future run in the writer's thread and must be short.
        """
        try:
            rows = [journal_rows.encode(event) for event in events]
        except StoreError as exc:
            refused: Future[tuple[StoredEvent, ...]] = Future()
            refused.set_exception(exc)
            return refused
        return self._database.submit(partial(self._record, rows))

    def pending(self, after_seq: int, limit: int) -> list[StoredEvent]:
        """Return up to ``limit`` undelivered events with a seq above ``after_seq``, oldest first.

        An event that fails its checksum is put into quarantine, never sent. Raises ``StoreError``.
        """
        query = (
            f"SELECT {COLUMNS} FROM outbox o JOIN events e USING (seq) WHERE o.seq > ?"  # noqa: S608 - column names
            " AND o.seq NOT IN (SELECT value FROM json_each(?)) ORDER BY o.seq LIMIT ?"
        )
        acked = self._acked_json()
        with connections.reading(self._path) as connection:
            epoch = journal_ends.ends(connection).epoch
            rows = held.pending(connection, after_seq, acked, limit)
            rows += connection.execute(query, (after_seq, acked, limit - len(rows))).fetchall()
        found = []
        for row in rows:
            try:
                found.append(journal_rows.decode(epoch, row))
            except StoreCorruptError as exc:
                logger.error("event damaged seq=%d", row[0])  # noqa: TRY400 - the row is the fault, not the code
                self.quarantine(row[0], str(exc))
        return found

    def recorded(self, after_seq: int, upto: int | None, limit: int) -> Recorded:
        """Return events from there on, delivered or not; see ``journal_replay``. Raises ``StoreError``."""
        return recorded(self._path, after_seq, upto, limit)

    def delivered(self, seqs: Sequence[int]) -> None:
        """Take events out of the outbox. Written in batches, within about a second.

        A crash before that sends them again: delivery is at least once.
        """
        with self._lock:
            self._acked.update(seqs)
            many = len(self._acked) >= _DELIVERED_BATCH
        if many:
            self._flush()

    def quarantine(self, seq: int, reason: str) -> None:
        """Take an event out of the outbox that cannot be delivered as it is. Raises ``StoreError``.

        It stays in the journal, with the reason beside it, as long as any event; see ``put_back``.
        """

        def work(connection: sqlite3.Connection) -> None:
            if connection.execute("DELETE FROM outbox WHERE seq = ?", (seq,)).rowcount:
                connection.execute("INSERT INTO quarantine VALUES (?, ?)", (seq, reason[:_MAX_REASON]))
            held.set_aside(connection, seq, reason[:_MAX_REASON])

        self._database.submit(work).result()

    def put_back(self, seqs: Sequence[int] | None = None) -> list[int]:
        """Move events, or all, from quarantine to their old place in the outbox; return which, in order.

        Unknown ones are ignored. Raises ``StoreError``.
        """
        return self._database.submit(partial(quarantine.put_back, seqs)).result()

    def put_back_asked(self) -> list[int]:
        """Do what ``storage.quarantine.ask`` left for us, if anything. Raises ``StoreError``."""
        request = quarantine.asked(self._path)
        if request is None:
            return []
        moved = self.put_back(request.seqs)
        quarantine.done(self._path)
        return moved

    def outbox(self) -> OutboxState:
        """Return how much waits. Raises ``StoreError``."""
        acked = self._acked_json()
        waiting = "FROM outbox WHERE seq NOT IN (SELECT value FROM json_each(?))"
        with connections.reading(self._path) as connection:
            connection.execute("BEGIN")
            rows, first = connection.execute(f"SELECT count(*), min(seq) {waiting}", (acked,)).fetchone()
            oldest = connection.execute("SELECT occurred_at FROM events WHERE seq = ?", (first,)).fetchone()
            (quarantined,) = connection.execute("SELECT count(*) FROM quarantine").fetchone()
            held_rows, held_oldest, held_quarantined = held.waiting(connection, acked)
        since = (oldest and oldest[0]) if held_oldest is None else held_oldest
        return OutboxState(rows + held_rows, since, quarantined + held_quarantined)

    def last_attendance(self, since: float) -> list[StoredEvent]:
        """Return everybody's newest punch that stands, made at or after ``since`` (Unix seconds), by seq.

        Of one start of the daemon its monotonic clock says which is newest: an event that could not be
        written at once stands behind newer ones. Damaged rows are passed over. Raises ``StoreError``.
        """
        query = (
            f"SELECT {COLUMNS} FROM events e WHERE kind = 'attendance'"  # noqa: S608 - column names
            f" AND (occurred_at >= :since OR {journal_clock.WRONG}) ORDER BY seq"
        )
        found: list[StoredEvent] = []
        with connections.reading(self._path) as connection:
            corrections = journal_clock.read_corrections(connection, self.epoch)
            values = {"since": since, "stepped": journal_clock.stepped(corrections)}
            for row in connection.execute(query, values):
                try:
                    found.append(corrected(journal_rows.decode(self.epoch, row), corrections))
                except StoreCorruptError:
                    logger.error("event damaged seq=%d", row[0])  # noqa: TRY400 - the row is the fault, not the code
        newest: dict[str | None, StoredEvent] = {}
        for stored in standing_punches(found):
            if stored.happened_at >= since and not _precedes(
                stored.event, newest.get(stored.event.person_id)
            ):
                newest[stored.event.person_id] = stored
        return sorted(newest.values(), key=lambda event: event.seq)

    def close(self) -> None:
        """Write what was submitted and end the writer."""
        self._write_delivered()
        self._database.close()

    def _record(
        self, rows: Sequence[tuple[object, ...]], connection: sqlite3.Connection
    ) -> tuple[StoredEvent, ...]:
        try:
            ends = self._make_room(connection, journal_ends.ends(connection), len(rows))
        except sqlite3.IntegrityError as exc:
            raise StoreCorruptError(
                f"{self._path}: damaged: its tables contradict each other: {exc}"
            ) from exc
        chain = ChainWriter(connection, ends)
        found = tuple(chain.append(covered, waits=self._deliver) for covered in rows)
        chain.finish()
        return found

    def _make_room(self, connection: sqlite3.Connection, ends: Ends, wanted: int) -> Ends:
        """Prune the oldest events if ``wanted`` more would pass a bound; undelivered ones are held."""
        kept = ends.head_seq - ends.anchor_seq
        excess = kept + wanted - self._max_rows
        used = _used_bytes(connection)
        if used > self._max_bytes:
            excess = max(excess, min(kept, _PRUNE_BATCH))
        if excess <= 0:
            return ends
        _leave_outbox(connection, self._acked_json())
        upto = min(ends.head_seq, ends.anchor_seq + min(max(excess, _PRUNE_BATCH), _PRUNE_LIMIT))
        rows = held.hold(connection, upto) if self._deliver else 0
        # As if all rows were of one size; a share of nothing is nothing.
        held_bytes = used * rows // max(1, rows + kept) if used > self._max_bytes else 0
        if rows > max(1, self._max_rows // _HELD_SHARE) or held_bytes > self._max_bytes // _HELD_SHARE:
            raise StoreFullError(
                f"{self._path}: all events that journal.max_rows and journal.max_megabytes allow are kept "
                f"already, and {rows} of the oldest are not delivered yet"
            )
        if rows and not self._held_told:
            self._held_told = True
            logger.warning("undelivered events are older than what the journal keeps events=%d", rows)
            self.submit([self._make_event(EventKind.ALARM, {"type": "events_held", "events": rows})])
        return _prune(connection, ends, upto)

    def _relieve(self) -> bool:
        """Give the disk the ballast's space; in the writer's thread."""
        if not self._ballast.release():
            return False
        logger.error("disk full: ballast released file=%s", self._path.name)
        event = self._make_event(EventKind.ALARM, {"type": "disk_full"})
        # The ballast may be used up before this is written: it is told with the end of it then.
        self.submit([event]).add_done_callback(lambda done: self._left(done, event))
        return True

    def _left(self, done: Future[tuple[StoredEvent, ...]], event: Event) -> None:
        if done.cancelled() or done.exception() is not None:
            self._untold.append(event)

    def _rest(self) -> None:
        """Do what is of low urgency, in the writer's thread."""
        self._flush()
        released = self._ballast.released
        if self._ballast.restore() and released:
            logger.info("disk has space again: ballast restored file=%s", self._path.name)
            untold, self._untold = self._untold, []
            self.submit([*untold, self._make_event(EventKind.ALARM, {"type": "disk_space_back"})])

    def _flush(self) -> None:
        """Write down what was delivered; a failure is tried again when the writer is idle."""
        if not self._flushing:
            self._write_delivered()

    def _write_delivered(self) -> None:
        with self._lock:
            seqs = frozenset(self._acked)
            self._flushing = bool(seqs)
        if seqs:
            text = json.dumps(sorted(seqs))
            future = self._database.submit(lambda connection: _leave_outbox(connection, text))
            future.add_done_callback(lambda done: self._flushed(seqs, done))

    def _flushed(self, seqs: frozenset[int], done: Future[None]) -> None:
        with self._lock:
            self._flushing = False
            if done.exception() is None:
                self._acked -= seqs
        if done.exception() is not None:
            logger.debug("outbox not shortened error=%s", done.exception())

    def _acked_json(self) -> str:
        with self._lock:
            return json.dumps(sorted(self._acked))


def _precedes(event: Event, stored: StoredEvent | None) -> bool:
    """Whether ``event`` happened before the one ``stored``, as far as their clocks can be compared."""
    if stored is None or stored.event.boot_id != event.boot_id:
        return False
    return event.monotonic_at < stored.event.monotonic_at


def _leave_outbox(connection: sqlite3.Connection, seqs: str) -> None:
    outbox.leave(connection, seqs)
    held.leave(connection, seqs)


def _used_bytes(connection: sqlite3.Connection) -> int:
    """Return what rows and indexes take; the file keeps the space of what was pruned, and fills it again."""
    pages, free, size = (
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)


def _prune(connection: sqlite3.Connection, ends: Ends, upto: int) -> Ends:
    """Delete the rows up to ``upto``; return the ends with the digest that the rest is chained to."""
    (anchor,) = connection.execute("SELECT digest FROM events WHERE seq = ?", (upto,)).fetchone()
    connection.execute("DELETE FROM outbox WHERE seq <= ?", (upto,))
    connection.execute("DELETE FROM quarantine WHERE seq <= ?", (upto,))
    connection.execute("DELETE FROM events WHERE seq <= ?", (upto,))
    logger.debug("journal pruned upto=%d", upto)
    return replace(ends, anchor_seq=upto, anchor_digest=anchor)
