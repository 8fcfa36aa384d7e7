"""What others say to a door: how a message is opened, and why one is not heeded.

Whoever may write to a topic can write anything. A retained message is refused unread: it was written at
another time, about who knows what, and comes again at every connection.
"""

from typing import Literal, TypeVar

import msgspec

from edged.errors import FleetError
from edged.fleet.connection import Arrived

Unheeded = Literal["retained", "malformed", "oversized"]

T = TypeVar("T")


class UnheededError(FleetError):
    """A message that is not what its topic is for; ``result`` says why, for the counter."""

    def __init__(self, result: Unheeded, text: str) -> None:
        super().__init__(text)
        self.result: Unheeded = result


def opened(message: Arrived, kind: type[T], *, what: str, most_bytes: int) -> T:
    """Return the JSON of ``message`` as ``kind``. Raises ``UnheededError``."""
    if message.retain:
        raise UnheededError("retained", f"{what} is retained")
    if message.size > most_bytes:
        raise UnheededError("oversized", f"{what} of {message.size} bytes")
    try:
        return msgspec.json.decode(message.payload, type=kind)
    except (msgspec.MsgspecError, ValueError, RecursionError) as exc:
        raise UnheededError("malformed", f"{what}: {str(exc)[:200]!r}") from exc
