"""How a door is, in the words of the state message; made of what a door process says of itself."""

from dataclasses import dataclass, replace

from edged.doorway.messages import Status
from edged.fleet.messages import DoorWord, LockWord


@dataclass(frozen=True, slots=True)
class DoorWords:
    """``door`` is what the contact says, None without one."""

    lock: LockWord
    door: DoorWord | None = None
    tampered: bool = False
    emergency: bool = False

    def gone(self) -> "DoorWords":
        """Return the words of a door that is not heard any more.

        That it was tampered with, or released by a fire alarm, stands until it says otherwise.
        """
        return replace(self, lock="unknown", door=None if self.door is None else "unknown")


AWAY = DoorWords("unknown")


def words_of(status: Status) -> DoorWords:
    """Return the words of a door process's status."""
    door: DoorWord | None = status.leaf
    if door is not None and status.condition in ("held", "forced"):
        door = status.condition
    return DoorWords(
        "unlocked" if status.released else "locked", door, status.tampered, status.condition == "emergency"
    )
