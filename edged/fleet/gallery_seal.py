"""Who can read a fleet's gallery: the doors of the group, and nobody who owns the broker.

The group has a secret of 32 bytes, a new one (the next *epoch*) whenever a door leaves it. Each blob is
sealed with ChaCha20-Poly1305 (RFC 8439) under a key of its own, derived with HKDF-SHA256 (RFC 5869) from the
secret, a random salt and all that the blob claims to be; it is used once, so the nonce is constant. The
secret is wrapped for each door with HPKE (RFC 9180, base mode, X25519, HKDF-SHA256, ChaCha20-Poly1305), bound
to group, epoch and door. Who made a blob is not said here: the signed metadata name its hash.
"""

import secrets
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from edged.errors import FleetError

SECRET_BYTES = 32
_TAG_BYTES = 16
_NONCE = bytes(12)
_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)


@dataclass(frozen=True, slots=True)
class BlobName:
    """All that a blob claims to be: ``part`` is ``manifest``, ``denied`` or ``shard-17``."""

    group: str
    space: str
    part: str
    version: int
    epoch: int

    def bound(self) -> bytes:
        """Return it as bytes that no other name has: no field may hold the separator."""
        fields = (self.group, self.space, self.part, str(self.version), str(self.epoch))
        if any("\0" in field for field in fields):
            raise FleetError("a name with a NUL character cannot be sealed")
        return b"edged gallery 1\0" + "\0".join(fields).encode()


def new_secret() -> bytes:
    """Return a group's secret for a new epoch."""
    return secrets.token_bytes(SECRET_BYTES)


def seal(plain: bytes, secret: bytes, name: BlobName) -> bytes:
    """Return ``plain`` sealed as ``name``. A name seals one content only: versions grow."""
    salt = secrets.token_bytes(SECRET_BYTES)
    bound = name.bound()
    return salt + ChaCha20Poly1305(_key(secret, salt, bound)).encrypt(_NONCE, plain, bound)


def unseal(sealed: bytes, secret: bytes, name: BlobName) -> bytes:
    """Return what was sealed as ``name``. Raises ``FleetError`` on any other bytes, secret or name."""
    salt, body = sealed[:SECRET_BYTES], sealed[SECRET_BYTES:]
    if len(body) < _TAG_BYTES:
        raise FleetError(f"{name.part}: {len(sealed)} bytes are too few to be sealed")
    bound = name.bound()
    try:
        return ChaCha20Poly1305(_key(secret, salt, bound)).decrypt(_NONCE, body, bound)
    except InvalidTag as exc:
        raise FleetError(f"{name.part}: it fails its check under the group's secret") from exc


def wrap(secret: bytes, door_key: bytes, *, group: str, epoch: int, door: str) -> bytes:
    """Return the group's secret for one door; ``door_key`` is its raw X25519 public key (32 bytes).

    Raises ``FleetError`` on a key that is none.
    """
    try:
        public = X25519PublicKey.from_public_bytes(door_key)
        return _SUITE.encrypt(secret, public, _info(group, epoch, door))
    except ValueError as exc:
        raise FleetError(f"door {door}: its key is no X25519 public key") from exc


def unwrap(wrapped: bytes, door_key: X25519PrivateKey, *, group: str, epoch: int, door: str) -> bytes:
    """Return the group's secret. Raises ``FleetError`` where it was wrapped for another door or epoch."""
    try:
        secret = _SUITE.decrypt(wrapped, door_key, _info(group, epoch, door))
    except (InvalidTag, ValueError) as exc:
        raise FleetError(f"the group's secret of epoch {epoch} is not wrapped for this door's key") from exc
    if len(secret) != SECRET_BYTES:
        raise FleetError(f"the group's secret of epoch {epoch} has {len(secret)} bytes")
    return secret


def _key(secret: bytes, salt: bytes, bound: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=salt, info=bound).derive(secret)


def _info(group: str, epoch: int, door: str) -> bytes:
    return b"edged group secret 1\0" + "\0".join((group, str(epoch), door)).encode()
