"""PostgreSQL, for as many collectors as there are; psycopg 3 is the extra ``collect``.

Every wait ends: a database machine that lost its power must not hold the collector's one thread for the
minutes that TCP would try.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Self

import psycopg
from psycopg.conninfo import conninfo_to_dict

from edged.collecting.links import Row, UnstorableError
from edged.collecting.schema import VERSION, Types, statements
from edged.errors import ConfigError, StoreError

TYPES = Types(moment="timestamptz", json="jsonb", bytes="bytea")
# Below the smallest sensible keep-alive of the broker, which is served by the same thread.
_CONNECT_SECONDS = 5
_STATEMENT_MS = 10_000
# A person waits for a report of a year.
_QUESTION_MS = 300_000
# "edco"; of two collectors that start at once one makes the tables.
_OF_THE_VALUES = (
    psycopg.DataError, psycopg.IntegrityError, psycopg.errors.ProgramLimitExceeded,
    psycopg.errors.StatementTooComplex,
)  # fmt: skip
_MIGRATION_LOCK = 0x6564636F
_DEFAULTS: dict[str, Any] = {
    "connect_timeout": _CONNECT_SECONDS, "tcp_user_timeout": _STATEMENT_MS, "keepalives_idle": 10,
    "keepalives_interval": 5, "keepalives_count": 2, "application_name": "edged collect",
}  # fmt: skip


class PostgresLink:
    """See ``links.Link``."""

    insert_events = (
        "INSERT INTO events (event_id, site, door, epoch, seq, boot_id, occurred_at, mono_ms, time_synced,"
        " kind, person_id, body, received_at) SELECT r.*, %s::timestamptz FROM jsonb_to_recordset(%s::jsonb)"
        " AS r(event_id text, site text, door text, epoch text, seq bigint, boot_id text,"
        " occurred_at timestamptz, mono_ms bigint, time_synced boolean, kind text, person_id text,"
        " body jsonb) ON CONFLICT (event_id) DO NOTHING RETURNING event_id"
    )

    def __init__(self, where: str, connection: "psycopg.Connection[Row]") -> None:
        self.where = where
        self._connection = connection

    @classmethod
    def open(cls, url: str, *, writable: bool) -> Self:
        """Connect, and make the tables where it may. Raises ``ConfigError``, ``StoreError``."""
        try:
            given = conninfo_to_dict(url)
        except psycopg.Error as exc:  # whose text may quote the password
            raise ConfigError(["expected postgresql://USER@HOST/DATABASE"]) from exc
        # What follows a stray slash in a password is taken for the database's name.
        name = str(given.get("dbname", ""))
        where = f"postgresql://{given.get('host', '')}/{'' if '@' in name else name}"
        try:
            connection = psycopg.connect(url, autocommit=True, **(_DEFAULTS | given))
        except psycopg.Error as exc:
            raise StoreError(f"{where}: {_text(exc)}") from exc
        link = cls(where, connection)
        try:
            link._settle(_STATEMENT_MS if writable else _QUESTION_MS)
            link._prepare(writable=writable)
        except BaseException:
            link.close()
            raise
        return link

    def _settle(self, statement_ms: int) -> None:
        ((encoding,),) = self.execute("SELECT current_setting('server_encoding')")
        if encoding != "UTF8":
            raise StoreError(f"{self.where}: its encoding is {encoding}: events need UTF8")
        ((durable,),) = self.execute("SELECT current_setting('synchronous_commit')")
        if durable == "off":  # what is acknowledged must be on a disk
            self.execute("SET synchronous_commit = on")
        self.execute(f"SET statement_timeout = {statement_ms}")
        self.execute(f"SET idle_in_transaction_session_timeout = {_STATEMENT_MS}")
        self.execute("SET timezone = 'UTC'")

    def _prepare(self, *, writable: bool) -> None:
        version = self._version()
        if version == VERSION:
            return
        if not writable:
            raise StoreError(f"{self.where}: no events were collected here yet by this version")
        with self.transaction():
            self.execute(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")
            self.execute("CREATE TABLE IF NOT EXISTS edged_schema (version bigint PRIMARY KEY)")
            version = self._version()
            for text in statements(version, TYPES):
                self.execute(text)
            for made in range(version + 1, VERSION + 1):
                self.execute("INSERT INTO edged_schema (version) VALUES (%s)", (made,))

    def _version(self) -> int:
        ((there,),) = self.execute("SELECT to_regclass('edged_schema') IS NOT NULL")
        version = 0
        if there:
            ((version,),) = self.execute("SELECT coalesce(max(version), 0) FROM edged_schema")
        if version > VERSION:
            raise StoreError(f"{self.where}: made by a newer edged (version {version}, known {VERSION})")
        return int(version)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit at the end or roll back."""
        with self._translated(), self._connection.transaction():
            yield

    def execute(self, statement: str, values: Sequence[Any] = ()) -> list[Row]:
        """Run one statement and return its rows."""
        with self._translated():
            cursor = self._connection.execute(statement, tuple(values) or None)
            return [] if cursor.description is None else cursor.fetchall()

    def seconds(self, moment: Any) -> float:
        """Return a moment that was read as Unix seconds."""
        return float(moment.timestamp())

    def close(self) -> None:
        """End the connection."""
        with suppress(psycopg.Error):
            self._connection.close()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except _OF_THE_VALUES as exc:
            raise UnstorableError(f"{self.where}: {_text(exc)}") from exc
        except psycopg.Error as exc:
            raise StoreError(f"{self.where}: {_text(exc)}") from exc


def _text(exc: Exception) -> str:
    """Return the first line: the others quote values, which may be about a person."""
    return next(iter(str(exc).splitlines()), type(exc).__name__)[:300]
