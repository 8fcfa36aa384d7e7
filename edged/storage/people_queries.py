"""What is asked of a gallery: SQL on one side, unsealed values on the other.

Rows are fetched before they are unsealed, and of many some at a time, by a statement each. A cursor that an
error leaves half read holds the file's old pages for as long as somebody holds the error, and whoever is
forgotten meanwhile is not erased.
"""

import json
import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from edged.domain.people import Person, Template, Veto
from edged.errors import NotFoundError, StoreCorruptError, StoreError
from edged.storage import distinctions, factors
from edged.storage.connections import Schema, check_pages
from edged.storage.people_records import (
    seal_person,
    seal_template,
    seal_veto,
    unseal_person,
    unseal_template,
    unseal_veto,
)
from edged.storage.vault import Vault

SCHEMA = Schema(
    what="a gallery of people",
    application_id=int.from_bytes(b"edPP"),
    version=1,
    script=(
        """CREATE TABLE store (
            id INTEGER PRIMARY KEY CHECK (id = 1),
            generation INTEGER NOT NULL,
            key_check BLOB NOT NULL
        ) STRICT""",
        "CREATE TABLE people (person_id TEXT PRIMARY KEY, sealed BLOB NOT NULL) STRICT",
        """CREATE TABLE templates (
            template_id TEXT PRIMARY KEY,
            person_id TEXT NOT NULL REFERENCES people (person_id),
            space TEXT NOT NULL,
            sealed BLOB NOT NULL
        ) STRICT""",
        "CREATE INDEX templates_of ON templates (person_id)",
    ),
)
# Rows in memory at once, 2 kB each.
_AT_ONCE = 1000
_KEY_CHECK = b"edged gallery key"
# Not part of the first version's tables: a writer adds it to a gallery that was made before it.
_VETOES = """CREATE TABLE IF NOT EXISTS vetoes (
    event_id TEXT PRIMARY KEY,
    person_id TEXT NOT NULL REFERENCES people (person_id),
    space TEXT NOT NULL,
    sealed BLOB NOT NULL
) STRICT"""
_LATER = (_VETOES, distinctions.TABLE, factors.TABLE)
_TABLES = frozenset(re.findall(r"CREATE TABLE (?:IF NOT EXISTS )?(\w+)", " ".join((*SCHEMA.script, *_LATER))))


def check_whole(connection: sqlite3.Connection, path: Path) -> None:
    """Raise ``StoreError`` where rows or whole tables may be missing without anybody noticing.

    A table that came with a later version may be absent, so one whose name was damaged would look so too.
    """
    check_pages(connection, path)
    found = connection.execute("SELECT type, name FROM sqlite_schema WHERE type != 'index'").fetchall()
    if any(kind != "table" or name not in _TABLES for kind, name in found):
        raise StoreError(f"{path}: unknown tables: damaged, or written by a later version of edged")


def initialise(connection: sqlite3.Connection, vault: Vault) -> None:
    """Bind a new gallery to the vault's key, making the key; of an old one check the key."""
    for table in _LATER:
        connection.execute(table)
    if connection.execute("SELECT count(*) FROM store").fetchone()[0]:
        check_key(connection, vault)
        return
    vault.create_key()
    connection.execute("INSERT INTO store VALUES (1, 0, ?)", (vault.digest(_KEY_CHECK),))


def check_key(connection: sqlite3.Connection, vault: Vault) -> None:
    """Raise ``StoreError`` unless the vault has the key that this gallery was sealed with."""
    row = connection.execute("SELECT key_check FROM store").fetchone()
    if row is not None and vault.digest(_KEY_CHECK) != row[0]:
        raise StoreError(f"{vault.key_file}: this is not the key that the gallery was sealed with")


def generation(connection: sqlite3.Connection) -> int:
    """Return the number that every change raises; 0 before the first."""
    row = connection.execute("SELECT generation FROM store").fetchone()
    return 0 if row is None else int(row[0])


def bump(connection: sqlite3.Connection) -> None:
    """Say, within the caller's transaction, that something changed."""
    connection.execute("UPDATE store SET generation = generation + 1")


@dataclass(frozen=True, slots=True)
class Rows:
    """People and templates as they lie on the disk, many at once."""

    people: list[tuple[str, bytes]]
    templates: list[tuple[str, str, str, bytes]]

    @classmethod
    def sealed(cls, vault: Vault, people: Iterable[Person], templates: Iterable[Template]) -> Self:
        """Seal them. Raises ``StoreError``."""
        return cls(
            [(one.person_id, seal_person(vault, one)) for one in people],
            [(one.template_id, one.person_id, one.space, seal_template(vault, one)) for one in templates],
        )

    def insert(self, connection: sqlite3.Connection) -> None:
        """Add all of them within the caller's transaction."""
        connection.executemany("INSERT INTO people VALUES (?, ?)", self.people)
        connection.executemany("INSERT INTO templates VALUES (?, ?, ?, ?)", self.templates)
        bump(connection)


def all_people(connection: sqlite3.Connection, vault: Vault) -> list[Person]:
    """Return everybody, ordered by name."""
    query = "SELECT rowid, person_id, sealed FROM people WHERE rowid > ?1"
    found = [unseal_person(vault, str(person_id), sealed) for person_id, sealed in _each(connection, query)]
    return sorted(found, key=lambda person: (person.name.casefold(), person.person_id))


