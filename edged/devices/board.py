"""What the board says of its own health: temperature, throttling, room on the disk."""

import math
import os
from pathlib import Path

# Raspberry Pi's firmware, as `vcgencmd get_throttled`: bit 0 too little voltage, 1 frequency capped,
# 2 throttled, 3 soft temperature limit; each as of now. The upper half tells of the time since the start.
_THROTTLED_NOW = 0b1111


class Board:
    """Reads the files of the kernel below ``root``; a figure that is not to be had is NaN, never 0."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root

    def temperature(self) -> float:
        """Return the hottest thermal zone in degrees Celsius."""
        zones = self._root.glob("sys/class/thermal/thermal_zone*/temp")
        found = [value / 1000 for zone in zones if not math.isnan(value := _number(zone, 10))]
        return max(found, default=math.nan)

    def throttled(self) -> float:
        """Return 1 while heat or the power supply slows the board down, 0 while they do not."""
        flags = self.throttle_flags()
        return math.nan if flags is None else float(flags & _THROTTLED_NOW != 0)

    def throttle_flags(self) -> int | None:
        """Return the firmware's bits, those of now and, 16 above, those since the start; None without."""
        for path in self._root.glob("sys/devices/platform/*/*firmware/get_throttled"):
            bits = _number(path, 16)
            return None if math.isnan(bits) else int(bits)
        return None


def free_bytes(folder: Path) -> float:
    """Return what a program without privileges may still write to the disk of ``folder``."""
    try:
        room = os.statvfs(folder)
    except OSError:
        return math.nan
    return float(room.f_bavail * room.f_frsize)


def size_bytes(folder: Path) -> float:
    """Return how much the disk of ``folder`` holds, but for what is kept for root."""
    try:
        room = os.statvfs(folder)
    except OSError:
        return math.nan
    return float((room.f_blocks - room.f_bfree + room.f_bavail) * room.f_frsize)


def _number(path: Path, base: int) -> float:
    try:
        return float(int(path.read_text().strip(), base))
    except (OSError, ValueError):  # a zone whose sensor sleeps answers EAGAIN
        return math.nan
