"""One connection to a door process, as the reader on it sees it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from edged.doorway.channel import Channel
from edged.doorway.messages import SILENCE_SECONDS, FromDoor, FromReader, Status, Unlock, Welcome, from_door
from edged.errors import DoorwayError
from edged.workers.door import UnlockRequest

# Twelve beats. At six no more grants are asked for; to end a connection, and with it a pulse, takes more.
HUNG_SECONDS = 3.0


@dataclass(eq=False)
class DoorLine:
    """``status`` is None until the door has told how it is; ``heard_at`` is when it last spoke."""

    channel: Channel
    heard_at: float
    welcome: Welcome | None = None
    status: Status | None = None
    beat_at: float = float("-inf")
    ended: bool = False
    began_at: float = field(init=False)

    def __post_init__(self) -> None:
        self.began_at = self.heard_at

    def say(self, message: FromReader) -> bool:
        """Send; from any thread. A connection that takes nothing is ended by its owner's thread."""
        try:
            self.channel.send(message)
        except DoorwayError:
            self.ended = True
            return False
        return True

    def heard(self, now: float) -> Iterator[FromDoor]:
        """Yield what has arrived by ``now``. Raises ``DoorwayError``."""
        while (packet := self.channel.receive()) is not None:
            self.heard_at = now
            yield from_door(packet)

    def silent(self, now: float) -> bool:
        """Whether nothing was heard for so long that the door process may hang."""
        return now - self.heard_at > SILENCE_SECONDS

    def hung(self, now: float) -> bool:
        """Whether nothing was heard for so long that it does hang."""
        return now - self.heard_at > HUNG_SECONDS

    def told_everything(self, now: float) -> bool:
        """Whether the door process speaks, and nothing that it has to tell waits there."""
        # A status comes behind the events that were offered with it.
        return not (self.ended or self.status is None or self.status.waiting or self.silent(now))

    def time_synced(self, now: float) -> bool | None:
        """Return whether the door process says that the clock is right; None where it does not say."""
        return None if self.status is None or self.silent(now) else self.status.time_synced


def unlock_of(request: UnlockRequest) -> Unlock:
    """Return a grant in the words of the door process."""
    cause: Literal["face", "test", "command"] = "face"
    if request.cause in ("test", "command"):
        cause = "test" if request.cause == "test" else "command"
    return Unlock(request=request.event_id, cause=cause, granted_at=max(0.0, request.granted_at))
