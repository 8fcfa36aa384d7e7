"""What a message on an event topic is: an event of the door whose topic it came on, or not one.

The topic says who speaks, since the broker's access list guards it; the payload says what. Where they
contradict each other it is no event.
"""

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import msgspec

from edged.errors import FleetError
from edged.fleet.connection import Arrived
from edged.fleet.messages import EventMessage, Ulid, parse_event

# retained: not said now, and said again at every subscription. unstorable: with a NUL, which PostgreSQL's
# text cannot hold. conflict: its id is that of another event.
Reason = Literal["retained", "oversized", "malformed", "unstorable", "conflict"]
REASONS: tuple[Reason, ...] = ("retained", "oversized", "malformed", "unstorable", "conflict")

# `edged mqtt check` publishes there; it is no event.
_CHECK = "check"
# JSON has no other way to write it. Not by looking at each value: what is nested deep enough ends the stack.
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
# As long as the configuration allows, twice; an index of PostgreSQL takes 2,700 bytes.
_LONGEST_NAME = 128


@dataclass(frozen=True, slots=True)
class Heard:
    """An event, of the door of a site, and the message it came in."""

    site: str
    door: str
    message: EventMessage
    topic: str
    payload: bytes
    handle: int | None

    @property
    def root(self) -> str:
        """The topic that all topics of the door begin with."""
        return self.topic.rpartition("/event/")[0]


@dataclass(frozen=True, slots=True)
class Unfit:
    """What is no event. ``whole``: ``payload`` is all of it. ``event_id``: the id it gives itself."""

    topic: str
    payload: bytes
    whole: bool
    reason: Reason
    detail: str
    event_id: str | None
    handle: int | None

    @property
    def root(self) -> str:
        """The topic that all topics of the door begin with."""
        return self.topic.rpartition("/event/")[0]

    @property
    def digest(self) -> str:
        """Hex SHA-256 of topic and payload: the same message is set aside once."""
        return hashlib.sha256(self.topic.encode() + b"\0" + self.payload).hexdigest()


class _Named(msgspec.Struct):
    """The id alone of whatever a newer door sends."""

    id: Ulid


def read(message: Arrived, prefix: str) -> Heard | Unfit | None:
    """Return what ``message`` is; None: a trial of the broker, of no further interest."""
    if message.size != len(message.payload):
        return unfit(message, "oversized", f"{message.size} bytes", whole=False)
    if message.retain:
        return unfit(message, "retained", "the message is retained")
    site, door, kind = place(message.topic, prefix)
    return None if kind == _CHECK else _event(message, site, door, kind)


def _event(message: Arrived, site: str, door: str, kind: str) -> Heard | Unfit:
    try:
        event = parse_event(message.payload)
        _moment(event.ts)
    except FleetError as exc:
        return unfit(message, "malformed", str(exc))
    if not site or max(len(site), len(door)) > _LONGEST_NAME or event.kind.value != kind:
        return unfit(message, "malformed", f"an event of kind {event.kind.value} on this topic")
    if _NUL.search(message.payload) is not None:
        return unfit(message, "unstorable", "a NUL character")
    return Heard(site, door, event, message.topic, message.payload, message.handle)


def unfit(message: Arrived, reason: Reason, detail: str, *, whole: bool = True) -> Unfit:
    """Return ``message`` as what it is not, under the id it gives itself."""
    return Unfit(message.topic, message.payload, whole, reason, detail[:300], _named(message), message.handle)


def place(topic: str, prefix: str) -> tuple[str, str, str]:
    """Return site, door and kind of ``<prefix>/<site>/<door>/event/<kind>``; empty where it is another."""
    words = topic.removeprefix(f"{prefix}/").split("/")
    if not topic.startswith(f"{prefix}/") or len(words) != 4 or words[2] != "event" or not all(words):
        return "", "", ""
    return words[0], words[1], words[3]


def _named(message: Arrived) -> str | None:
    try:
        return msgspec.json.decode(message.payload, type=_Named).id
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def _moment(text: str) -> None:
    """Raise ``FleetError`` for a day or hour that there is none of: the wire's pattern lets some through."""
    try:
        datetime.fromisoformat(text)
    except ValueError as exc:
        raise FleetError(f"event: time {text!r}: {exc}") from exc
