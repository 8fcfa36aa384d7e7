"""The journal under power cuts, as the rows of ``tests.chaos`` and of ``tests.chaos.storage``.

The journal's own code runs, statement by statement, on a disk that tears (see ``torn_disk``); the power
goes at a random write, and a start with the library of this machine must find everything that was
acknowledged. ``normal`` weakens ``synchronous`` to show that the trial can fail.
"""

import random
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote, urlsplit

import apsw

from edged.config.sections import JournalConfig
from edged.errors import EdgedError, StoreError
from edged.storage import connections
from edged.storage.journal import Journal
from edged.storage.journal_reader import JournalReader
from tests.chaos.row import Row
from tests.chaos.torn_disk import TornDisk, TornVfs
from tests.integration.storage.conftest import event

FAULT = "power cut, sectors torn"
# Small, so that pruning, checkpoints and freed pages are part of every longer trial.
_MAX_ROWS = 120
_MOST_OPERATIONS = 900


@dataclass
class Result:
    """What came of the cuts: each of the last four must be 0."""

    cuts: int = 0
    acknowledged: int = 0
    lost: int = 0
    invented: int = 0
    not_started: int = 0
    damaged: int = 0

    @property
    def ok(self) -> bool:
        """Whether nothing was lost and every start worked."""
        return not (self.lost or self.invented or self.not_started or self.damaged)


class _Connection:
    """An apsw connection as ``sqlite3`` would give it, as far as the writer needs it."""

    def __init__(self, connection: apsw.Connection, *, normal: bool) -> None:
        self._connection = connection
        self._normal = normal

    @property
    def in_transaction(self) -> bool:
        return self._connection.in_transaction

    def execute(self, sql: str, values: Any = ()) -> Any:
        if self._normal and sql == "PRAGMA synchronous = FULL":
            sql = "PRAGMA synchronous = NORMAL"
        with _translated():
            cursor = self._connection.execute(sql, values or None)
            rows = cursor.fetchall()
            return _Cursor(rows, self._connection.changes())

    def executemany(self, sql: str, rows: Any) -> None:
        with _translated():
            self._connection.executemany(sql, rows)

    def close(self) -> None:
        with suppress(apsw.Error):  # as sqlite3 does: the checkpoint at the end is an attempt
            self._connection.close()


class _Cursor:
    def __init__(self, rows: list[Any], rowcount: int) -> None:
        self._rows = iter(rows)
        self.rowcount = rowcount

    def fetchone(self) -> Any:
        return next(self._rows, None)

    def fetchall(self) -> list[Any]:
        return list(self._rows)

    def __iter__(self) -> Iterator[Any]:
        return self._rows


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except apsw.Error as exc:
        error = sqlite3.OperationalError(str(exc))
        full = isinstance(exc, apsw.FullError)
        error.sqlite_errorcode = sqlite3.SQLITE_FULL if full else getattr(exc, "result", 0)
        raise error from exc


@contextmanager
def written_to(disk: TornDisk, *, normal: bool) -> Iterator[None]:
    """Let every writing connection of the storage work on ``disk``."""
    vfs = TornVfs(f"torn-{id(disk)}", disk)

    def connect(database: str, **options: Any) -> Any:
        if not database.endswith("?mode=rw"):
            return sqlite3.connect(database, **options)
        with _translated():
            path = unquote(urlsplit(database).path)
            opened = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READWRITE, vfs=f"torn-{id(disk)}")
            opened.set_busy_timeout(1000)
            return _Connection(opened, normal=normal)

    real = connections.sqlite3
    shim = SimpleNamespace(**{name: getattr(real, name) for name in dir(real)})
    shim.connect = connect
    connections.sqlite3 = shim  # type: ignore[assignment]
    try:
        yield
    finally:
        connections.sqlite3 = real
        vfs.unregister()


def cut_once(
    base: Path | None, directory: Path, disk: TornDisk, chance: random.Random, result: Result, *, normal: bool
) -> None:
    """One life of a journal, from nothing or from ``base``, ended by a cut, and the start after it."""
    running, after = directory / "running", directory / "after"
    running.mkdir()
    path = running / "journal.db"
    if base is not None:
        shutil.copytree(base, running, dirs_exist_ok=True)
    acknowledged, offered = _known(path, base), 0
    with written_to(disk, normal=normal):
        try:
            offered = _live(path, disk, chance, acknowledged)
        except StoreError:
            offered = 3  # the start itself was cut, or a submitted batch
    after.mkdir()
    for file in running.iterdir():
        if not file.name.endswith(("-shm", ".lock")):
            shutil.copy(file, after / file.name)
    disk.leave(after, chance)
    result.cuts += 1
    result.acknowledged += len(acknowledged)
    _start_again(after / "journal.db", acknowledged, offered, result)


