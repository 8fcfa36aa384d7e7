"""One writing process a database: an advisory lock on a file beside it."""

import fcntl
import os
import time
from pathlib import Path

from edged.errors import StoreBusyError, StoreError
from edged.storage.files import FILE_MODE, inherit_owner

_POLL_SECONDS = 0.05


class WriterGuard:
    """Held from ``acquire`` to ``release``, or to the death of the process, whatever comes first.

    Two connections that write or checkpoint at once can damage a WAL database before SQLite 3.51.3
    (sqlite.org/wal.html#walresetbug); the boards that edged runs on ship older ones.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def acquire(cls, database: Path, wait_seconds: float) -> "WriterGuard":
        """Claim ``database``, waiting up to ``wait_seconds``.

        Raises ``StoreBusyError`` naming the process that holds it, ``StoreError`` where it cannot be locked.
        """
        path = lock_path(database)
        descriptor = _open(path)
        deadline = time.monotonic() + wait_seconds
        try:
            while not _try_lock(descriptor):
                if time.monotonic() >= deadline:
                    holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
                    raise StoreBusyError(
                        f"{database}: process {holder} is writing to it; expected no other writer"
                    )
                time.sleep(_POLL_SECONDS)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        except OSError as exc:
            os.close(descriptor)
            if isinstance(exc, StoreError):
                raise
            raise StoreError(f"{path}: cannot be locked: {exc.strerror}") from exc
        return cls(descriptor)

    def release(self) -> None:
        """Let the next writer in. The file stays: removing it would let two in."""
        os.close(self._descriptor)


def lock_path(database: Path) -> Path:
    """Return the file that is locked for ``database``."""
    return database.with_name(f"{database.name}.lock")


def _open(path: Path) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        descriptor = os.open(path, flags, FILE_MODE)
        inherit_owner(path)
    except OSError as exc:
        raise StoreError(f"{path}: cannot be opened: {exc.strerror}") from exc
    return descriptor


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
