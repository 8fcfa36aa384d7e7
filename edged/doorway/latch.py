"""The latch of a fire as everybody reads it who may claim the line; ``doorway.spool`` writes it."""

from pathlib import Path

_NAME = "emergency"


def in_emergency(state: Path) -> bool:
    """Whether a fire has opened the door and nobody has reset it, as the ``state`` folder of it says.

    A latch that cannot be read is none, as in the spool.
    """
    try:
        return (state / _NAME).is_file()
    except OSError:
        return False
