"""Blobs as they came, each named by its SHA-256; they stay sealed: no template lies in the open on disk."""

import errno
import hashlib
import os
import re
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from edged.errors import StoreCorruptError, StoreError
from edged.storage.files import (
    create_private_file,
    identity,
    is_there,
    make_private_directory,
    replace_private_file,
    sync_directory,
)

_NAME = re.compile(r"[0-9a-f]{64}")
# How long a file's inode and time of change answer for its bytes. To read and hash those of 10,000 people
# took as much CPU time as the rest of a change of one of them; a disk that rots is noticed in an hour.
_TRUSTED_SECONDS = 3600.0


class BlobFolder:
    """Raises ``StoreError`` where the folder cannot be read or written."""

    def __init__(self, directory: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._directory = directory
        self._clock = clock
        self._read_at: dict[str, tuple[tuple[int, ...], float]] = {}

    def whole(self, sha256: str) -> bool:
        """Whether the blob lies here, with the bytes that it came with.

        A file that was read within the hour and has not been touched since is not read again.
        """
        found, now = identity(f"{self._directory}/{sha256}"), self._clock()
        if found is None:
            return False
        known = self._read_at.get(sha256)
        if known is not None and known[0] == found and now - known[1] < _TRUSTED_SECONDS:
            return True
        try:
            self.get(sha256)
        except StoreCorruptError:
            self._read_at.pop(sha256, None)
            return False
        self._read_at[sha256] = (found, now)
        return True

    def get(self, sha256: str) -> bytes:
        """Return a blob. Raises ``StoreCorruptError`` where its bytes are others, or gone."""
        path = self._directory / sha256
        try:
            data = path.read_bytes()
        except FileNotFoundError as exc:
            raise StoreCorruptError(f"{path}: is missing") from exc
        except OSError as exc:
            # A sector that is gone is damage like any other: what it held is fetched again.
            kind = StoreCorruptError if exc.errno == errno.EIO else StoreError
            raise kind(f"{path}: cannot be read: {exc.strerror}") from exc
        if hashlib.sha256(data).hexdigest() != sha256:
            raise StoreCorruptError(f"{path}: its bytes are not what they were")
        return data

    def put(self, sha256: str, data: bytes) -> None:
        """Keep a blob, durably. One that is damaged is replaced."""
        self.put_all([(sha256, data)])

    def put_all(self, blobs: Iterable[tuple[str, bytes]]) -> None:
        """Keep blobs; durably from the return on, each with its bytes whole before that."""
        make_private_directory(self._directory)
        try:
            for sha256, data in blobs:
                path = self._directory / sha256
                if not create_private_file(path, data, settle=False):
                    try:
                        self.get(sha256)
                    except StoreCorruptError:
                        with suppress(StoreError):  # what cannot be read can hardly be written over
                            self._erase(path)
                        replace_private_file(path, data)
        finally:  # where the rest does not come, what did is not fetched again
            self._settle()

    def _settle(self) -> None:
        try:
            sync_directory(self._directory)
        except OSError as exc:
            raise StoreError(f"{self._directory}: cannot be written: {exc.strerror}") from exc

    def keep_only(self, wanted: Iterable[str]) -> int:
        """Overwrite and remove every other blob and every leftover of a write; return how many.

        Overwriting reaches the disk's own copy on a plain file system only; everything here is sealed anyway.
        """
        kept = set(wanted)
        for sha256 in self._read_at.keys() - kept:
            self._read_at.pop(sha256, None)
        gone = 0
        if not is_there(self._directory):
            return 0
        for path in self._directory.iterdir():
            if path.name not in kept:
                self._erase(path)
                gone += 1
        if gone:
            sync_directory(self._directory)
        return gone

    def _erase(self, path: Path) -> None:
        try:
            with path.open("r+b") as file:
                file.write(bytes(path.stat().st_size))
                file.flush()
                os.fsync(file.fileno())
            path.unlink()
        except OSError as exc:
            raise StoreError(f"{path}: cannot be erased: {exc.strerror}") from exc
