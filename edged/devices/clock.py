"""The two clocks of a door: the one that only runs forward and the one on the wall.

Pulses, ages and cool-downs use the monotonic clock alone, so that a step of the wall clock neither
holds a door open nor makes an old frame young.
"""

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

from edged.devices import timekeeping

logger = logging.getLogger(__name__)

# Nothing of edged is older: a clock that says so is wrong, whatever vouches for it.
FIRST_YEAR = 2026
_FIRST_MOMENT = datetime(FIRST_YEAR, 1, 1, tzinfo=UTC).timestamp()
# A door process is back a second after it ended. Were its word gone with it, each such restart would be
# recorded as a clock that was lost and found.
_TOLD_SECONDS = 60.0


class Clock:
    """Reads the machine's clocks; ``zone`` is ``local`` or an IANA name such as ``Europe/Paris``."""

    def __init__(self, zone: str = "local") -> None:
        self._zone: tzinfo | None = None
        self.set_zone(zone)
        self._known = self._newest = self._resume = float("-inf")
        self._other: Callable[[], bool | None] = lambda: None
        self._told = (False, float("-inf"))  # what it said last, and when

    def set_zone(self, zone: str) -> None:
        """Change the door's time zone."""
        self._zone = None if zone == "local" else ZoneInfo(zone)

    def not_before(self, known: float, newest: float) -> None:
        """Say what time it is at least: ``known`` for certain, ``newest`` by clocks that were not right.

        A clock that nobody calls right and that is behind ``known``, or before edged was made, was not set
        since the board started. It goes on from ``newest`` then, so that time does not run backwards from
        one start to the next.
        """
        self._known, self._newest = known, max(known, newest)
        self._resume = self._newest - self.monotonic()
        behind = max(self._newest, _FIRST_MOMENT) - time.time()
        if behind > 0:
            logger.warning(
                "clock behind what is on record behind_s=%.0f; unless it is known to be right, "
                "whoever has hours or a last day stays outside", behind,
            )  # fmt: skip

    def ask(self, other: Callable[[], bool | None]) -> None:
        """Let ``other`` say whether the clock is right, where the kernel may not be asked; None: unknown."""
        self._other = other

    def monotonic(self) -> float:
        """Return seconds on this boot's clock."""
        return time.monotonic()

    def unix(self) -> float:
        """Return seconds since 1970 UTC."""
        now = time.time()
        if now >= max(self._known, _FIRST_MOMENT) or self.synced():
            return now
        return max(now, self.monotonic() + self._resume)

    def door_time(self) -> datetime | None:
        """Return the door's aware local time, None where the clock is evidently wrong.

        That is before edged was made, and before the newest time on record unless the clock is known to be
        right: whose right to enter has ended is not let in by a clock that says 1970.
        """
        now = time.time()
        unset = now < _FIRST_MOMENT or (now < self._newest and not self.synced())
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
        """Whether the clock is known to be synchronised."""
        return self.word() is True

    def word(self) -> bool | None:
        """Return whether the clock is said to be synchronised; None where that cannot be told.

        The kernel is asked first, then whom ``ask`` named, then systemd-timesyncd.
        """
        word = timekeeping.by_kernel()
        if word is None:
            word = self._word_of_other()
        return timekeeping.by_timesyncd() if word is None else word

    def _word_of_other(self) -> bool | None:
        word, now = self._other(), self.monotonic()
        if word is not None:
            self._told = (word, now)
        told, at = self._told
        return told if now - at < _TOLD_SECONDS else None
