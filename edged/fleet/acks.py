"""What a collector says when it has stored events: their ids, on a topic of the door's own.

The payload is JSON, ``{"v": 1, "ids": [...]}``. It can only take rows off the outbox that were sent and are
waited for, so a forged or stale one does no more than a broker's acknowledgement would. Who may write to
the topic is for the broker's access list to say.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from edged.fleet.arrivals import opened
from edged.fleet.connection import Arrived
from edged.fleet.messages import Ulid

# A whole door's outbox window many times over; 256 ids are 7.5 kB of JSON.
MOST_IDS = 256
MAX_ACK_BYTES = 16_384

AckResult = Literal["taken", "unknown", "retained", "malformed", "oversized"]
ACK_RESULTS: tuple[AckResult, ...] = ("taken", "unknown", "retained", "malformed", "oversized")


class AckMessage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The ids of events that the collector has stored."""

    v: Literal[1]
    ids: Annotated[list[Ulid], Meta(min_length=1, max_length=MOST_IDS)]


def ack_payload(event_ids: list[str]) -> bytes:
    """Return the JSON that acknowledges up to ``MOST_IDS`` events."""
    return msgspec.json.encode(AckMessage(v=1, ids=event_ids))


def parse_ack(message: Arrived) -> AckMessage:
    """Return the acknowledgement in a message. Raises ``UnheededError``."""
    return opened(message, AckMessage, what="acknowledgement", most_bytes=MAX_ACK_BYTES)