def one_person(connection: sqlite3.Connection, vault: Vault, person_id: str) -> Person:
    """Return one person. Raises ``NotFoundError``."""
    row = connection.execute("SELECT sealed FROM people WHERE person_id = ?", (person_id,)).fetchone()
    if row is None:
        raise missing(person_id)
    return unseal_person(vault, person_id, row[0])


def templates_in(connection: sqlite3.Connection, vault: Vault, space: str | None) -> list[Template]:
    """Return the templates of ``space``, or all, in the order they were added."""
    return list(each_template(connection, vault, space))


def each_template(connection: sqlite3.Connection, vault: Vault, space: str | None) -> Iterator[Template]:
    """Yield the templates of ``space``, or all, in the order they were added."""
    query = (
        "SELECT rowid, template_id, person_id, space, sealed FROM templates"
        " WHERE rowid > ?1 AND (?3 IS NULL OR space = ?3)"
    )
    return (unseal_template(vault, row) for row in _each(connection, query, space))


def _each(connection: sqlite3.Connection, query: str, *terms: str | None) -> Iterator[tuple[object, ...]]:
    """Yield the rows of ``query``, but for their first column: ``rowid``, which is above ``?1``."""
    last = -(1 << 63)
    while rows := connection.execute(f"{query} ORDER BY rowid LIMIT ?2", (last, _AT_ONCE, *terms)).fetchall():
        for row in rows:
            yield row[1:]
        if rows[-1][0] <= last:
            raise StoreCorruptError("the gallery is damaged: its rows are out of order")
        last = rows[-1][0]


def templates_of_people(
    connection: sqlite3.Connection, vault: Vault, whose: tuple[Sequence[str], str]
) -> list[Template]:
    """Return the templates of people, by id, and of a space, in the order they were added."""
    person_ids, space = whose
    query = (
        "SELECT template_id, person_id, space, sealed FROM templates"
        " WHERE person_id IN (SELECT value FROM json_each(?)) AND space = ? ORDER BY rowid"
    )
    rows = connection.execute(query, (json.dumps(list(person_ids)), space)).fetchall()
    return _templates(rows, vault)


def templates_of(connection: sqlite3.Connection, vault: Vault, person_id: str) -> list[Template]:
    """Return the templates of one person, in the order they were added."""
    query = "SELECT template_id, person_id, space, sealed FROM templates WHERE person_id = ?"
    return _templates(connection.execute(f"{query} ORDER BY rowid", (person_id,)).fetchall(), vault)


def vetoes_in(connection: sqlite3.Connection, vault: Vault, space: str | None) -> list[Veto]:
    """Return the vetoes of ``space``, or all, in the order they were added; none of an old gallery."""
    if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'vetoes'").fetchone():
        return []
    query = "SELECT event_id, person_id, space, sealed FROM vetoes WHERE ?1 IS NULL OR space = ?1"
    rows = connection.execute(f"{query} ORDER BY rowid", (space,)).fetchall()
    return [unseal_veto(vault, row) for row in rows]


def give(connection: sqlite3.Connection, vault: Vault, source_id: str, into_id: str) -> None:
    """Make everything that is a person's another's; each record is sealed anew for its new owner.

    Not a PIN or badge: that was given to one of the two, and is no reason to let in the other.
    """
    for template in templates_of(connection, vault, source_id):
        moved = replace(template, person_id=into_id)
        connection.execute(
            "UPDATE templates SET person_id = ?, sealed = ? WHERE template_id = ?",
            (into_id, seal_template(vault, moved), moved.template_id),
        )
    query = "SELECT event_id, person_id, space, sealed FROM vetoes WHERE person_id = ?"
    for row in connection.execute(query, (source_id,)).fetchall():
        veto = replace(unseal_veto(vault, row), person_id=into_id)
        connection.execute(
            "UPDATE vetoes SET person_id = ?, sealed = ? WHERE event_id = ?",
            (into_id, seal_veto(vault, veto), veto.event_id),
        )
    distinctions.give(connection, vault, source_id, into_id)


def erase(connection: sqlite3.Connection, person_id: str) -> None:
    """Delete a person and everything that is theirs."""
    distinctions.erase(connection, person_id)
    for table in ("templates", "vetoes", "factors", "people"):
        connection.execute(f"DELETE FROM {table} WHERE person_id = ?", (person_id,))  # noqa: S608 - fixed names


def _templates(rows: Iterable[tuple[object, ...]], vault: Vault) -> list[Template]:
    return [unseal_template(vault, row) for row in rows]


def exists(connection: sqlite3.Connection, person_id: str) -> bool:
    """Whether somebody has this id."""
    row = connection.execute("SELECT 1 FROM people WHERE person_id = ?", (person_id,)).fetchone()
    return row is not None


def require(connection: sqlite3.Connection, person_id: str) -> None:
    """Raise ``NotFoundError`` unless somebody has this id; their record may be damaged."""
    if not exists(connection, person_id):
        raise missing(person_id)


def missing(person_id: str) -> NotFoundError:
    """Return the error that says that nobody has this id."""
    return NotFoundError(f"no person has the id {person_id[:80]!r}")
