"""Does the journal still say what was written? Every row against its checksum and the chain."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from edged.storage import journal_ends, journal_rows, outbox
from edged.storage.journal_ends import EndsRow
from edged.storage.journal_rows import COLUMNS


class FaultKind(StrEnum):
    """What is wrong with a chain."""

    ANCHOR = "anchor"
    GAP = "gap"
    CHECKSUM = "checksum"
    DIGEST = "digest"
    OUTBOX = "outbox"


EXPLANATIONS = {
    FaultKind.ANCHOR: "the record of where the chain begins and ends is missing or altered; "
    "the next start of the daemon mends it",
    FaultKind.GAP: "a row is missing",
    FaultKind.CHECKSUM: "the row's bytes changed after they were written",
    FaultKind.OUTBOX: "what waits for delivery is not what was noted; the next start of the daemon mends it",
    FaultKind.DIGEST: "the row, or the digest it is chained to, is not the one that was written",
}
# Enough to see whether one row or the whole file is hurt; the count says how many there are.
MAX_FAULTS = 20


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong at ``seq``; a gap is ``rows`` missing rows from there on."""

    kind: FaultKind
    seq: int
    rows: int = 1


@dataclass(frozen=True, slots=True)
class Verification:
    """``rows`` were found good before the first of ``faults``; ``last_seq`` is the last of them.

    ``faults`` holds the first ``MAX_FAULTS`` of ``fault_count``. The chain has no secret: it shows
    accidents and clumsy edits, and a forger who rewrites every later digest only to somebody who kept an
    earlier digest elsewhere, as whoever receives the events does.
    """

    epoch: str
    rows: int
    first_seq: int
    last_seq: int
    faults: tuple[Fault, ...] = ()
    fault_count: int = 0

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.fault_count

    @property
    def fault(self) -> FaultKind | None:
        """What is wrong first."""
        return self.faults[0].kind if self.faults else None

    @property
    def bad_seq(self) -> int | None:
        """Where the first fault is."""
        return self.faults[0].seq if self.faults else None


def verify(connection: sqlite3.Connection) -> Verification:
    """Walk the whole chain in one snapshot. Raises ``connections.FAILURES`` where pages cannot be read."""
    connection.execute("BEGIN")
    try:
        found = journal_ends.read_row(connection)
        if found is None:
            return Verification("", 0, 0, 0, (Fault(FaultKind.ANCHOR, 0),), 1)
        query = f"SELECT {COLUMNS} FROM events e ORDER BY seq"  # noqa: S608 - column names
        walk = _Walk(found)
        for row in connection.execute(query):
            walk.step(row)
        return walk.end(_altered(connection, found))
    finally:
        connection.execute("ROLLBACK")


def _altered(connection: sqlite3.Connection, found: EndsRow) -> list[int]:
    """Return the altered numbers of the outbox."""
    if found.intact is False:
        return []  # nobody knows which events are kept
    return outbox.altered(connection, found.ends.anchor_seq, found.ends.head_seq, MAX_FAULTS)


class _Walk:
    """Goes on behind each fault, so that one hurt row neither hides another nor accuses the next.

    ``_links`` are the digests that the next row may be chained to; none where they cannot be known.
    """

    def __init__(self, found: EndsRow) -> None:
        self._ends = ends = found.ends
        self._altered = found.intact is False
        self._anchor_told = False
        self._expected = ends.anchor_seq + 1
        self._links: tuple[bytes, ...] = (ends.anchor_digest,)
        self._good = 0
        self._stray = False
        self._faults: list[Fault] = []
        self._count = 0
        genesis = journal_ends.genesis(ends.epoch)
        if ends.anchor_seq == 0 and ends.anchor_digest != genesis:
            self._found(FaultKind.ANCHOR, 0)
            self._links = (genesis,)

    def step(self, row: Sequence[Any]) -> None:
        """Check the next row in the order of seq."""
        seq, stored = row[0], row[11]
        if seq <= self._ends.anchor_seq:
            if not self._stray:
                self._found(FaultKind.ANCHOR, seq)
            self._stray = True
            return
        if seq > self._expected:
            self._missing(seq - 1, at_an_end=self._expected == self._ends.anchor_seq + 1)
            self._links = ()
        covered = journal_rows.covered_columns(row)
        made = tuple(journal_rows.digest(link, self._ends.epoch, seq, covered) for link in self._links)
        links: tuple[bytes, ...] = (stored,) if isinstance(stored, bytes) else ()
        if journal_rows.checksum(self._ends.epoch, seq, covered) != row[10]:
            self._found(FaultKind.CHECKSUM, seq)
        elif made and stored not in made:
            self._found(FaultKind.DIGEST, seq)
            links += made
        elif not self._count:
            self._good += 1
        self._expected, self._links = seq + 1, links

    def end(self, altered: Sequence[int]) -> Verification:
        """Hold the last row against the record of the chain's head; ``altered``: of the outbox."""
        ends, last = self._ends, self._expected - 1
        if last < ends.head_seq:
            self._missing(ends.head_seq, at_an_end=True)
        elif last > ends.head_seq or (self._links and ends.head_digest not in self._links):
            self._found(FaultKind.ANCHOR, ends.head_seq)
        if self._altered and not self._anchor_told:
            self._found(FaultKind.ANCHOR, ends.head_seq)
        for seq in altered:
            self._found(FaultKind.OUTBOX, seq)
        first = ends.anchor_seq + 1
        return Verification(
            ends.epoch, self._good, first, ends.anchor_seq + self._good, tuple(self._faults), self._count
        )

    def _missing(self, upto: int, *, at_an_end: bool) -> None:
        if at_an_end and self._altered:
            # That there were any is said by what is altered, and by nothing else.
            self._found(FaultKind.ANCHOR, self._expected)
        else:
            self._found(FaultKind.GAP, self._expected, upto - self._expected + 1)

    def _found(self, kind: FaultKind, seq: int, rows: int = 1) -> None:
        self._count += 1
        self._anchor_told |= kind is FaultKind.ANCHOR
        if len(self._faults) < MAX_FAULTS:
            self._faults.append(Fault(kind, seq, rows))
