"""A disk without space from one write on: what was recorded stays, what was refused is not there.

A life of a journal has some hundred writes; each trial begins the trouble at another one. With space again
the journal goes on.
"""

import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import apsw

from edged.config.sections import JournalConfig
from edged.errors import StoreError, StoreFullError
from edged.storage.journal import Journal
from edged.storage.journal_reader import JournalReader
from tests.chaos.power_cuts import written_to
from tests.chaos.row import Row
from tests.chaos.torn_disk import TornDisk
from tests.integration.storage.conftest import event

FAULT = "disk full from each write on"
# The start, the first rows, a checkpoint and what follows it; from there on it repeats.
WRITES = 140
_BEFORE = 10


class FullDisk(TornDisk):
    """Has no space from write ``full_at`` on, until ``emptied``."""

    def __init__(self, full_at: int) -> None:
        super().__init__(cut_at=1_000_000)
        self._full_at = full_at
        self.emptied = False
        self.refused = 0

    @property
    def full(self) -> bool:
        """Whether the next write is refused."""
        return self.operations >= self._full_at and not self.emptied

    def step(self) -> None:
        """Count one operation. Raises ``apsw.FullError`` while there is no space."""
        if self.full:
            self.refused += 1
            raise apsw.FullError("no space")
        self.operations += 1


@dataclass
class Result:
    """What came of the trials: ``breaches`` must be empty."""

    trials: int = 0
    acknowledged: int = 0
    refused: int = 0
    lost: int = 0
    breaches: list[str] = field(default_factory=list)


def template(path: Path) -> Path:
    """Make a journal of some events at ``path``; every trial begins with it."""
    journal = Journal.open(JournalConfig(path=path))
    journal.submit([event(number) for number in range(_BEFORE)]).result()
    journal.close()
    return path


def fill_once(folder: Path, begin: Path, full_at: int, result: Result) -> None:
    """Live in ``folder`` with a copy of the journal ``begin``; the disk is full from write ``full_at`` on."""
    path = folder / "journal.db"
    path.write_bytes(begin.read_bytes())
    disk = FullDisk(full_at)
    with written_to(disk, normal=False):
        acknowledged, damaged = _live(path, disk)
    with JournalReader.open(path) as reader:
        sound = reader.verify().ok
        found = [stored.event.event_id for stored in reader.events()]
    kept = [one for one in found if one in set(acknowledged)]
    result.trials += 1
    result.acknowledged += len(acknowledged)
    result.refused += disk.refused
    result.lost += len(acknowledged) - len(kept)
    wrong = {
        "never full": not disk.refused,
        "damaged": damaged or not sound,
        "lost or out of order": kept != acknowledged,
        # What was refused is not there: it may be offered again, or be told as a denial.
        "invented": len(found) != _BEFORE + len(acknowledged),
        "does not go on": found[-1:] != [event(59).event_id],
    }
    result.breaches += [f"write {full_at}: {what}" for what, is_so in wrong.items() if is_so]


def _live(path: Path, disk: FullDisk) -> tuple[list[str], bool]:
    acknowledged: list[str] = []
    refused = 0
    try:
        journal = Journal.open(JournalConfig(path=path))
    except StoreError:
        disk.emptied = True
        journal = Journal.open(JournalConfig(path=path))
    for number in range(20, 60):
        try:
            stored = journal.submit([replace(event(number), body={"note": "x" * 2000})]).result()
            acknowledged += [each.event.event_id for each in stored]
        except StoreFullError:
            refused += 1
            disk.emptied = refused >= 3
    journal.close()
    return acknowledged, journal.damaged or journal.recoveries > 0


def run(writes: int, step: Callable[[int], None] = lambda _number: None) -> Result:
    """Try the first ``writes`` writes, one after the other."""
    result = Result()
    with tempfile.TemporaryDirectory() as scratch:
        begin = template(Path(scratch) / "template.db")
        for full_at in range(writes):
            folder = Path(scratch) / str(full_at)
            folder.mkdir()
            fill_once(folder, begin, full_at, result)
            for file in folder.iterdir():
                with suppress(OSError):
                    file.unlink()
            step(full_at + 1)
    return result


def row(result: Result) -> Row:
    """Return the line of the table."""
    text = f"{result.acknowledged} events, {result.refused} writes refused"
    return Row(
        FAULT, result.trials, "0 lost, none invented, records on when there is space", text, result.lost,
        breaches=tuple(result.breaches),
    )  # fmt: skip