def _known(path: Path, base: Path | None) -> list[str]:
    if base is None:
        return []
    with JournalReader.open(path) as reader:
        return [stored.event.event_id for stored in reader.events()]


def _live(path: Path, disk: TornDisk, chance: random.Random, acknowledged: list[str]) -> int:
    """Record, deliver and put aside until the cut; return how many events were on their way then."""
    journal = Journal.open(JournalConfig(path=path, max_rows=_MAX_ROWS))
    offered = 0
    try:
        while not disk.cut:
            number = len(acknowledged) + 1000 * chance.randrange(1, 1_000_000)
            body = {"note": "x" * chance.choice((10, 300, 6000))}
            batch = [replace(event(number + step), body=body) for step in range(chance.randrange(1, 4))]
            offered = len(batch)
            stored = journal.submit(batch).result()
            acknowledged += [each.event.event_id for each in stored]
            offered = 0
            journal.delivered([each.seq for each in stored])
            if chance.random() < 0.05:
                journal.quarantine(stored[0].seq, "a trial")
                journal._database.truncate_wal()
    except StoreError:
        return offered
    finally:
        journal.close()
    return offered


def _start_again(path: Path, acknowledged: Sequence[str], offered: int, result: Result) -> None:
    try:
        journal = Journal.open(JournalConfig(path=path, max_rows=_MAX_ROWS))
    except EdgedError as exc:
        sys.stderr.write(f"no start: {exc}\n")
        result.not_started += 1
        return
    recoveries = journal.recoveries
    journal.submit([event(1)]).result()
    journal.close()
    with JournalReader.open(path) as reader:
        sound = reader.verify().ok
        found = [stored.event.event_id for stored in reader.events()][:-1]
    result.damaged += recoveries > 0 or not sound
    # Pruning takes the oldest away; everything behind must be there, in order.
    known = acknowledged[-len(found) :] if found else []
    kept = [each for each in found if each in set(acknowledged)]
    extra = len(found) - len(kept)
    expected = list(acknowledged[len(acknowledged) - len(kept) :])
    enough = len(found) >= min(len(acknowledged), _MAX_ROWS - 64 - 3)
    result.lost += kept != expected or not enough or (bool(acknowledged) and not known)
    result.invented += extra > offered


def run(
    cuts: int,
    seed: int = 1,
    *,
    normal: bool = False,
    first_steps: bool = False,
    step: Callable[[int], None] = lambda _number: None,
) -> Result:
    """Cut the power ``cuts`` times; half of the lives begin with no journal at all.

    ``first_steps``: all of them do, and are cut within their first 40 writes. ``step`` hears the number.
    """
    result, chance = Result(), random.Random(seed)
    with tempfile.TemporaryDirectory() as scratch:
        base = Path(scratch) / "base"
        base.mkdir()
        journal = Journal.open(JournalConfig(path=base / "journal.db", max_rows=_MAX_ROWS))
        for number in range(60):
            journal.delivered([each.seq for each in journal.submit([event(number + 500)]).result()])
        journal.close()
        for number in range(cuts):
            directory = Path(scratch) / f"cut-{number}"
            directory.mkdir()
            last = 40 if first_steps else _MOST_OPERATIONS
            disk = TornDisk(chance.randrange(1, last))
            begin = base if number % 2 and not first_steps else None
            cut_once(begin, directory, disk, chance, result, normal=normal)
            shutil.rmtree(directory)
            step(number + 1)
    return result


def row(result: Result) -> Row:
    """Return the line of the table."""
    wrong = {"invented": result.invented, "without a start": result.not_started, "damaged": result.damaged}
    breaches = [f"{times} {what}" for what, times in wrong.items() if times]
    if result.lost:
        breaches.append(f"{result.lost} cuts lost events")
    return Row(
        FAULT, result.cuts, "0 lost, none invented, every start works",
        f"{result.acknowledged} events", result.lost, breaches=tuple(breaches),
    )  # fmt: skip
