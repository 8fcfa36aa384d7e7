"""The latch of a fire as everybody reads it who may claim the line; ``doorway.spool`` writes it."""

import stat
from pathlib import Path

_NAME = "emergency"


def in_emergency(state: Path) -> bool:
    """Whether a fire has opened the door and nobody has reset it, as the ``state`` folder of it says.

    A latch that cannot be read is none, as in the spool.
    """
    try:
        return latched(state)
    except OSError:
        return False


def latched(state: Path) -> bool:
    """Do the same for whoever has to know. Raises ``OSError`` where it cannot be said."""
    try:
        return stat.S_ISREG((state / _NAME).stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False
