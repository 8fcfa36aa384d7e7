"""What keypads and badge readers say to the door and hear from it: JSON, version 1, one object a line.

``watch`` asks to be told of every request; ``answer`` answers one. Nothing here says who is meant: a keypad
needs no name, and a request's id, which nobody can guess, is worth nothing once the request has ended.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from edged.domain.factor_desk import AnswerResult
from edged.domain.second_factor import FactorCause, FactorKind, FactorOutcome
from edged.errors import FleetError

# A badge has at most 64 characters, six bytes each where JSON escapes them, and there are the keys.
MAX_LINE_BYTES = 1024
RequestId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


class _Message(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    v: Literal[1] = 1


class Watch(_Message, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="watch"):
    """Tell me of requests: those awaited now, and all that follow."""


class AnswerGiven(
    _Message, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="answer"
):
    """A PIN or badge for a request."""

    request_id: RequestId
    kind: FactorKind
    secret: Annotated[str, Meta(min_length=1, max_length=64)]


class Asked(_Message, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="asked"):
    """Somebody is asked; ``seconds`` are left to answer, by one of ``kinds``."""

    request_id: RequestId
    cause: FactorCause
    kinds: tuple[FactorKind, ...]
    seconds: Annotated[float, Meta(ge=0, le=3600)]


class Ended(_Message, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="ended"):
    """A request takes no answer any more. ``confirmed`` is no promise that the door opens."""

    request_id: RequestId
    outcome: FactorOutcome


class Result(_Message, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type", tag="result"):
    """What became of your answer; after ``wrong`` another one may follow."""

    request_id: RequestId
    result: AnswerResult


FromKeypad = Watch | AnswerGiven
FromDoor = Asked | Ended | Result

_from_keypad = msgspec.json.Decoder(FromKeypad)
_from_door = msgspec.json.Decoder(FromDoor)


def line_of(message: FromKeypad | FromDoor) -> bytes:
    """Return the message with the line's end."""
    return msgspec.json.encode(message) + b"\n"


def heard_from_keypad(line: bytes) -> FromKeypad:
    """Parse one line. Raises ``FleetError``, which repeats nothing of it: there may be a PIN in it."""
    try:
        message: FromKeypad = _from_keypad.decode(line)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        raise FleetError("a message about a second factor that cannot be read") from None
    return message


def heard_from_door(line: bytes) -> FromDoor:
    """Parse one line. Raises ``FleetError``."""
    try:
        message: FromDoor = _from_door.decode(line)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as exc:
        raise FleetError(f"the door said something that cannot be read: {exc}") from exc
    return message
