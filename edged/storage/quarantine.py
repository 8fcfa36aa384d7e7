"""Events that cannot be delivered as they are: what they are, and their way back into the outbox.

Only one process may write the journal. While the daemon does, another one asks it by a file beside the
journal; the daemon looks for it every other second, and at its start.
"""

import json
import logging
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edged.errors import StoreError
from edged.storage import held, outbox
from edged.storage.connections import reading
from edged.storage.files import create_private_file, is_there

logger = logging.getLogger(__name__)

# A request names rows; nobody types more than this, and the daemon reads the file whole.
_MOST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Quarantined:
    """One event put aside, and why. ``occurred_at`` is Unix seconds."""

    seq: int
    event_id: str
    kind: str
    occurred_at: float
    reason: str


@dataclass(frozen=True, slots=True)
class Request:
    """Which events shall be put back; None: all."""

    seqs: tuple[int, ...] | None


def rows(path: Path) -> list[Quarantined]:
    """Return what is in quarantine in the journal at ``path``, oldest first. Raises ``StoreError``."""
    if not is_there(path):
        raise StoreError(f"{path}: there is no journal; the daemon makes it at its first start")
    query = (
        "SELECT q.seq, e.event_id, e.kind, e.occurred_at, q.reason"
        " FROM quarantine q JOIN events e USING (seq) ORDER BY q.seq"
    )
    old = "SELECT seq, event_id, kind, occurred_at, reason FROM held WHERE reason IS NOT NULL ORDER BY seq"
    with reading(path) as connection:
        # A journal that no writer of this version has opened yet has none.
        made = connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'held'").fetchone()
        found = [*connection.execute(old)] if made else []
        return [Quarantined(*row) for row in (*found, *connection.execute(query))]


def put_back(seqs: Sequence[int] | None, connection: sqlite3.Connection) -> list[int]:
    """Move rows, None: all, to the outbox, where the seq is the order; return which, ascending."""
    chosen = "" if seqs is None else " WHERE seq IN (SELECT value FROM json_each(?))"
    values = () if seqs is None else (json.dumps(list(seqs)),)
    moved = [
        seq
        for (seq,) in connection.execute(f"SELECT seq FROM quarantine{chosen} ORDER BY seq", values)  # noqa: S608 - fixed texts
    ]
    outbox.put_back(connection, moved)
    connection.executemany("DELETE FROM quarantine WHERE seq = ?", ((seq,) for seq in moved))
    return held.put_back(connection, None if seqs is None else json.dumps(list(seqs))) + moved


def ask(journal: Path, seqs: Sequence[int] | None) -> None:
    """Leave word for the process that writes ``journal``.

    Raises ``StoreError``, also where earlier word is still there.
    """
    path = request_path(journal)
    if not create_private_file(path, json.dumps(None if seqs is None else list(seqs)).encode()):
        raise StoreError(f"{path}: an earlier request still waits for the daemon")


def asked(journal: Path) -> Request | None:
    """Return what was asked for; None where nothing was. A file that is no request is removed.

    Raises ``StoreError``.
    """
    path = request_path(journal)
    try:
        with path.open("rb") as file:
            found = json.loads(file.read(_MOST_BYTES))
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise StoreError(f"{path}: cannot be read: {exc.strerror}") from exc
    except (ValueError, RecursionError):
        found = {}
    if found is None:
        return Request(None)
    if isinstance(found, list) and all(type(seq) is int for seq in found):
        return Request(tuple(found))
    logger.warning("not a request to put events back; removed file=%s", path.name)
    done(journal)
    return None


def done(journal: Path) -> None:
    """Take the request away: it was fulfilled. Raises ``StoreError``."""
    path = request_path(journal)
    try:
        path.unlink(missing_ok=True)
    except OSError as exc:
        raise StoreError(f"{path}: cannot be removed: {exc.strerror}") from exc


def request_path(journal: Path) -> Path:
    """Return the file by which the writer of ``journal`` is asked."""
    return journal.with_name(f"{journal.name}.retry")
