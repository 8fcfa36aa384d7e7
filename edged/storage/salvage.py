"""Which events of a damaged journal still verify, and which of them wait for delivery.

Rows are read from the pages themselves (see ``pages``), so neither a broken tree nor a missing header
hides them, and each is believed only if its own checksum says so. A row that is taken over keeps its
event id, times and body; it gets a new place in the chain of a new epoch.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from types import TracebackType
from typing import Any, Self

from edged.domain.types import StoredEvent
from edged.storage import journal_ends, journal_rows, outbox
from edged.storage.journal_schema import SCHEMA
from edged.storage.pages import PageFile, Value
from edged.storage.remains import Remains

_EVENT_COLUMNS = 12
_HELD_COLUMNS = 13  # an event, and why it is in quarantine; see ``held``
_SCHEMA_COLUMNS = 5
# Enough to know what kind of rows a page holds where some of them are hurt.
_SAMPLE = 4


@dataclass(frozen=True, slots=True)
class SalvagedRow:
    """One event that verifies, at its old ``seq``; see ``journal_rows`` for ``covered``.

    ``waits``: it was not delivered yet, or that cannot be known. ``quarantined``: why it was put aside.
    ``held``: it was pruned already and kept for its delivery alone.
    """

    epoch: str
    seq: int
    covered: Sequence[Any]
    digest: bytes
    waits: bool
    quarantined: str | None
    held: bool = False

    def stored(self) -> StoredEvent:
        """Return the event as it stood in the damaged journal."""
        return journal_rows.stored(self.epoch, self.seq, self.covered, self.digest)


class Salvage:
    """An open look at a damaged journal. Raises ``StoreError`` where its files cannot be read at all.

    ``events``: how many rows the journal said that it had, None where it no longer says so.
    ``outbox_known``: whether it can be told which events wait; otherwise all are taken to. ``left``: rows
    that ``rows`` has passed over as too old, whether they verify or not.
    """

    def __init__(self, remains: Remains) -> None:
        self._file = PageFile(remains.main, remains.wal)
        self.events: int | None = None
        self.left = 0
        self._epochs: list[str] = []
        self._doubtful: list[str] = []
        # Pages with events: (the seq of one of them, page, rows), by seq.
        self._leaves: list[tuple[int, int, int]] = []
        self._held: list[int] = []
        self._roots = _usual_roots()
        try:
            self._index()
            if remains.epoch is not None and remains.epoch not in self._epochs:
                self._epochs.append(remains.epoch)
            self._epochs += self._doubtful
            self._waiting = self._outbox()
            self._quarantined = self._reasons()
        except BaseException:
            self._file.__exit__(None, None, None)
            raise
        self.outbox_known = self._waiting is not None and self._quarantined is not None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.__exit__(kind, value, trace)

    @property
    def epoch(self) -> str | None:
        """The epoch of its rows as far as it is known."""
        return self._epochs[0] if self._epochs else None

    def rows(self, newest: int | None = None) -> Iterator[SalvagedRow]:
        """Yield every event that verifies, in the order of seq; with ``newest`` about that many.

        Older ones that wait for delivery or are in quarantine are yielded all the same.
        """
        start = 0 if newest is None else self._start_of(newest)
        owed = self._owed()
        for page in self._held:
            yield from self._page(page)
        for _, page, count in self._leaves[:start]:
            mine = sum(rowid in owed for rowid, _, _ in self._file.leaf_cells(page)) if owed else 0
            self.left += count - mine
            if mine:
                yield from (row for row in self._page(page) if row.seq in owed)
        for _, page, _ in self._leaves[start:]:
            yield from self._page(page)

    def _start_of(self, newest: int) -> int:
        """Return the index of the first leaf of the newest rows."""
        index = len(self._leaves)
        while index and newest > 0:
            index -= 1
            newest -= self._leaves[index][2]
        return index

    def _owed(self) -> frozenset[int]:
        """Return the seqs that are in outbox or quarantine; none where that is not known."""
        if self._waiting is None or self._quarantined is None:
            return frozenset()
        return self._waiting | self._quarantined.keys()

    def _page(self, page: int) -> Iterator[SalvagedRow]:
        for seq, size, at in self._file.leaf_cells(page):
            columns = self._file.record(page, size, at)
            row = None if columns is None else self._verified(seq, columns)
            if row is not None:
                yield row

    def _verified(self, seq: int, columns: tuple[Value, ...]) -> SalvagedRow | None:
        if len(columns) not in (_EVENT_COLUMNS, _HELD_COLUMNS) or not isinstance(columns[11], bytes):
            return None
        held = len(columns) == _HELD_COLUMNS
        covered = list(journal_rows.covered_columns(columns))
        # SQLite keeps a whole number of a REAL column as an integer.
        covered[2:4] = [float(time) if isinstance(time, int) else time for time in covered[2:4]]
        for epoch in self._epochs:
            if journal_rows.checksum(epoch, seq, covered) == columns[10]:
                if not journal_rows.is_storable(covered):
                    return None  # the new journal would not take it, nor any other row with it
                reason = None if self._quarantined is None else self._quarantined.get(seq)
                waits = reason is None and (
                    self._waiting is None or self._quarantined is None or seq in self._waiting
                )
                if held:
                    reason = columns[12] if isinstance(columns[12], str) else None
                    waits = reason is None
                return SalvagedRow(epoch, seq, covered, columns[11], waits, reason, held)
        return None

    def _index(self) -> None:
        """Find out which pages hold events, and what the journal said of itself."""
        for page in self._file.numbers():
            cells = list(self._file.leaf_cells(page))
            for rowid, size, at in islice(cells, _SAMPLE):
                columns = self._file.record(page, size, at)
                if columns is not None and self._file_under(page, cells, rowid, columns):
                    break
        self._leaves.sort()

    def _file_under(
        self, page: int, cells: list[tuple[int, int, int]], rowid: int, columns: tuple[Value, ...]
    ) -> bool:
        if len(columns) == _EVENT_COLUMNS and isinstance(columns[1], str):
            self._leaves.append((rowid, page, len(cells)))
            return True
        if len(columns) == _HELD_COLUMNS:
            self._held.append(page)
            return True
        if len(columns) in journal_ends.COLUMN_COUNTS and isinstance(columns[1], str):
            found = journal_ends.parse(columns)
            if found is None or found.intact is False:
                self._doubtful.append(columns[1])
            else:
                self._epochs.insert(0, columns[1])
            # What nothing vouches for might have events missing that never were.
            if found is not None and found.intact:
                self.events = found.ends.head_seq - found.ends.anchor_seq
            return True
        if len(columns) == _SCHEMA_COLUMNS and page == 1:
            for _, size, at in cells:
                entry = self._file.record(page, size, at) or ()
                if len(entry) == _SCHEMA_COLUMNS and isinstance(entry[1], str) and type(entry[3]) is int:
                    self._roots[entry[1]] = entry[3]
            return True
        return False

    def _tree(self, table: str) -> list[int] | None:
        """Return the leaves of ``table``, None where a page of its tree cannot be read."""
        leaves: list[int] = []
        waiting, seen = [self._roots[table]], set[int]()
        while waiting:
            page = waiting.pop()
            below = self._file.children(page)
            # A page that is below two others, or below itself, would be walked for ever.
            odd = page in seen or len(waiting) + len(below or ()) > self._file.count
            if below is None or odd or not self._file.is_whole(page):
                return None
            seen.add(page)
            waiting += below
            if not below:
                leaves.append(page)
        return leaves

    def _outbox(self) -> frozenset[int] | None:
        """Return which events wait, or may do so; None where nobody can tell."""
        leaves = self._tree("outbox")
        if leaves is None:
            return None
        found, old = set[int](), False
        for page in leaves:
            for rowid, size, at in self._file.leaf_cells(page):
                columns = self._file.record(page, size, at)
                told = None if columns is None else outbox.told(rowid, columns)
                if columns is None or told is None:
                    return None
                found.update(told)
                old |= outbox.is_old(columns)
        # A number of no event was another one, and in an old row nothing says which.
        return None if old and found - self._numbers() else frozenset(found)

    def _numbers(self) -> frozenset[int]:
        return frozenset(rowid for _, page, _ in self._leaves for rowid, _, _ in self._file.leaf_cells(page))

    def _reasons(self) -> dict[int, str] | None:
        leaves = self._tree("quarantine")
        if leaves is None:
            return None
        found = {}
        for page in leaves:
            for rowid, size, at in self._file.leaf_cells(page):
                columns = self._file.record(page, size, at)
                if columns is None or len(columns) < 2 or not isinstance(columns[1], str):
                    return None
                found[rowid] = columns[1]
        return found


def _usual_roots() -> dict[str, int]:
    """Return the first page of each table: the same in every journal, since all are made in one order."""
    connection = sqlite3.connect(":memory:")
    try:
        for statement in SCHEMA.script:
            connection.execute(statement)
        return dict(connection.execute("SELECT name, rootpage FROM sqlite_schema"))
    finally:
        connection.close()
