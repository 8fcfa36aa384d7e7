"""The two clocks of a door: the one that only runs forward and the one on the wall.

Pulses, ages and cool-downs use the monotonic clock alone, so that a step of the wall clock neither
holds a door open nor makes an old frame young.
"""

import ctypes
import ctypes.util
import time
from datetime import datetime, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

# adjtimex(2) returns TIME_ERROR while the kernel clock is not disciplined by NTP or PTP.
_TIME_ERROR = 5
_TIMEX_BYTES = 512  # struct timex has 208 bytes on 64-bit Linux; modes = 0 only reads


class Clock:
    """Reads the machine's clocks; ``zone`` is ``local`` or an IANA name such as ``Europe/Paris``."""

    def __init__(self, zone: str = "local") -> None:
        self._zone: tzinfo | None = None
        self.set_zone(zone)
        self._known = self._resume = float("-inf")
        self._libc = ctypes.CDLL(ctypes.util.find_library("c"), use_errno=True)

    def set_zone(self, zone: str) -> None:
        """Change the door's time zone."""
        self._zone = None if zone == "local" else ZoneInfo(zone)

    def not_before(self, known: float, newest: float) -> None:
        """Say what time it is at least: ``known`` for certain, ``newest`` by clocks that were not right.

        A clock that is not right and is behind ``known`` was not set since the board started. It goes on from
        ``newest`` then, so that time does not run backwards from one start to the next, and whose right to
        enter has ended is not let in by a clock that says 1970.
        """
        self._known, self._resume = known, max(known, newest) - self.monotonic()

    def monotonic(self) -> float:
        """Return seconds on this boot's clock."""
        return time.monotonic()

    def unix(self) -> float:
        """Return seconds since 1970 UTC."""
        now = time.time()
        return now if now >= self._known or self.synced() else self.monotonic() + self._resume

    def door_time(self) -> datetime | None:
        """Return the door's aware local time, None where the clock was evidently not set since power-on."""
        unset = time.time() < self._known and not self.synced()
        return None if unset else self.local(self.unix())

    def local(self, unix: float) -> datetime:
        """Return the door's aware local time at ``unix``."""
        return datetime.fromtimestamp(unix, self._zone).astimezone(self._zone)

    @staticmethod
    def machine_boot() -> str:
        """Return a name of this boot of the machine, which one monotonic clock belongs to; "" if unknown."""
        try:
            return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        except OSError:
            return ""

    def synced(self) -> bool:
        """Whether the kernel says that its clock is synchronised; False where it does not say."""
        buffer = ctypes.create_string_buffer(_TIMEX_BYTES)
        state = int(self._libc.adjtimex(buffer))
        return 0 <= state != _TIME_ERROR
