"""What people answer a second factor with: a salted hash of a PIN or badge, sealed like all that is theirs.

The hash is scrypt (RFC 7914) with N = 2^14, r = 8, p = 1, which takes 16 MiB: whoever holds the gallery's key
still does not read PINs. Six digits are guessed from any such hash in a day or two; what keeps them is the
seal. Here lies only what checks an answer; what was typed is nowhere.
"""

import hashlib
import hmac
import secrets
import sqlite3
from dataclasses import dataclass
from datetime import datetime
from typing import Self

import msgspec

from edged.domain.second_factor import FactorKind
from edged.errors import NotFoundError, StoreCorruptError, printable
from edged.storage.sealed import opened
from edged.storage.vault import Vault

_TABLE = "factors"
# A gallery made before has no such table: a writer adds it.
TABLE = f"""CREATE TABLE IF NOT EXISTS {_TABLE} (
    person_id TEXT NOT NULL REFERENCES people (person_id),
    kind TEXT NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (person_id, kind)
) STRICT"""

_SALT_BYTES = 16
_N, _R, _P = 2**14, 8, 1


@dataclass(frozen=True, slots=True, repr=False)
class Verifier:
    """Tells whether a text is a person's PIN or badge, and nothing else about it."""

    salt: bytes
    digest: bytes

    @classmethod
    def of(cls, text: str) -> Self:
        """Return what checks ``text`` from now on, under a new salt."""
        salt = secrets.token_bytes(_SALT_BYTES)
        return cls(salt, _digest(text, salt))

    def accepts(self, text: str) -> bool:
        """Whether ``text`` is the one; takes the same time for any."""
        return hmac.compare_digest(self.digest, _digest(text, self.salt))


class _Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    salt: bytes
    digest: bytes
    created_at: datetime | None


def kinds(connection: sqlite3.Connection) -> dict[str, frozenset[FactorKind]]:
    """Return which kinds each person has; nobody has any in an old gallery. Raises ``StoreCorruptError``."""
    found: dict[str, frozenset[FactorKind]] = {}
    if not _is_there(connection):
        return found
    for person_id, kind in connection.execute("SELECT person_id, kind FROM factors"):
        found[person_id] = found.get(person_id, frozenset()) | {_kind(person_id, kind)}
    return found


def read(connection: sqlite3.Connection, vault: Vault, person_id: str) -> dict[FactorKind, Verifier]:
    """Return what checks the answers of a person. Raises ``StoreCorruptError``."""
    if not _is_there(connection):
        return {}
    rows = connection.execute("SELECT kind, sealed FROM factors WHERE person_id = ?", (person_id,)).fetchall()
    return {_kind(person_id, kind): _unseal(vault, person_id, kind, sealed) for kind, sealed in rows}


def write(
    connection: sqlite3.Connection,
    vault: Vault,
    person_id: str,
    kind: FactorKind,
    made: tuple[Verifier, datetime],
) -> None:
    """Keep what checks a person's answers of this kind; the one before is replaced."""
    verifier, now = made
    record = msgspec.msgpack.encode(_Record(verifier.salt, verifier.digest, now))
    sealed = vault.seal(record, _context(person_id, kind))
    connection.execute("INSERT OR REPLACE INTO factors VALUES (?, ?, ?)", (person_id, kind.value, sealed))


def remove(connection: sqlite3.Connection, person_id: str, kind: FactorKind) -> None:
    """Take a person's PIN or badge away. Raises ``NotFoundError`` where there is none."""
    cursor = connection.execute(
        "DELETE FROM factors WHERE person_id = ? AND kind = ?", (person_id, kind.value)
    )
    if cursor.rowcount != 1:
        raise NotFoundError(f"{person_id} has no {kind.value}")


def _is_there(connection: sqlite3.Connection) -> bool:
    row = connection.execute("SELECT 1 FROM sqlite_schema WHERE name = ?", (_TABLE,)).fetchone()
    return row is not None


def _kind(person_id: str, kind: str) -> FactorKind:
    try:
        return FactorKind(kind)
    except ValueError as exc:
        raise StoreCorruptError(
            f"person {printable(str(person_id))}: a second factor of no known kind"
        ) from exc


def _unseal(vault: Vault, person_id: str, kind: str, sealed: object) -> Verifier:
    try:
        record = opened(vault, sealed, _context(person_id, kind), _Record)
    except StoreCorruptError as exc:
        raise StoreCorruptError(f"person {printable(str(person_id))}: their {kind} fails its check") from exc
    return Verifier(record.salt, record.digest)


def _context(person_id: str, kind: str) -> bytes:
    # Bound to the person and kind: a record copied onto somebody else's row does not open.
    return f"factor\0{person_id}\0{kind}".encode("utf-8", "surrogateescape")


def _digest(text: str, salt: bytes) -> bytes:
    return hashlib.scrypt(text.encode("utf-8", "surrogatepass"), salt=salt, n=_N, r=_R, p=_P)
