"""The two private keys of a door, sealed on its disk: one opens what is meant for it, one signs."""

from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from edged.errors import StoreCorruptError, StoreError
from edged.fleet.joining import DoorCard
from edged.storage.files import create_private_file, is_there, make_private_directory
from edged.storage.vault import Vault

_CONTEXT = b"edged door identity 1"
_RAW_BYTES = 32


@dataclass(frozen=True, slots=True, repr=False)
class DoorIdentity:
    """``sealing`` opens the group's secrets, ``signing`` signs receipts."""

    sealing: X25519PrivateKey
    signing: Ed25519PrivateKey

    def card(self, site: str, door: str, space: str) -> DoorCard:
        """Return what the publisher needs to know of this door."""
        return DoorCard(
            site=site,
            door=door,
            sealing=self.sealing.public_key().public_bytes_raw(),
            signing=self.signing.public_key().public_bytes_raw(),
            space=space,
        )


def load_identity(path: Path, vault: Vault) -> DoorIdentity | None:
    """Return the door's keys; None where it has none yet. Raises ``StoreError``, ``StoreCorruptError``."""
    if not is_there(path):
        return None
    try:
        sealed = path.read_bytes()
    except OSError as exc:
        raise StoreError(f"{path}: cannot be read: {exc.strerror}") from exc
    raw = vault.unseal(sealed, _CONTEXT)
    if len(raw) != 2 * _RAW_BYTES:
        raise StoreCorruptError(f"{path}: {len(raw)} bytes are no pair of keys")
    return DoorIdentity(
        X25519PrivateKey.from_private_bytes(raw[:_RAW_BYTES]),
        Ed25519PrivateKey.from_private_bytes(raw[_RAW_BYTES:]),
    )


def create_identity(path: Path, vault: Vault) -> DoorIdentity:
    """Make the keys of a door, and the vault's key where it has none; existing keys are kept.

    Raises ``StoreError``.
    """
    found = load_identity(path, vault)
    if found is not None:
        return found
    vault.create_key()
    made = DoorIdentity(X25519PrivateKey.generate(), Ed25519PrivateKey.generate())
    raw = made.sealing.private_bytes_raw() + made.signing.private_bytes_raw()
    make_private_directory(path.parent)
    if not create_private_file(path, vault.seal(raw, _CONTEXT)):
        again = load_identity(path, vault)
        if again is None:
            raise StoreError(f"{path}: vanished while it was made")
        return again
    return made
