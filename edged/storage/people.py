"""Enrolled people on disk: ids in the open, everything else sealed."""

import base64
import secrets
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import numpy as np

from edged.domain.people import Consent, Distinction, Person, Template, Veto
from edged.domain.second_factor import FactorKind
from edged.errors import EnrolmentError, NotFoundError, StoreError
from edged.storage import connections, distinctions, factors, people_queries
from edged.storage.database import Database
from edged.storage.files import identity, is_there
from edged.storage.people_checks import check_person, check_unit
from edged.storage.people_queries import SCHEMA
from edged.storage.people_records import NewTemplate, seal_person, seal_template, seal_veto
from edged.storage.vault import Vault

__all__ = ["Contents", "NewTemplate", "PeopleStore"]

T = TypeVar("T")

# A writer at the command line gives another one this long to finish.
_WRITER_WAIT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Contents:
    """One consistent view: ``generation`` is the one that ``people`` and ``templates`` belong to."""

    generation: int
    people: tuple[Person, ...]
    templates: tuple[Template, ...]
    vetoes: tuple[Veto, ...] = ()


class PeopleStore:
    """A gallery. Reading needs no writer: a daemon polls ``generation`` while a command enrols.

    A store that was never written is empty, of generation 0; it is picked up once it exists.
    """

    def __init__(self, path: Path, vault: Vault, database: Database | None) -> None:
        self._path = path
        self._vault = vault
        self._database = database

    @classmethod
    def open(
        cls,
        path: Path,
        vault: Vault,
        *,
        writable: bool,
        damaged: bool = False,
        wait_seconds: float = _WRITER_WAIT_SECONDS,
    ) -> Self:
        """Open the gallery at ``path``; ``writable`` makes it, and its key, if it is the first use.

        Another writer is waited for ``wait_seconds``. ``damaged``: a reader gets a damaged one too, and hears
        of it whenever it reads. Raises ``StoreError`` when another process writes, or without the right key.
        """
        store = cls(path, vault, None)
        if writable:
            store._database = Database.open(path, name="people", schema=SCHEMA, wait_seconds=wait_seconds)
            try:
                store._database.submit(
                    lambda connection: people_queries.initialise(connection, vault)
                ).result()
            except BaseException:
                store.close()
                raise
        elif not damaged:
            store.people()
        return store

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the writer, if there is one."""
        if self._database is not None:
            self._database.close()

    def generation(self) -> int:
        """Return a number that every change raises. Cheap: for polling. Raises ``StoreError``."""
        return self._read(people_queries.generation, 0)

    def identity(self) -> tuple[int, ...] | None:
        """Return what differs once the file was replaced, by a restored copy perhaps. For polling too.

        Two stores may have the same generation. Raises ``StoreError``.
        """
        return identity(self._path)

    def people(self) -> list[Person]:
        """Return everybody, ordered by name. Raises ``StoreError``, ``StoreCorruptError``."""

        def query(connection: sqlite3.Connection) -> list[Person]:
            people_queries.check_whole(connection, self._path)  # a gallery is loaded from here on
            return people_queries.all_people(connection, self._vault)

        return self._read_sealed(query, [])

    def person(self, person_id: str) -> Person:
        """Return one person. Raises ``NotFoundError``."""
        found = self._read_sealed(
            lambda connection: people_queries.one_person(connection, self._vault, person_id), None
        )
        if found is None:
            raise people_queries.missing(person_id)
        return found

    def templates(self, space: str | None = None) -> list[Template]:
        """Return all templates, or those of one embedding space. Raises ``StoreCorruptError``."""
        return self._read_sealed(
            lambda connection: people_queries.templates_in(connection, self._vault, space), []
        )

    def read_templates(self, space: str, use: Callable[[Iterable[Template]], T]) -> T:
        """Return what ``use`` makes of the templates of ``space``, which are read while it goes through them.

        Raises ``StoreError``, ``StoreCorruptError``, and what ``use`` raises.
        """

        def query(connection: sqlite3.Connection) -> tuple[T]:
            return (use(people_queries.each_template(connection, self._vault, space)),)

        found = self._read_sealed(query, None)
        return use(()) if found is None else found[0]

    def templates_of(self, person_ids: Sequence[str], space: str) -> list[Template]:
        """Return the templates of some people, each one's in the order they were added; from any thread.

        Raises ``StoreError``, ``StoreCorruptError``.
        """
        return self._read_sealed(
            lambda connection: people_queries.templates_of_people(
                connection, self._vault, (person_ids, space)
            ),
            [],
        )

    def vetoes(self, space: str | None = None) -> list[Veto]:
        """Return all vetoes, or those of one embedding space. Raises ``StoreCorruptError``."""
        return self._read_sealed(
            lambda connection: people_queries.vetoes_in(connection, self._vault, space), []
        )

    def distinctions(self) -> list[Distinction]:
        """Return which pairs were said to be two people. Raises ``StoreCorruptError``."""
        return self._read_sealed(lambda connection: distinctions.read(connection, self._vault), [])

    def contents(self, space: str | None = None) -> Contents:
        """Return generation, people, templates and vetoes as they were at one moment."""

        def query(connection: sqlite3.Connection) -> Contents:
            people_queries.check_whole(connection, self._path)
            return Contents(
                people_queries.generation(connection),
                tuple(people_queries.all_people(connection, self._vault)),
                tuple(people_queries.templates_in(connection, self._vault, space)),
                tuple(people_queries.vetoes_in(connection, self._vault, space)),
            )

        return self._read_sealed(query, Contents(0, (), ()))

    def add_person(
        self,
        name: str,
        *,
        person_id: str | None = None,
        valid_from: datetime | None = None,
        valid_until: datetime | None = None,
        groups: Iterable[str] = (),
        consent: Consent | None = None,
    ) -> Person:
        """Store a new person; the id is made at random unless given.

        Raises ``EnrolmentError`` with the reason ``bad_name``, ``bad_person_id``, ``person_id_taken``,
        ``bad_validity``; ``StoreError``.
        """
        person = Person(
            person_id=_new_id("p-") if person_id is None else person_id,
            name=" ".join(name.split()),
            valid_from=valid_from,
            valid_until=valid_until,
            groups=frozenset(groups),
            consent=consent,
            created_at=datetime.now(UTC),
        )
        check_person(person)
        sealed = seal_person(self._vault, person)

        def work(connection: sqlite3.Connection) -> None:
            if people_queries.exists(connection, person.person_id):
                raise EnrolmentError("person_id_taken", f"the id {person.person_id!r} belongs to somebody")
            connection.execute("INSERT INTO people VALUES (?, ?)", (person.person_id, sealed))

        self._change(work)
        return person

    def update_person(self, person: Person) -> Person:
        """Replace all but the id of a person. Raises ``NotFoundError``, ``EnrolmentError``."""
        person = replace(person, name=" ".join(person.name.split()))
        check_person(person)
        sealed = seal_person(self._vault, person)

        def work(connection: sqlite3.Connection) -> None:
            people_queries.require(connection, person.person_id)
            connection.execute("UPDATE people SET sealed = ? WHERE person_id = ?", (sealed, person.person_id))

        self._change(work)
        return person

    def forget(self, person_id: str) -> None:
        """Erase a person, their templates and vetoes, in the database and its WAL.

        Raises ``NotFoundError``; ``StoreError`` when a reader kept old pages from being overwritten:
        the person is then removed, and the bytes go when a writer closes the gallery without readers.
        """

        def work(connection: sqlite3.Connection) -> None:
            people_queries.require(connection, person_id)
            people_queries.erase(connection, person_id)

        self._change(work)
        self._erase()

    def merge(self, source_id: str, into_id: str) -> None:
        """Give the templates and vetoes of ``source_id`` to ``into_id`` and erase the source.

        Raises ``NotFoundError``; ``EnrolmentError`` with the reason ``same_person``.
        """
        if source_id == into_id:
            raise EnrolmentError("same_person", f"expected two people, got {source_id!r} twice")

        def work(connection: sqlite3.Connection) -> None:
            people_queries.require(connection, source_id)
            people_queries.require(connection, into_id)
            people_queries.give(connection, self._vault, source_id, into_id)
            people_queries.erase(connection, source_id)

        self._change(work)
        self._erase()

    def add_templates(self, person_id: str, templates: Sequence[NewTemplate]) -> list[Template]:
        """Store templates of a person, all or none.

        Raises ``NotFoundError``; ``ValueError`` on a vector that is not finite and of unit length.
        """
        now = datetime.now(UTC)
        made = [_template(person_id, new, now) for new in templates]
        rows = [
            (each.template_id, each.person_id, each.space, seal_template(self._vault, each)) for each in made
        ]

        def work(connection: sqlite3.Connection) -> None:
            people_queries.require(connection, person_id)
            connection.executemany("INSERT INTO templates VALUES (?, ?, ?, ?)", rows)

        self._change(work)
        return made

    def remove_template(self, template_id: str) -> None:
        """Erase one template. Raises ``NotFoundError``, ``StoreError`` as ``forget``."""

        def work(connection: sqlite3.Connection) -> None:
            cursor = connection.execute("DELETE FROM templates WHERE template_id = ?", (template_id,))
            if cursor.rowcount != 1:
                raise NotFoundError(f"no template has the id {template_id!r}")

        self._change(work)
        self._erase()

    def add_veto(self, veto: Veto) -> None:
        """Store a veto; the one that its event made before is replaced.

        Raises ``NotFoundError``; ``ValueError`` on a vector that is not finite and of unit length.
        """
        check_unit("veto", veto.vector)
        row = (veto.event_id, veto.person_id, veto.space, seal_veto(self._vault, veto))

        def work(connection: sqlite3.Connection) -> None:
            people_queries.require(connection, veto.person_id)
            connection.execute("INSERT OR REPLACE INTO vetoes VALUES (?, ?, ?, ?)", row)

        self._change(work)

    def remove_veto(self, event_id: str) -> None:
        """Erase the veto of an event. Raises ``NotFoundError``, ``StoreError`` as ``forget``."""

        def work(connection: sqlite3.Connection) -> None:
            cursor = connection.execute("DELETE FROM vetoes WHERE event_id = ?", (event_id,))
            if cursor.rowcount != 1:
                raise NotFoundError(f"no veto was made of the event {event_id[:80]!r}")

        self._change(work)
        self._erase()

    def add_distinction(self, said: Distinction) -> None:
        """Keep that two are two; what was said of them before is replaced. Raises ``NotFoundError``."""

        def work(connection: sqlite3.Connection) -> None:
            for person_id in said.pair:
                people_queries.require(connection, person_id)
            distinctions.write(connection, self._vault, said)

        self._change(work)

    def remove_distinction(self, pair: frozenset[str]) -> None:
        """Take back that two are two. Raises ``NotFoundError``."""
        self._change(lambda connection: distinctions.remove(connection, pair))

    def factor_kinds(self) -> dict[str, frozenset[FactorKind]]:
        """Return who has a PIN or badge. Raises ``StoreCorruptError``."""
        return self._read(factors.kinds, {})

    def factors(self, person_id: str) -> dict[FactorKind, factors.Verifier]:
        """Return what checks a person's answers; from any thread. Raises ``StoreError``."""
        return self._read_sealed(lambda connection: factors.read(connection, self._vault, person_id), {})

    def set_factor(self, person_id: str, kind: FactorKind, text: str) -> None:
        """Give a person a PIN or badge in place of the one before. Raises ``NotFoundError``."""
        made = factors.Verifier.of(text), datetime.now(UTC)

        def work(connection: sqlite3.Connection) -> None:
            people_queries.require(connection, person_id)
            factors.write(connection, self._vault, person_id, kind, made)

        self._change(work)
        self._erase()

    def remove_factor(self, person_id: str, kind: FactorKind) -> None:
        """Erase a person's PIN or badge. Raises ``NotFoundError``, ``StoreError`` as ``forget``."""
        self._change(lambda connection: factors.remove(connection, person_id, kind))
        self._erase()

    def _read_sealed(self, query: Callable[[sqlite3.Connection], T], default: T) -> T:
        def checked(connection: sqlite3.Connection) -> T:
            people_queries.check_key(connection, self._vault)
            return query(connection)

        return self._read(checked, default)

    def _read(self, query: Callable[[sqlite3.Connection], T], default: T) -> T:
        """Ask on a connection of its own; ``default`` where no gallery was made yet."""
        if not is_there(self._path):
            return default
        with connections.reading(self._path) as connection:
            connection.execute("BEGIN")  # one snapshot for all that ``query`` asks
            if not connections.check_header(connection, self._path, SCHEMA):
                return default
            return query(connection)

    def _change(self, work: Callable[[sqlite3.Connection], None]) -> None:
        if self._database is None:
            raise StoreError(f"{self._path}: opened for reading; expected a writable gallery")

        def counted(connection: sqlite3.Connection) -> None:
            work(connection)
            people_queries.bump(connection)

        self._database.submit(counted).result()

    def _erase(self) -> None:
        """Overwrite what was deleted: with ``secure_delete`` it stands in the WAL until a checkpoint."""
        if self._database is None or not self._database.truncate_wal():
            raise StoreError(
                f"{self._path}: deleted, but a reader kept the old pages; they go when the gallery is closed"
            )


def _new_id(prefix: str) -> str:
    # 10 letters of base32 are 50 random bits: not to be guessed, and no collision in any gallery.
    return prefix + base64.b32encode(secrets.token_bytes(7)).decode("ascii")[:10].lower()


def _template(person_id: str, new: NewTemplate, now: datetime) -> Template:
    check_unit("template", new.vector)
    vector = np.array(new.vector, np.float32)
    vector.flags.writeable = False
    return Template(_new_id("t-"), person_id, new.space, vector, new.quality, new.photo_digest, now)
