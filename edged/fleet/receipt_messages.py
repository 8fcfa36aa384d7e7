"""What a door says about the gallery that it really has: signed by its own key, retained by the broker."""

from typing import Annotated, Literal

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from msgspec import Meta

from edged.errors import FleetError
from edged.fleet.gallery_format import Digest, Seconds
from edged.fleet.joining import Segment

_PURPOSE = b"edged gallery receipt 1\0"
MAX_RECEIPT_BYTES = 8_192
Whole = Annotated[int, Meta(ge=0, le=2**53 - 1)]


class GalleryReceipt(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``version`` and ``manifest`` are what is in force (0 and None: nothing); ``denied`` the deny list's.

    ``roles`` is the version of the list of keys that command. ``refused`` is why the newest was not taken (a
    stable code), ``text`` the same in words. ``revision`` grows with every change at the door, so that an old
    receipt is told from a new one.
    """

    v: Literal[1] = 1
    site: Segment
    door: Segment
    group: str
    space: str
    revision: Whole
    root: Whole
    version: Whole
    manifest: Digest | None
    people: Whole
    denied: Whole
    roles: Whole = 0
    applied_at: Seconds
    said_at: Seconds
    lapsed: bool = False
    refused: Annotated[str, Meta(max_length=60)] | None = None
    text: Annotated[str, Meta(max_length=400)] = ""


class _Signed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    receipt: Annotated[str, Meta(max_length=4096)]
    signature: Annotated[bytes, Meta(min_length=64, max_length=64)]


def signed_receipt(receipt: GalleryReceipt, key: Ed25519PrivateKey) -> bytes:
    """Return the payload: the receipt's JSON as text, and the door's signature over it."""
    text = msgspec.json.encode(receipt)
    return msgspec.json.encode(_Signed(receipt=text.decode(), signature=key.sign(_PURPOSE + text)))


def checked_receipt(payload: bytes, key: bytes) -> GalleryReceipt:
    """Return the receipt in ``payload``; ``key`` is the door's raw Ed25519 public key.

    Raises ``FleetError`` on one that is not the door's or no receipt.
    """
    if len(payload) > MAX_RECEIPT_BYTES:
        raise FleetError(f"{len(payload)} bytes are too many for a receipt")
    try:
        signed = msgspec.json.decode(payload, type=_Signed)
        text = signed.receipt.encode()
        Ed25519PublicKey.from_public_bytes(key).verify(signed.signature, _PURPOSE + text)
        return msgspec.json.decode(text, type=GalleryReceipt)
    except InvalidSignature as exc:
        raise FleetError("the receipt is not signed by this door's key") from exc
    except (msgspec.DecodeError, UnicodeError, RecursionError, ValueError) as exc:
        raise FleetError(f"no receipt: {str(exc)[:200]}") from exc
