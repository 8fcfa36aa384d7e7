"""One command at a time changes the publisher's folder: a timer renews it while somebody publishes."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edged.errors import StoreError
from edged.storage.files import FILE_MODE, make_private_directory

# A first publication of ten thousand people to a broker far away takes about as long.
_WAIT_SECONDS = 120.0
_TRY_SECONDS = 0.05


class FolderTurn:
    """A lock on ``directory``, of the operating system: it ends with the process. For one thread."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / ".turn"
        self._depth = 0

    @contextmanager
    def held(self, seconds: float = _WAIT_SECONDS) -> Iterator[None]:
        """Hold it; whoever holds it already goes on. Raises ``StoreError`` where it does not become free."""
        if self._depth:
            yield
            return
        make_private_directory(self._path.parent)
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
        except OSError as exc:
            raise StoreError(f"{self._path}: cannot be opened: {exc.strerror}") from exc
        try:
            self._take(descriptor, time.monotonic() + seconds)
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
        finally:
            os.close(descriptor)

    def _take(self, descriptor: int, deadline: float) -> None:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as exc:
                if time.monotonic() >= deadline:
                    raise StoreError(f"{self._path.parent}: another command is at work on it") from exc
                time.sleep(_TRY_SECONDS)
            else:
                return
