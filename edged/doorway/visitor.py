"""Whoever comes to a running door process for one thing, and is no reader: the command line.

It keeps no journal: what it brings about is offered to a reader, or waits for one.
"""

import select
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from edged.doorway.channel import Channel, connect
from edged.doorway.messages import (
    BEAT_SECONDS,
    Answer,
    Beat,
    FromDoor,
    Hello,
    Reset,
    Status,
    TurnedAway,
    Unlock,
    from_door,
)
from edged.errors import DoorwayError, LockError

_NAME = "command-line"
# Past the pulse itself: a relock that is later than this has failed.
_GRACE_SECONDS = 2.0


class Visitor:
    """A connection to the door process; see ``visit``."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        channel.send(Hello(reader=_NAME, listens=False))
        self.status: Status = self._first_status()

    @property
    def peer(self) -> tuple[int, int]:
        """Process id and user id of the door process, by the kernel's word."""
        return self._channel.pid, self._channel.uid

    def pulse(self, seconds: float, on_change: Callable[[str], None]) -> None:
        """Have the door unlocked once; ``seconds`` is its pulse. Raises ``LockError``, ``DoorwayError``."""
        self._channel.send(Unlock(request="test", cause="test", granted_at=time.monotonic()))
        answer = self._until(lambda it: isinstance(it, Answer) or _released(it), _GRACE_SECONDS)
        if isinstance(answer, Answer):
            raise LockError(f"the door process refuses: {answer.reason}")
        on_change("unlocked")
        self._until(lambda it: isinstance(it, Status) and not it.released, seconds + _GRACE_SECONDS)
        on_change("locked")

    def reset(self) -> None:
        """End an emergency, and see that the disk knows.

        Raises ``LockError`` where the fire input does not allow it, or where a restart would bring it back.
        """
        self._channel.send(Reset())
        try:
            self._until(lambda it: isinstance(it, Status) and it.condition != "emergency", _GRACE_SECONDS)
        except DoorwayError as exc:
            raise LockError("the emergency goes on: the fire input is active") from exc
        try:
            self._until(lambda it: isinstance(it, Status) and it.kept, _GRACE_SECONDS)
        except DoorwayError as exc:
            raise LockError(
                "the door is locked again, but its disk does not keep that: after a restart the emergency "
                "may be back; see the log of the door process about its --state folder"
            ) from exc

    def _first_status(self) -> Status:
        message = self._until(lambda it: isinstance(it, Status), _GRACE_SECONDS)
        if not isinstance(message, Status):
            raise DoorwayError("the door process does not say how the door is")
        return message

    def _until(self, wanted: Callable[[FromDoor], bool], seconds: float) -> FromDoor:
        """Return the first message that is wanted. Raises ``DoorwayError`` after ``seconds``."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self._channel.send(Beat())
            select.select([self._channel], [], [], BEAT_SECONDS)
            while (packet := self._channel.receive()) is not None:
                message = from_door(packet)
                if isinstance(message, TurnedAway):
                    raise DoorwayError(f"the door process turns us away: {message.reason}")
                if wanted(message):
                    return message
        raise DoorwayError("the door process does not answer")


@contextmanager
def visit(path: Path) -> Iterator[Visitor]:
    """Come to the door process at ``path``. Raises ``DoorwayError``."""
    channel = Channel(connect(path))
    try:
        yield Visitor(channel)
    finally:
        channel.close()


def _released(message: FromDoor) -> bool:
    return isinstance(message, Status) and message.released
