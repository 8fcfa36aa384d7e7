"""SQLite, for one machine: several collectors may share the file."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from edged.collecting.links import Row, UnstorableError
from edged.collecting.schema import VERSION, Types, statements
from edged.errors import StoreError
from edged.storage import connections
from edged.storage.connections import translate

TYPES = Types(moment="text", json="text", bytes="blob")
# "edco": a journal or any other database is refused before anything is made in it.
_APPLICATION_ID = 0x6564636F
_COLUMNS = (
    "event_id", "site", "door", "epoch", "seq", "boot_id", "occurred_at", "mono_ms", "time_synced", "kind",
    "person_id",
)  # fmt: skip


class SqliteLink:
    """See ``links.Link``."""

    insert_events = (
        f"INSERT INTO events ({', '.join(_COLUMNS)}, body, received_at)"  # noqa: S608 - column names
        f" SELECT {', '.join(f'value ->> {name!r}' for name in _COLUMNS)}, value -> 'body', %s"
        " FROM json_each(%s) WHERE true ON CONFLICT DO NOTHING RETURNING event_id"
    )

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self.where = f"sqlite:{path}"
        self._connection = connection

    @classmethod
    def open(cls, path: Path, *, writable: bool) -> Self:
        """Open, and make where it may, the database at ``path``. Raises ``StoreError``."""
        try:
            if writable:
                path.touch(mode=0o600)
            connection = connections.open_writer(path) if writable else connections.open_reader(path)
        except connections.FAILURES as exc:
            raise translate(path, exc) from exc
        except OSError as exc:
            raise StoreError(f"{path}: {exc.strerror or exc}") from exc
        link = cls(path, connection)
        try:
            link._prepare(writable=writable)
        except BaseException:
            link.close()
            raise
        return link

    def _prepare(self, *, writable: bool) -> None:
        with self.transaction() if writable else self._translated():
            ((version,),) = self.execute("PRAGMA user_version")
            ((application,),) = self.execute("PRAGMA application_id")
            ((tables,),) = self.execute("SELECT count(*) FROM sqlite_schema")
            if (version or tables) and application != _APPLICATION_ID:
                raise StoreError(f"{self._path}: a database of something else")
            if version > VERSION:
                raise StoreError(f"{self._path}: made by a newer edged (version {version}, known {VERSION})")
            if version == VERSION:
                return
            if not writable:
                raise StoreError(f"{self._path}: no events were collected here yet by this version")
            for text in statements(version, TYPES):
                self.execute(text)
            self.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            self.execute(f"PRAGMA user_version = {VERSION}")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit at the end, with ``synchronous=FULL``, or roll back."""
        self.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.execute("COMMIT")
        except BaseException:
            self._give_up()
            raise

    def execute(self, statement: str, values: Sequence[Any] = ()) -> list[Row]:
        """Run one statement and return its rows."""
        with self._translated():
            return self._connection.execute(
                statement.replace("%s", "?").replace("%%", "%"), tuple(values)
            ).fetchall()

    def seconds(self, moment: Any) -> float:
        """Return a moment that was read as Unix seconds."""
        return datetime.fromisoformat(moment).timestamp()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _give_up(self) -> None:
        if self._connection.in_transaction:
            self._quietly(self._connection.rollback)

    @staticmethod
    def _quietly(call: Callable[[], None]) -> None:
        try:
            call()
        except sqlite3.Error:
            return  # the file's fault was said already; SQLite rolls back at the next opening

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.DataError, sqlite3.IntegrityError) as exc:
            raise UnstorableError(f"{self._path}: {exc}") from exc
        except connections.FAILURES as exc:
            raise translate(self._path, exc) from exc
