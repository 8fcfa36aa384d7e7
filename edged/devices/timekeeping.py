"""Whether somebody keeps the wall clock right, in three values: True, False, and None where nobody tells.

A service without the system call ``adjtimex`` is answered EPERM, which says nothing of the clock: to take it
for "not right" would distrust a right one for ever.
"""

import ctypes
import time
from pathlib import Path

# adjtimex(2) returns TIME_ERROR while the kernel clock is not disciplined by NTP or PTP.
_TIME_ERROR = 5
_TIMEX_BYTES = 512  # struct timex has 208 bytes on 64-bit Linux; modes = 0 only reads
# systemd-timesyncd.service(8) touches it whenever it synchronised, and /run is empty after a boot. The kernel
# gives up a clock that no server was heard for nine hours: its error may be 16 seconds by then.
_TIMESYNCD = Path("/run/systemd/timesync/synchronized")
_HEARD_SECONDS = 9 * 3600.0
_LIBC = ctypes.CDLL(None, use_errno=True)


def by_kernel() -> bool | None:
    """Return whether the kernel says that its clock is synchronised; None where it may not be asked."""
    state = int(_LIBC.adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES)))
    return None if state < 0 else state != _TIME_ERROR


def by_timesyncd() -> bool | None:
    """Return True if systemd-timesyncd has lately set the clock, which was not set back since; else None.

    That it has not says nothing: another program may keep the time.
    """
    try:
        age = time.time() - _TIMESYNCD.stat().st_mtime
    except OSError:
        return None
    return True if 0 <= age < _HEARD_SECONDS else None


def synced() -> bool | None:
    """Return what the kernel says, or, where it may not be asked, systemd-timesyncd."""
    word = by_kernel()
    return by_timesyncd() if word is None else word
