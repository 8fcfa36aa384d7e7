"""Space that is held while the disk has some, and given up when it has none.

In WAL mode a full disk refuses even the DELETE and the checkpoint that would make room, so a full disk
would end all recording at once. The ballast buys the door some thousands of events more.
"""

import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

from edged.storage.files import FILE_MODE, inherit_owner

logger = logging.getLogger(__name__)

# The WAL may grow to 1 MiB and an event takes up to 1 KiB of the database: some 3,000 events.
BALLAST_BYTES = 4 << 20
# Restored only where it leaves three times as much free, or it would be released again at once.
_FREE_FACTOR = 4
_LOOK_SECONDS = 10.0


class Ballast:
    """A file beside ``database``. For the writer's thread."""

    def __init__(self, database: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self.path = database.with_name(f"{database.name}.ballast")
        self.released = False
        self._clock = clock
        self._look_at = float("-inf")

    def release(self) -> bool:
        """Give its space to the disk; False where it held none."""
        try:
            held = self.path.stat().st_size > 0
            self.path.unlink()
        except OSError:
            return False
        self.released = True
        self._look_at = self._clock() + _LOOK_SECONDS
        return held

    def restore(self) -> bool:
        """Take space again once there is plenty; True where that was done now. Cheap to call often."""
        if self._clock() < self._look_at:
            return False
        self._look_at = self._clock() + _LOOK_SECONDS
        try:
            if self.path.exists() or not self._plenty():
                return False
            self._take()
        except OSError as exc:
            logger.warning("ballast not made error=%s", exc.strerror)
            self.path.unlink(missing_ok=True)
            return False
        self.released = False
        return True

    def _plenty(self) -> bool:
        disk = os.statvfs(self.path.parent)
        return disk.f_bavail * disk.f_frsize >= _FREE_FACTOR * BALLAST_BYTES

    def _take(self) -> None:
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, FILE_MODE)
        try:
            os.posix_fallocate(descriptor, 0, BALLAST_BYTES)
        finally:
            os.close(descriptor)
        inherit_owner(self.path)
