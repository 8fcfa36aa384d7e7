"""A database, as much of it as is needed here; which one is said by its URL.

Statements have ``%s`` for values, as psycopg wants them. A moment is text on the way in, as on the wire.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from edged.errors import ConfigError, StoreError

Row = tuple[Any, ...]


class UnstorableError(StoreError):
    """The database takes the connection but not these values; they would fail tomorrow as well."""


class Link(Protocol):
    """One connection, for one thread. Methods raise ``StoreError``, ``UnstorableError`` for values."""

    # Rows out of the JSON list that is the one value, and the row ``r`` of each; see ``event_store``.
    insert_events: str
    # For people and logs: no password.
    where: str

    def transaction(self) -> AbstractContextManager[None]:
        """Commit at the end of a ``with`` block, durably, or roll back."""
        ...

    def execute(self, statement: str, values: Sequence[Any] = ()) -> list[Row]:
        """Run one statement and return its rows, none where it has none."""
        ...

    def seconds(self, moment: Any) -> float:
        """Return a moment that was read as Unix seconds."""
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...


def open_link(url: str, *, writable: bool = True) -> Link:
    """Return a connection to ``postgresql://...`` or ``sqlite:PATH``, its tables made where ``writable``.

    Raises ``ConfigError`` on another URL or without psycopg, ``StoreError`` where it does not open.
    """
    scheme = url.partition(":")[0]
    if scheme == "sqlite":
        from edged.collecting.link_sqlite import SqliteLink  # noqa: PLC0415 - the one that is asked for

        return SqliteLink.open(_path(url), writable=writable)
    if scheme in ("postgresql", "postgres"):
        try:
            from edged.collecting.link_postgres import PostgresLink  # noqa: PLC0415 - an extra
        except ImportError as exc:
            raise ConfigError(
                [f"PostgreSQL needs psycopg: pip install 'psycopg[binary]>=3.2' ({exc})"]
            ) from exc
        return PostgresLink.open(url, writable=writable)
    raise ConfigError([f"database {scheme[:20]!r}: expected postgresql://... or sqlite:PATH"])


def _path(url: str) -> Path:
    path = url.removeprefix("sqlite:")
    if path.startswith("//"):
        path = path[2:]
        if not path.startswith("/"):
            raise ConfigError([f"{url!r}: expected sqlite:PATH or sqlite:///PATH"])
    if not path:
        raise ConfigError(["sqlite: expected a path, sqlite:PATH"])
    return Path(path)
