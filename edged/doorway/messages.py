"""What readers and the door process say to each other: JSON, version 1, one packet a message.

A reader is an ``edged run``: it watches one camera and asks for the door. The socket keeps the bounds of
packets (``SOCK_SEQPACKET``), so a message arrives whole or not at all. Whatever does not parse, is larger
than ``MAX_BYTES`` or says another version ends the connection, and with it what the reader was granted.

Times are seconds of the monotonic clock, which is one for all processes of a machine.
"""

from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import Meta

from edged.errors import DoorwayError

VERSION = 1
# Some ten times the largest message of ours.
MAX_BYTES = 4096
# Each end says something at least this often, and one that is silent for as long as this counts as hung:
# six beats, since a loaded small board holds up a thread for hundreds of milliseconds.
BEAT_SECONDS = 0.25
SILENCE_SECONDS = 1.5

MOST_FORMER = 16
MOST_ABSENT = 8

Token = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]{1,130}$")]
Moment = Annotated[float, Meta(ge=0, le=1e12)]
Text = Annotated[str, Meta(max_length=200)]

Look = Literal["idle", "looking", "denied"]
ConditionWord = Literal["locked", "granted", "open", "held", "forced", "emergency"]


class _Message(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type"):
    v: Literal[1] = 1


class Former(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A name that a reader had ``until`` then, Unix seconds."""

    name: Token
    until: Moment


class Hello(_Message, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="hello"):
    """First word of a reader. ``listens``: it records what happens without any reader's doing.

    What happened to it under its former names is for it too; where it has none, that is not said.
    """

    reader: Token
    listens: bool = True
    formerly: Annotated[tuple[Former, ...], Meta(max_length=MOST_FORMER)] | msgspec.UnsetType = msgspec.UNSET


class Unlock(_Message, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="unlock"):
    """A grant; ``request`` is the id of the event behind it, ``granted_at`` what its age counts from."""

    request: Token
    cause: Literal["face", "test", "command"]
    granted_at: Moment


class Beat(_Message, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="beat"):
    """The reader lives."""


class Secure(_Message, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="secure"):
    """End what this reader was granted."""


class Taken(_Message, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="taken"):
    """The event is in the reader's journal, and need not be kept any longer."""

    event: Token


class Show(_Message, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="show"):
    """What the person before the camera is to be shown."""

    look: Look


class Reset(_Message, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="reset"):
    """End an emergency; refused while the fire input is active."""


class Welcome(_Message, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="welcome"):
    """First word of the door: who it is."""

    version: Text
    boot_id: Token
    lock: Text


class TurnedAway(_Message, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="turned_away"):
    """Instead of a welcome: nothing that this reader asks for is done, and why."""

    reason: Text


class Status(_Message, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="status"):
    """How the door is; after the welcome, whenever it changes, and as the door's beat.

    ``leaf`` is None without a contact. ``waiting`` events were offered to this reader and not taken;
    ``kept``: they are safe on the disk. ``faulty`` names the inputs that cannot be read, and ``guard`` where
    the guard of the line is gone. ``time_synced``: whether the wall clock is said to be right, None where
    that cannot be told; a reader's own service may not ask the kernel. Events wait for readers that are
    ``absent``, some of them by name.
    """

    condition: ConditionWord
    released: bool
    leaf: Literal["open", "shut"] | None = None
    tampered: bool = False
    waiting: Annotated[int, Meta(ge=0)] = 0
    kept: bool = True
    faulty: Annotated[tuple[Token, ...], Meta(max_length=16)] = ()
    time_synced: bool | None = None
    absent: Annotated[tuple[Token, ...], Meta(max_length=MOST_ABSENT)] | msgspec.UnsetType = msgspec.UNSET


class Answer(_Message, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="answer"):
    """A grant that did not move the line, and why. One that did is answered by an event."""

    request: Token
    result: Literal["refused", "failed"]
    reason: Token
    at: Moment


class Happened(_Message, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="happened"):
    """An event, kept by the door until a reader has taken it. ``event`` is a ULID, the same in each offer.

    ``alarm`` tells its family. ``request`` is the grant behind it, ``reader`` whose grant that was;
    ``ts`` is Unix seconds.
    """

    event: Token
    what: Token
    alarm: bool
    ts: Moment
    at: Moment
    boot_id: Token
    time_synced: bool
    cause: Token | None = None
    request: Token | None = None
    reader: Token | None = None
    held_seconds: float = 0.0
    reason: Token | None = None
    count: int | None = None


FromReader = Hello | Unlock | Beat | Secure | Taken | Show | Reset
FromDoor = Welcome | TurnedAway | Status | Answer | Happened

T = TypeVar("T")
_ENCODER = msgspec.json.Encoder()
_FROM_READER = msgspec.json.Decoder(FromReader)
_FROM_DOOR = msgspec.json.Decoder(FromDoor)
_HAPPENED = msgspec.json.Decoder(Happened)


def encode(message: FromReader | FromDoor) -> bytes:
    """Return the packet of a message."""
    return _ENCODER.encode(message)


def from_reader(packet: bytes) -> FromReader:
    """Return what a reader said. Raises ``DoorwayError``."""
    message: FromReader = _decode(_FROM_READER, packet)
    return message


def from_door(packet: bytes) -> FromDoor:
    """Return what the door said. Raises ``DoorwayError``."""
    message: FromDoor = _decode(_FROM_DOOR, packet)
    return message


def happened(packet: bytes) -> Happened:
    """Return a kept event. Raises ``DoorwayError``."""
    return _decode(_HAPPENED, packet)


def _decode(decoder: "msgspec.json.Decoder[T]", packet: bytes) -> T:
    if len(packet) > MAX_BYTES:
        raise DoorwayError(f"expected a message of at most {MAX_BYTES} bytes, got {len(packet)}")
    try:
        return decoder.decode(packet)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise DoorwayError(f"expected a message of version {VERSION}: {str(exc)[:200]}") from exc
