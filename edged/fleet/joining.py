"""What a door and the publisher hand each other once, in files carried by a person: public keys only.

The door's *card* says which keys are its own, the publisher's *invitation* whom the door shall believe.
Whoever could exchange one of them on its way could be the door or the publisher, so both show a
fingerprint to be compared by eye.
"""

import hashlib
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import Meta

from edged.errors import FleetError
from edged.fleet.gallery_topics import GROUP

_LIMIT_BYTES = 262_144
Segment = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")]
RawKey = Annotated[bytes, Meta(min_length=32, max_length=32)]


class DoorCard(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A door's public keys: ``sealing`` X25519, ``signing`` Ed25519; ``space`` is its embedder's."""

    type: Literal["edged door card"] = "edged door card"
    site: Segment
    door: Segment
    sealing: RawKey
    signing: RawKey
    space: Annotated[str, Meta(min_length=1, max_length=200)]

    @property
    def fingerprint(self) -> str:
        """Sixteen digits of all that it says, to be compared by eye."""
        return fingerprint(self)


class Invitation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whom a door shall believe: ``root`` is TUF root metadata."""

    type: Literal["edged invitation"] = "edged invitation"
    prefix: Annotated[str, Meta(min_length=1, max_length=200)]
    site: Segment
    door: Segment
    group: Annotated[str, Meta(pattern=GROUP)]
    root: Annotated[str, Meta(max_length=60_000)]

    @property
    def fingerprint(self) -> str:
        """Sixteen digits of all that it says, to be compared by eye."""
        return fingerprint(self)


J = TypeVar("J", DoorCard, Invitation)


def fingerprint(item: DoorCard | Invitation) -> str:
    """Return 64 bits of the SHA-256 of its JSON, without spaces, as four groups of hexadecimal digits."""
    digits = hashlib.sha256(msgspec.json.encode(item)).hexdigest()[:16]
    return " ".join(digits[at : at + 4] for at in range(0, 16, 4))


def is_fingerprint(typed: str, item: DoorCard | Invitation) -> bool:
    """Whether somebody typed all of the fingerprint of ``item``, with or without its spaces."""
    return "".join(typed.lower().split()) == "".join(item.fingerprint.split())


def write_joining(item: DoorCard | Invitation) -> str:
    """Return the file's text: JSON."""
    return msgspec.json.format(msgspec.json.encode(item), indent=2).decode() + "\n"


def read_joining(data: bytes, kind: type[J]) -> J:
    """Return the card or invitation in ``data``. Raises ``FleetError``."""
    if len(data) > _LIMIT_BYTES:
        raise FleetError(f"{len(data)} bytes are too many for a {kind.__name__}")
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise FleetError(f"no {kind.__name__}: {str(exc)[:200]}") from exc
