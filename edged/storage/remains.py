"""A damaged journal is moved aside, whole, into a directory of its own beside the new one.

``journal.db.salvage-<time>`` holds it until its rows were copied, ``journal.db.damaged-<time>`` from
then on. Nothing is ever deleted there: what could not be read today may be worth a closer look.
"""

import json
import os
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ulid import ULID

from edged.errors import StoreCorruptError, StoreError
from edged.storage.files import (
    DIRECTORY_MODE,
    create_private_file,
    inherit_owner,
    is_there,
    sync_directory,
)

# A card that damages each new file as well would be filled with copies of it, one a restart.
_MOST_AN_HOUR = 5
_WAITING, _DONE = "salvage", "damaged"
_FACTS = "facts.json"
_MOST_FACTS_BYTES = 65_536  # some 400 as written
# As SQLite names them.
_SUFFIXES = ("", "-wal", "-journal")


@dataclass(frozen=True, slots=True)
class Remains:
    """One damaged journal: ``reason`` what was wrong, ``epoch`` its own where that was known.

    ``damaged_id`` and ``recovered_id`` are the ids of the events that tell of it: made once, so that a
    salvage that is cut short tells of it once.
    """

    directory: Path
    name: str
    reason: str
    epoch: str | None
    damaged_id: str
    recovered_id: str

    @property
    def main(self) -> Path:
        """The database file, which may be missing."""
        return self.directory / self.name

    @property
    def wal(self) -> Path:
        """Its write-ahead log, which may be missing."""
        return self.directory / f"{self.name}-wal"

    @property
    def label(self) -> str:
        """The name that the directory has once everything is salvaged."""
        return self.directory.name.replace(f".{_WAITING}-", f".{_DONE}-")

    def finish(self) -> None:
        """Say for good that its rows were copied. Raises ``StoreError``."""
        _rename(self.directory, self.directory.with_name(self.label))


def epoch_path(journal: Path) -> Path:
    """Return the file that repeats the epoch of ``journal``: no row can be checked without it."""
    return journal.with_name(f"{journal.name}.epoch")


def note_epoch(journal: Path, epoch: str) -> None:
    """Repeat the epoch beside the journal, durably. Raises ``StoreError``."""
    if noted_epoch(journal) == epoch:
        return
    path = epoch_path(journal)
    try:
        path.unlink(missing_ok=True)
    except OSError as exc:
        raise StoreError(f"{path}: cannot be replaced: {exc.strerror}") from exc
    create_private_file(path, epoch.encode())


def noted_epoch(journal: Path) -> str | None:
    """Return the epoch that stands beside the journal, None where none does."""
    try:
        return epoch_path(journal).read_text("ascii", "replace")[:80].strip() or None
    except OSError:
        return None


def traces(journal: Path) -> bool:
    """Whether a journal must have been here: its epoch or a filled write-ahead log stands."""
    wal = journal.with_name(f"{journal.name}-wal")
    return is_there(epoch_path(journal)) or (is_there(wal) and wal.stat().st_size > 0)


def move_aside(journal: Path, reason: str, now: Callable[[], float] = time.time) -> Remains:
    """Move the files of ``journal`` into a new directory; the caller holds the writer's lock.

    Raises ``StoreError``; ``StoreCorruptError`` where this happened too often within the hour.
    """
    _check_rate(journal, reason, now())
    stamp = datetime.fromtimestamp(now(), UTC).strftime("%Y%m%dT%H%M%SZ")
    directory = journal.with_name(f"{journal.name}.{_WAITING}-{stamp}-{secrets.token_hex(2)}")
    facts = {
        "reason": _short(reason),
        "epoch": noted_epoch(journal),
        "damaged_id": str(ULID()),
        "recovered_id": str(ULID()),
    }
    beside = directory.with_name(f".{directory.name}.new")
    try:
        beside.mkdir(DIRECTORY_MODE)
        inherit_owner(beside)
        create_private_file(beside / _FACTS, json.dumps(facts).encode())
        _rename(beside, directory)
        # The database first: a WAL that is left alone is told from a journal, see ``traces``.
        for suffix in _SUFFIXES:
            source = journal.with_name(journal.name + suffix)
            if is_there(source):
                _rename(source, directory / source.name)
        journal.with_name(f"{journal.name}-shm").unlink(missing_ok=True)
        epoch_path(journal).unlink(missing_ok=True)
        sync_directory(journal.parent)
    except OSError as exc:
        if isinstance(exc, StoreError):
            raise
        raise StoreError(f"{journal}: cannot be moved aside: {exc.strerror}") from exc
    return _remains(directory, facts, journal.name)


def unfinished(journal: Path) -> list[Remains]:
    """Return what was moved aside and not salvaged to the end, oldest first. Raises ``StoreError``."""
    return [load(path) for path in _directories(journal, _WAITING)]


def load(directory: Path) -> Remains:
    """Return what is in a directory that ``move_aside`` made. Raises ``StoreError``."""
    path = directory / _FACTS
    try:
        with path.open("rb") as file:
            facts = json.loads(file.read(_MOST_FACTS_BYTES))
    except (OSError, ValueError, RecursionError) as exc:
        raise StoreError(f"{path}: cannot be read: {exc}") from exc
    if not isinstance(facts, dict):
        raise StoreError(f"{path}: expected the facts of a damaged journal")
    for kind in (_WAITING, _DONE):
        name, found, _ = directory.name.partition(f".{kind}-")
        if found:
            return _remains(directory, facts, name)
    raise StoreError(f"{directory}: expected a directory named <journal>.{_DONE}-<time>")


def _short(reason: str) -> str:
    """Return what is wrong without the path and the promise to touch nothing."""
    told = reason.rpartition(": damaged: ")[2].partition("; ")[0]
    return " ".join(told.split())[:200]


def _remains(directory: Path, facts: dict[str, Any], name: str) -> Remains:
    epoch = facts.get("epoch")
    return Remains(
        directory, name, str(facts.get("reason")), None if epoch is None else str(epoch),
        str(facts.get("damaged_id")), str(facts.get("recovered_id")),
    )  # fmt: skip


def _directories(journal: Path, kind: str) -> list[Path]:
    prefix = f"{journal.name}.{kind}-"
    try:
        return sorted(path for path in journal.parent.iterdir() if path.name.startswith(prefix))
    except OSError as exc:
        raise StoreError(f"{journal.parent}: cannot be looked at: {exc.strerror}") from exc


def _check_rate(journal: Path, reason: str, now: float) -> None:
    found = [path for kind in (_WAITING, _DONE) for path in _directories(journal, kind)]
    recent = [path for path in found if 0 <= now - path.stat().st_mtime < 3600]
    if len(recent) >= _MOST_AN_HOUR:
        raise StoreCorruptError(
            f"{journal}: damaged for the {len(recent) + 1}th time within an hour, the disk seems to be "
            f"dying: {reason}"
        )


def _rename(source: Path, target: Path) -> None:
    try:
        os.rename(source, target)  # noqa: PTH104 - a directory too, and never onto another file
        sync_directory(target.parent)
    except OSError as exc:
        raise StoreError(f"{source}: cannot be moved aside: {exc.strerror}") from exc
