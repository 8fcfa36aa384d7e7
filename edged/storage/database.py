"""One writer: one SQLite connection in one named thread, with a bounded inbox."""

import logging
import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from edged.errors import EdgedError, StoreCorruptError, StoreError, StoreFullError
from edged.storage import connections
from edged.storage.connections import Schema, translate
from edged.storage.files import create_private_file, is_there, make_private_directory
from edged.storage.guard import WriterGuard

logger = logging.getLogger(__name__)

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

# A healthy card commits in 20 ms, so a full inbox is minutes behind: it is broken, not busy.
_INBOX = 1024
_IDLE_SECONDS = 0.5


def check_or_create(path: Path, schema: Schema) -> None:
    """Check the database at ``path`` or make an empty file. Raises ``StoreError``, ``StoreCorruptError``."""
    if is_there(path) or not create_private_file(path):
        connections.roll_back(path)
        connections.check(path, schema)


@dataclass(frozen=True, slots=True)
class _Job:
    work: Work[Any]
    transaction: bool
    future: "Future[Any]"


class Database:
    """Runs every write of ``path``, one at a time, in the order of arrival.

    ``idle`` is called about twice a second while nothing waits; it may submit work of low urgency.
    Callbacks of the futures run in the writer's thread and must be short.
    """

    def __init__(
        self,
        path: Path,
        name: str,
        guard: WriterGuard,
        idle: Callable[[], object],
        relieve: Callable[[], bool] = lambda: False,
    ) -> None:
        self.path = path
        self._relieve = relieve
        self._guard = guard
        self._idle = idle
        self._jobs: queue.Queue[_Job | None] = queue.Queue(_INBOX)
        self._closing = threading.Lock()
        self._closed = False
        self._connection: sqlite3.Connection | None = None
        self.damaged = False  # a write met damage: the file must be opened anew before it is relied on
        self._thread = threading.Thread(target=self._run, name=f"edged-{name}", daemon=True)

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        name: str,
        schema: Schema,
        wait_seconds: float = 0.0,
        idle: Callable[[], object] = lambda: None,
        prepare: Callable[[Path, Schema], None] = check_or_create,
        relieve: Callable[[], bool] = lambda: False,
    ) -> "Database":
        """Check ``path``, or make it, and start its writer.

        ``prepare`` does the checking and making, as ``check_or_create`` does, under the writer's lock.
        ``relieve`` is asked once for each write that finds the disk full; True: there is space now.

        Another writing process is waited for ``wait_seconds``. Raises ``StoreError`` when it is still
        there or the file does not open, ``StoreCorruptError`` on damage; the file is then untouched.
        """
        make_private_directory(path.parent)
        guard = WriterGuard.acquire(path, wait_seconds)
        try:
            prepare(path, schema)
        except BaseException:
            guard.release()
            raise
        database = cls(path, name, guard, idle, relieve)
        database._thread.start()
        try:
            database.submit(lambda connection: connections.create(connection, schema)).result()
        except BaseException:
            database.close()
            raise
        return database

    @property
    def alive(self) -> bool:
        """Whether there is anybody to write."""
        return self._thread.is_alive()

    def submit(self, work: Work[T], *, transaction: bool = True) -> "Future[T]":
        """Queue ``work``; never blocks. It runs in one transaction, kept or undone as a whole.

        The future fails with ``StoreError`` or its leaves; at once when the inbox is full or closed.
        """
        future: Future[T] = Future()
        with self._closing:
            if self._closed:
                future.set_exception(StoreError(f"{self.path}: it is closed"))
                return future
            try:
                self._jobs.put_nowait(_Job(work, transaction, future))
            except queue.Full:
                future.set_exception(StoreError(f"{self.path}: {_INBOX} writes are waiting already"))
        return future

    def truncate_wal(self) -> bool:
        """Move everything into the database file and empty the WAL; False while a reader forbids it."""
        return self.submit(_truncate_wal, transaction=False).result()

    def close(self) -> None:
        """Do what was submitted, empty the WAL, close the file and let the next writer in."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
        self._jobs.put(None)
        self._thread.join()
        self._guard.release()

    def _run(self) -> None:
        while True:
            try:
                job = self._jobs.get(timeout=_IDLE_SECONDS)
            except queue.Empty:
                self._idle()
                continue
            if job is None:
                break
            if job.future.set_running_or_notify_cancel():
                self._do(job)
        self._disconnect()

    def _do(self, job: _Job) -> None:
        try:
            result = self._perform_relieved(job)
        except EdgedError as exc:
            self._undo()
            self.damaged |= isinstance(exc, StoreCorruptError)
            job.future.set_exception(exc)
        except connections.FAILURES as exc:
            self._undo()
            failure = translate(self.path, exc)
            failure.__cause__ = exc
            self.damaged |= isinstance(failure, StoreCorruptError)
            job.future.set_exception(failure)
        except Exception as exc:  # noqa: BLE001 - top of the thread: the caller gets it, the next write must run
            self._undo()
            job.future.set_exception(exc)
        else:
            job.future.set_result(result)

    def _perform_relieved(self, job: _Job) -> Any:
        try:
            return self._perform(job)
        except connections.FAILURES as exc:
            if not isinstance(translate(self.path, exc), StoreFullError) or not self._relieve():
                raise
        self._undo()
        return self._perform(job)

    def _perform(self, job: _Job) -> Any:
        if self._connection is None:
            self._connection = connections.open_writer(self.path)
        if not job.transaction:
            return job.work(self._connection)
        self._connection.execute("BEGIN IMMEDIATE")
        result = job.work(self._connection)
        self._connection.execute("COMMIT")
        return result

    def _undo(self) -> None:
        """Leave no transaction open; a connection that cannot roll back is replaced at the next write."""
        connection = self._connection
        if connection is None or not connection.in_transaction:
            return
        try:
            connection.execute("ROLLBACK")
        except sqlite3.Error:
            self._connection = None
            connection.close()

    def _disconnect(self) -> None:
        if self._connection is None:
            return
        try:
            _truncate_wal(self._connection)
        except sqlite3.Error as exc:
            # Nothing is lost: what was committed is in the WAL, and the next start reads it.
            logger.warning("checkpoint failed file=%s error=%s", self.path.name, exc)
        self._connection.close()


def _truncate_wal(connection: sqlite3.Connection) -> bool:
    (busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not busy
