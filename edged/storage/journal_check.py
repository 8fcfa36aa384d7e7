"""Does the journal still say what was written? Every row against its checksum and the chain."""

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from edged.storage import journal_rows
from edged.storage.journal_rows import COLUMNS, Ends


class FaultKind(StrEnum):
    """What is wrong with a chain."""

    ANCHOR = "anchor"
    GAP = "gap"
    CHECKSUM = "checksum"
    DIGEST = "digest"


EXPLANATIONS = {
    FaultKind.ANCHOR: "the record of where the chain begins and ends is missing or altered",
    FaultKind.GAP: "a row is missing",
    FaultKind.CHECKSUM: "the row's bytes changed after they were written",
    FaultKind.DIGEST: "the row, or the digest it is chained to, is not the one that was written",
}


@dataclass(frozen=True, slots=True)
class Verification:
    """``rows`` were found good before the first ``fault``, which is at ``bad_seq``; None: all are good.

    The chain has no secret: it shows accidents and clumsy edits, and a forger who rewrites every later
    digest only to somebody who kept an earlier digest elsewhere, as whoever receives the events does.
    """

    epoch: str
    rows: int
    first_seq: int
    last_seq: int
    fault: FaultKind | None = None
    bad_seq: int | None = None

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return self.fault is None


def verify(connection: sqlite3.Connection) -> Verification:
    """Walk the whole chain in one snapshot. Raises ``connections.FAILURES`` where pages cannot be read."""
    connection.execute("BEGIN")
    try:
        ends = journal_rows.read_ends(connection)
        if ends is None:
            return Verification("", 0, 0, 0, FaultKind.ANCHOR, 0)
        query = f"SELECT {COLUMNS} FROM events e ORDER BY seq"  # noqa: S608 - column names
        return _walk(ends, connection.execute(query))
    finally:
        connection.execute("ROLLBACK")


def _walk(ends: Ends, rows: Iterator[Sequence[Any]]) -> Verification:
    first, good = ends.anchor_seq + 1, 0

    def verdict(fault: FaultKind | None, seq: int | None) -> Verification:
        return Verification(ends.epoch, good, first, ends.anchor_seq + good, fault, seq)

    last = ends.anchor_digest
    if ends.anchor_seq == 0 and last != journal_rows.genesis(ends.epoch):
        return verdict(FaultKind.ANCHOR, 0)
    for row in rows:
        fault = _fault(ends.epoch, first + good, last, row)
        if fault is not None:
            return verdict(fault, first + good)
        good, last = good + 1, row[11]
    if first + good - 1 < ends.head_seq:
        return verdict(FaultKind.GAP, first + good)
    if first + good - 1 > ends.head_seq or last != ends.head_digest:
        return verdict(FaultKind.ANCHOR, ends.head_seq)
    return verdict(None, None)


def _fault(epoch: str, expected: int, last: bytes, row: Sequence[Any]) -> FaultKind | None:
    covered = journal_rows.covered_columns(row)
    if row[0] != expected:
        return FaultKind.GAP
    if journal_rows.checksum(epoch, expected, covered) != row[10]:
        return FaultKind.CHECKSUM
    if journal_rows.digest(last, epoch, expected, covered) != row[11]:
        return FaultKind.DIGEST
    return None
