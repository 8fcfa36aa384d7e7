"""Commands to a door: asked for, signed, used once.

Whoever wants to command says hello, the door gives a nonce that is good for half a minute and for one
command, and the command carries it. So nothing that was recorded, retained or held back is ever obeyed, by a
door whose clock is wrong too. The command is JSON as text, signed with Ed25519; so is the door's reply.
"""

from typing import Annotated, Any, Literal, TypeVar

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from msgspec import Meta

from edged.errors import FleetError
from edged.fleet.connection import Arrived
from edged.fleet.gallery_format import Action, Seconds
from edged.fleet.joining import Segment

MAX_COMMAND_BYTES = 8_192
NONCE_BYTES = 16
_COMMAND, _REPLY = b"edged command 1\0", b"edged command reply 1\0"

Token = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{8,64}$")]
Nonce = Annotated[str, Meta(pattern=r"^[0-9a-f]{32}$")]
Whole = Annotated[int, Meta(ge=0, le=2**53 - 1)]
Argument = Annotated[str, Meta(max_length=200)] | Whole

CommandResult = Literal[
    "done", "failed", "retained", "oversized", "malformed", "unknown_key", "signature", "wrong_door",
    "not_allowed", "key_expired", "nonce", "counter", "expired", "refused",
]  # fmt: skip
COMMAND_RESULTS: tuple[CommandResult, ...] = (
    "done", "failed", "retained", "oversized", "malformed", "unknown_key", "signature", "wrong_door",
    "not_allowed", "key_expired", "nonce", "counter", "expired", "refused",
)  # fmt: skip


class _Message(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    v: Literal[1] = 1


class Hello(_Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A nonce is wanted; ``id`` comes back with it."""

    id: Token


class NonceGiven(_Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The answer to a hello: good for ``seconds`` and for one command."""

    id: Token
    nonce: Nonce
    seconds: Annotated[float, Meta(gt=0, le=600)]


class Command(_Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``counter`` grows with each command of a key, ``expires_at`` are Unix seconds; ``reason``: why."""

    id: Token
    site: Segment
    door: Segment
    action: Action
    key: Annotated[str, Meta(max_length=60)]
    nonce: Nonce
    counter: Whole
    expires_at: Seconds
    reason: Annotated[str, Meta(max_length=200)] = ""
    args: Annotated[dict[str, Argument], Meta(max_length=8)] = {}


class Reply(_Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What became of the command ``id``. ``facts`` are what it asked for."""

    id: Token
    site: Segment
    door: Segment
    result: CommandResult
    text: Annotated[str, Meta(max_length=400)] = ""
    facts: dict[str, Any] = {}


class _Signed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    text: str
    signature: Annotated[bytes, Meta(min_length=64, max_length=64)]


class BadCommandError(FleetError):
    """A message that is no command for this door; ``result`` says why, for the counter."""

    def __init__(self, result: CommandResult, text: str) -> None:
        super().__init__(text)
        self.result = result


M = TypeVar("M", Hello, NonceGiven, Command, Reply)


def hello_payload(message: Hello | NonceGiven) -> bytes:
    """Return the JSON of a hello or of its answer."""
    return msgspec.json.encode(message)


def parse_plain(message: Arrived, kind: type[M]) -> M:
    """Return a hello or its answer. Raises ``BadCommandError``."""
    return _decoded(_whole(message), kind)


def signed_command(command: Command, key: Ed25519PrivateKey) -> bytes:
    """Return the payload of a command."""
    return _signed(command, key, _COMMAND)


def signed_reply(reply: Reply, key: Ed25519PrivateKey) -> bytes:
    """Return the payload of a reply."""
    return _signed(reply, key, _REPLY)


def opened_command(message: Arrived) -> tuple[Command, bytes, bytes]:
    """Return a command, the bytes that are signed, and the signature. Raises ``BadCommandError``."""
    signed = _decoded(_whole(message), _Signed)
    text = signed.text.encode("utf-8", "surrogatepass")
    return _decoded(text, Command), _COMMAND + text, signed.signature


def is_signed(data: bytes, signature: bytes, public: bytes) -> bool:
    """Whether the raw Ed25519 key ``public`` has signed ``data``."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, data)
    except (InvalidSignature, ValueError):
        return False
    return True


def checked_reply(message: Arrived, public: bytes) -> Reply:
    """Return the reply of the door with the key ``public``. Raises ``BadCommandError``."""
    signed = _decoded(_whole(message), _Signed)
    text = signed.text.encode("utf-8", "surrogatepass")
    if not is_signed(_REPLY + text, signed.signature, public):
        raise BadCommandError("signature", "the reply is not signed by this door")
    return _decoded(text, Reply)


def _signed(message: Command | Reply, key: Ed25519PrivateKey, purpose: bytes) -> bytes:
    text = msgspec.json.encode(message)
    return msgspec.json.encode(_Signed(text=text.decode(), signature=key.sign(purpose + text)))


def _whole(message: Arrived) -> bytes:
    if message.retain:
        raise BadCommandError("retained", "a retained message is no command")
    if message.size > MAX_COMMAND_BYTES:
        raise BadCommandError("oversized", f"{message.size} bytes are too many")
    return message.payload


T = TypeVar("T")


def _decoded(data: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as exc:
        raise BadCommandError("malformed", str(exc)[:200]) from exc
