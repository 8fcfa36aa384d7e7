"""A collector that lost events asks for them again, and hears how that ended.

The request is ``{"v": 1, "request": "...", "from_seq": 1}`` with ``to_seq`` and ``epoch`` at will. The events
come on their own topics, under their own ids, as they were; MQTT 5 marks them with the user property
``replayed``. The result carries the word of ``request``. It goes to a topic of the door's own and never to
one that the asker names: else whoever may ask could have the door speak where only the door may.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from edged.fleet.arrivals import opened
from edged.fleet.connection import Arrived
from edged.fleet.messages import Token, Whole, Word

MAX_REQUEST_BYTES = 1024
MAX_RESULT_BYTES = 2048

Seq = Annotated[int, Meta(ge=1, le=2**53 - 1)]
# done: all there was to send is sent. busy: another request runs. epoch: the journal is another one now.
# interrupted: connection, start or journal ended in between. failed: the disk or the broker refuses.
ReplayEnd = Literal["done", "busy", "epoch", "interrupted", "failed"]


class ReplayRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The events from ``from_seq`` to ``to_seq``, both included; None: to the newest.

    ``request`` is the asker's own word. With ``epoch`` nothing is sent of a journal that is another one.
    """

    v: Literal[1]
    request: Token
    from_seq: Seq
    to_seq: Seq | None = None
    epoch: Token | None = None

    def __post_init__(self) -> None:
        if self.to_seq is not None and self.to_seq < self.from_seq:
            raise ValueError("to_seq is below from_seq")


class ReplayResult(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What came of a request.

    ``sent``: events that the broker took for somebody; ``unheard``: for nobody. ``unsendable``: damaged, or
    nothing the broker takes. ``gone``: numbers asked for that the journal holds no more. ``next_seq``: where
    to go on, None where nothing of the request is left. ``oldest_seq`` and ``newest_seq``: what the journal
    holds without a gap, 0 where that is unknown.
    """

    v: Literal[1]
    request: Token
    result: ReplayEnd
    reason: Word | None = None
    epoch: Annotated[str, Meta(max_length=64)]
    sent: Whole = 0
    unheard: Whole = 0
    unsendable: Whole = 0
    gone: Whole = 0
    oldest_seq: Whole = 0
    newest_seq: Whole = 0
    next_seq: Seq | None = None


def replay_payload(message: ReplayRequest | ReplayResult) -> bytes:
    """Return the JSON of a request or a result."""
    return msgspec.json.encode(message)


def parse_replay(message: Arrived) -> ReplayRequest:
    """Return the request in a message. Raises ``UnheededError``."""
    return opened(message, ReplayRequest, what="replay request", most_bytes=MAX_REQUEST_BYTES)


def parse_replayed(message: Arrived) -> ReplayResult:
    """Return the result in a message. Raises ``UnheededError``."""
    return opened(message, ReplayResult, what="replay result", most_bytes=MAX_RESULT_BYTES)
