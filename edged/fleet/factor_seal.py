"""What a door and its keypads say to each other through a broker that is trusted with nothing.

Both hold one key of 32 random bytes. A message is version, nonce and the ChaCha20-Poly1305 (RFC 8439) of its
line, all of one length so that nothing is told by it, least of all how long a PIN is. Authenticated with it
are who speaks and the door's own topic: what a door said is no answer, and an answer to one door is none to
another that has the same key. The nonce is 96 random bits: 2^32 messages under one key are safe (NIST SP
800-38D, 8.3, for the same length), and a visit has some thirty.

An answer names its request, whose id is 128 bits drawn for it alone (``workers.second_factor``): a second
nonce, which makes an answer count for that visit alone, until its deadline. So whoever keeps or repeats
messages can hold answers back and nothing else. What a door said can be repeated to a keypad as long as the
key is the same: nothing but what the keypad shows hangs on it.

There is no forward secrecy: whoever gets hold of the key file can read the answers that were recorded before.
"""

import secrets
from enum import StrEnum

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from edged.errors import FleetError
from edged.fleet.factor_messages import MAX_LINE_BYTES, FromDoor, FromKeypad, line_of
from edged.fleet.topics import Topics

_VERSION = b"\x01"
_NONCE_BYTES, _TAG_BYTES = 12, 16
SEALED_BYTES = len(_VERSION) + _NONCE_BYTES + MAX_LINE_BYTES + _TAG_BYTES


class Speaker(StrEnum):
    """Who sealed a message."""

    DOOR = "door"
    KEYPAD = "keypad"


class NotSealedError(FleetError):
    """Bytes that are no sealed message at all: another length or version."""


class ForgedError(FleetError):
    """A message that was not sealed by this speaker, for this door, under this key."""


class FactorSeal:
    """Seals and opens under ``key`` (32 bytes) what belongs to the door of ``topics``."""

    def __init__(self, key: bytes, topics: Topics) -> None:
        self._cipher = ChaCha20Poly1305(key)
        self._context = f"edged second factor\0{topics.root}\0".encode()

    def seal(self, message: FromKeypad | FromDoor, speaker: Speaker) -> bytes:
        """Return the message as ``speaker`` publishes it; never twice the same bytes.

        Raises ``FleetError`` where it is too long, which none of ours is.
        """
        line = line_of(message)
        if len(line) > MAX_LINE_BYTES:
            raise FleetError(f"a message of {len(line)} bytes about a second factor")
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = self._cipher.encrypt(nonce, line.ljust(MAX_LINE_BYTES), self._context + speaker.encode())
        return _VERSION + nonce + sealed

    def opened(self, payload: bytes, speaker: Speaker) -> bytes:
        """Return the line of a message of ``speaker``. Raises ``NotSealedError``, ``ForgedError``."""
        if len(payload) != SEALED_BYTES or payload[:1] != _VERSION:
            raise NotSealedError(f"{len(payload)} bytes that are no sealed message")
        nonce, sealed = nonce_of(payload), payload[1 + _NONCE_BYTES :]
        try:
            return self._cipher.decrypt(nonce, sealed, self._context + speaker.encode()).rstrip()
        except InvalidTag:
            raise ForgedError("a message that was not sealed for this door under this key") from None


def nonce_of(payload: bytes) -> bytes:
    """Return what tells a sealed message from every other one under its key."""
    return payload[1 : 1 + _NONCE_BYTES]
