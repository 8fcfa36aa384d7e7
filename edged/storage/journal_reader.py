"""The journal as others read it: any process, any time, without the writer's help."""

import logging
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from edged.domain.clock_correction import Correction, corrected
from edged.domain.risk import Traffic
from edged.domain.types import EventKind, StoredEvent
from edged.errors import NotFoundError, StoreCorruptError, StoreError
from edged.storage import connections, journal_check, journal_clock, journal_ends, journal_rows
from edged.storage.connections import translate
from edged.storage.files import is_there
from edged.storage.journal_check import Verification
from edged.storage.journal_rows import COLUMNS
from edged.storage.journal_schema import SCHEMA

logger = logging.getLogger(__name__)

# Pages, so that a slow consumer holds no snapshot: one would keep the WAL from being checkpointed.
_PAGE = 500
_FOLLOW_SECONDS = 0.5
# Four weeks even out holidays and weekends. A busy door has some 1,000 events a day.
_TRAFFIC_SECONDS = 28 * 86_400.0
_TRAFFIC_EVENTS = 10_000
# Some starts without a time server, each with a visit or two; read once, at the start.
_TIMES_EVENTS = 500


def _refuse(error: StoreCorruptError) -> None:
    raise error


class JournalReader:
    """Read-only. ``on_damage`` is told of each row that fails its checksum; by default it raises."""

    def __init__(
        self, path: Path, connection: sqlite3.Connection, on_damage: Callable[[StoreCorruptError], None]
    ) -> None:
        self._path = path
        self._connection = connection
        self._on_damage = on_damage
        self.epoch = ""
        self._corrections: dict[str, list[Correction]] = {}

    @classmethod
    def open(cls, path: Path, *, on_damage: Callable[[StoreCorruptError], None] = _refuse) -> Self:
        """Open the journal at ``path``. Raises ``StoreError`` where there is none or it does not open."""
        if not is_there(path):
            raise StoreError(f"{path}: there is no journal; the daemon makes it at its first start")
        try:
            reader = cls(path, connections.open_reader(path), on_damage)
        except connections.FAILURES as exc:
            raise translate(path, exc) from exc
        try:
            reader._load()
        except BaseException:
            reader.close()
            raise
        return reader

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def events(
        self,
        *,
        since: float | None = None,
        until: float | None = None,
        kind: EventKind | None = None,
        person_id: str | None = None,
        after_seq: int = 0,
        limit: int | None = None,
    ) -> Iterator[StoredEvent]:
        """Yield events by seq: ``since`` <= happened_at < ``until`` (Unix seconds).

        With ``limit`` only the newest so many. Raises ``StoreError``; ``StoreCorruptError`` at a
        damaged row unless ``on_damage`` forgives it.
        """
        wanted = {"since": since, "until": until, "kind": kind and kind.value, "person_id": person_id}
        where = " AND ".join(_CONDITIONS[name] for name, value in wanted.items() if value is not None) or "1"
        if since is not None or until is not None:
            self._corrections = self._read_corrections()
        if self._corrections:
            # Their columns hold a time that was not right: whether they belong is seen once it is known.
            for name in ("since", "until"):
                where = where.replace(_CONDITIONS[name], f"({_CONDITIONS[name]} OR {journal_clock.WRONG})")
        values: dict[str, Any] = wanted | {"stepped": journal_clock.stepped(self._corrections)}
        if limit is not None:
            after_seq = max(after_seq, self._before_newest(where, values, limit))
        query = f"SELECT {COLUMNS} FROM events e WHERE seq > :after AND {where} ORDER BY seq LIMIT {_PAGE}"  # noqa: S608 - fixed texts
        while True:
            with self._translated():
                page = self._connection.execute(query, values | {"after": after_seq}).fetchall()
            for stored in self._decoded(page):
                if (since is None or since <= stored.happened_at) and (
                    until is None or stored.happened_at < until
                ):
                    yield stored
            if len(page) < _PAGE:
                return
            after_seq = page[-1][0]

    def follow(
        self,
        after_seq: int,
        *,
        poll_seconds: float = _FOLLOW_SECONDS,
        wait: Callable[[float], None] = time.sleep,
    ) -> Iterator[StoredEvent]:
        """Yield events after ``after_seq`` as they are recorded, for ever. Raises as ``events``."""
        seen = None
        while True:
            version = self._data_version()
            if version == seen:
                wait(poll_seconds)
                continue
            seen, newest = version, self.last_seq()
            for event in self.events(after_seq=after_seq):
                after_seq = event.seq
                yield event
            after_seq = max(after_seq, newest)  # past a damaged row at the end too

    def last_seq(self) -> int:
        """Return the seq of the newest event, 0 if there is none."""
        with self._translated():
            ends = journal_ends.read_ends(self._connection)
        return 0 if ends is None else ends.head_seq

    def traffic(self, now: float) -> Traffic:
        """Count the visits, which are access events, of the last 28 days until ``now`` (Unix seconds).

        Only the newest 10,000 events are looked at, so that it never takes long. Raises ``StoreError``.
        """
        query = """SELECT coalesce(sum(kind = 'access'), 0), min(occurred_at) FROM
            (SELECT kind, occurred_at FROM events ORDER BY seq DESC LIMIT :rows)
            WHERE occurred_at BETWEEN :since AND :now"""
        values = {"rows": _TRAFFIC_EVENTS, "since": now - _TRAFFIC_SECONDS, "now": now}
        with self._translated():
            visits, oldest = self._connection.execute(query, values).fetchone()
        return Traffic(int(visits), 1.0 if oldest is None else max(1.0, (now - oldest) / 86_400))

    def find(self, event_id: str) -> StoredEvent:
        """Return the event of an id, or of the beginning of one if no other begins so.

        Raises ``NotFoundError``, ``StoreCorruptError``.
        """
        prefix = event_id.strip().upper()
        query = (
            f"SELECT {COLUMNS} FROM events e WHERE event_id >= ? AND event_id < ? ORDER BY event_id LIMIT 2"  # noqa: S608 - column names
        )
        with self._translated():
            rows = self._connection.execute(query, (prefix, prefix + "\U0010ffff")).fetchall()
        if not prefix or not rows:
            raise NotFoundError(f"no event has the id {event_id[:80]!r}")
        if len(rows) > 1 and rows[0][1] != prefix:
            raise NotFoundError(f"{event_id[:80]!r} is the beginning of several event ids; give more of it")
        return corrected(journal_rows.decode(self.epoch, rows[0]), self._read_corrections())

    def verify(self) -> Verification:
        """Check every row and the chain. Raises ``StoreCorruptError`` where pages cannot be read."""
        with self._translated():
            return journal_check.verify(self._connection)

    def _load(self) -> None:
        with self._translated():
            if not connections.check_header(self._connection, self._path, SCHEMA):
                raise StoreError(f"{self._path}: the journal was not made yet")
            ends = journal_ends.read_ends(self._connection)
        self.epoch = "" if ends is None else ends.epoch
        self._corrections = self._read_corrections()

    def _before_newest(self, where: str, values: dict[str, Any], limit: int) -> int:
        query = (
            f"SELECT min(seq) FROM (SELECT seq FROM events e WHERE {where} ORDER BY seq DESC LIMIT :limit)"  # noqa: S608 - fixed texts
        )
        with self._translated():
            (first,) = self._connection.execute(query, values | {"limit": limit}).fetchone()
        # With a limit of 0 nothing is wanted: start behind the newest.
        return self.last_seq() if first is None else int(first) - 1

    def _data_version(self) -> int:
        with self._translated():
            return int(self._connection.execute("PRAGMA data_version").fetchone()[0])

    def _decoded(self, page: list[Any]) -> Iterator[StoredEvent]:
        for row in page:
            try:
                event = journal_rows.decode(self.epoch, row)
            except StoreCorruptError as exc:
                self._on_damage(exc)
                continue
            yield corrected(event, self._corrections)

    def _read_corrections(self) -> dict[str, list[Correction]]:
        with self._translated():
            return journal_clock.read_corrections(self._connection, self.epoch)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except connections.FAILURES as exc:
            raise translate(self._path, exc) from exc


def traffic_of(path: Path, now: float) -> Traffic | None:
    """Return the traffic of the journal at ``path``, or None, logged, where it cannot be read."""
    try:
        with JournalReader.open(path) as reader:
            return reader.traffic(now)
    except StoreError as exc:
        logger.warning("visits not counted error=%s", exc)
        return None


def newest_times(path: Path) -> tuple[float, float]:
    """Return the newest time that is known in the journal at ``path``, and the newest of any kind.

    Unix seconds; minus infinity, logged, where there is none.
    """
    known = newest = float("-inf")
    try:
        with JournalReader.open(path, on_damage=lambda _damage: None) as reader:
            for stored in reader.events(limit=_TIMES_EVENTS):
                newest = max(newest, stored.happened_at)
                if stored.event.time_synced or stored.corrected_at is not None:
                    known = max(known, stored.happened_at)
    except StoreError as exc:
        logger.warning("newest time not read error=%s", exc)
    return known, newest


_CONDITIONS = {
    "since": "occurred_at >= :since",
    "until": "occurred_at < :until",
    "kind": "kind = :kind",
    "person_id": "person_id = :person_id",
}
