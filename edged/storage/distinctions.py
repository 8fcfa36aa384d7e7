"""Pairs of enrolled people who were said to be two: the ids in the open, the rest sealed."""

import sqlite3
from datetime import datetime

import msgspec

from edged.domain.people import Distinction
from edged.errors import NotFoundError, StoreCorruptError, printable
from edged.storage.sealed import opened
from edged.storage.vault import Vault

_TABLE = "distinctions"
# A gallery made before has no such table: a writer adds it.
TABLE = f"""CREATE TABLE IF NOT EXISTS {_TABLE} (
    first_id TEXT NOT NULL REFERENCES people (person_id),
    second_id TEXT NOT NULL REFERENCES people (person_id),
    sealed BLOB NOT NULL,
    PRIMARY KEY (first_id, second_id),
    CHECK (first_id < second_id)
) STRICT"""


class _Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    reason: str
    created_at: datetime | None


def read(connection: sqlite3.Connection, vault: Vault) -> list[Distinction]:
    """Return all, in the order they were said; none of an old gallery. Raises ``StoreCorruptError``."""
    if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = ?", (_TABLE,)).fetchone():
        return []
    rows = connection.execute(
        "SELECT first_id, second_id, sealed FROM distinctions ORDER BY rowid"
    ).fetchall()
    return [_unseal(vault, *row) for row in rows]


def write(connection: sqlite3.Connection, vault: Vault, said: Distinction) -> None:
    """Keep ``said``; what was said of the two before is replaced."""
    connection.execute("INSERT OR REPLACE INTO distinctions VALUES (?, ?, ?)", _row(vault, said))


def remove(connection: sqlite3.Connection, pair: frozenset[str]) -> None:
    """Take back what was said of two. Raises ``NotFoundError``."""
    cursor = connection.execute(
        "DELETE FROM distinctions WHERE first_id = ? AND second_id = ?", tuple(sorted(pair))
    )
    if cursor.rowcount != 1:
        raise NotFoundError(f"nobody said that {' and '.join(sorted(pair))} are two people")


def give(connection: sqlite3.Connection, vault: Vault, source_id: str, into_id: str) -> None:
    """Say of ``into_id`` what was said of ``source_id``, who is the same person.

    What was said of these two falls away, and of a third person what was said of ``into_id`` stands.
    """
    known = read(connection, vault)
    told = {one.pair for one in known}
    for one in known:
        others = one.pair - {source_id}
        if source_id not in one.pair or others == {into_id} or others | {into_id} in told:
            continue
        write(connection, vault, Distinction(others | {into_id}, one.reason, one.created_at))


def erase(connection: sqlite3.Connection, person_id: str) -> None:
    """Delete all that was said of a person."""
    connection.execute("DELETE FROM distinctions WHERE ?1 IN (first_id, second_id)", (person_id,))


def _row(vault: Vault, said: Distinction) -> tuple[str, str, bytes]:
    first, second = sorted(said.pair)
    record = msgspec.msgpack.encode(_Record(said.reason, said.created_at))
    return first, second, vault.seal(record, _context(first, second))


def _unseal(vault: Vault, first: str, second: str, sealed: object) -> Distinction:
    try:
        record = opened(vault, sealed, _context(first, second), _Record)
    except StoreCorruptError as exc:
        raise StoreCorruptError(
            f"people {printable(str(first))}, {printable(str(second))}: what was said of them fails its check"
        ) from exc
    return Distinction(frozenset({first, second}), record.reason, record.created_at)


def _context(first: str, second: str) -> bytes:
    # NUL cannot stand in an id, so no two pairs give the same bytes.
    return f"distinction\0{first}\0{second}".encode("utf-8", "surrogateescape")
