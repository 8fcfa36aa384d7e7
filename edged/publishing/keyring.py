"""The publisher's private keys: PKCS #8 files, encrypted under a passphrase but for the daily one.

``root-1`` to ``root-n`` decide who may sign what (any ``threshold`` of them), ``publisher`` signs galleries,
``revoker`` who is denied, ``daily`` that all of it is still so, ``reader`` opens what was published, and
``command-NAME`` signs commands.
"""

import re
from pathlib import Path
from typing import TypeAlias

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from securesystemslib.signer import CryptoSigner

from edged.errors import StoreError
from edged.storage.files import create_private_file, make_private_directory

PrivateKey: TypeAlias = Ed25519PrivateKey | X25519PrivateKey

# The only key that has to be at hand every day, on a machine that nobody sits at.
DAILY = "daily"
# NIST SP 800-63B has 8 where a server counts the guesses; nobody counts those at a copied key file.
LEAST_PASSPHRASE = 12
PUBLISHER, REVOKER, READER = "publisher", "revoker", "reader"
_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")


class Keyring:
    """The key files of one fleet. ``passphrase`` None can only use keys that have none."""

    def __init__(self, directory: Path, passphrase: bytes | None) -> None:
        self._directory = directory
        self._passphrase = passphrase
        self._opened: dict[str, PrivateKey] = {}

    def names(self) -> list[str]:
        """Return the names of all keys."""
        return sorted(path.stem for path in self._directory.glob("*.pem"))

    def create(self, name: str) -> None:
        """Make a key; an existing one is an error. Raises ``StoreError``."""
        key: PrivateKey = X25519PrivateKey.generate() if name == READER else Ed25519PrivateKey.generate()
        if name != DAILY and not self._passphrase:
            raise StoreError(f"key {name}: a passphrase is needed")
        encryption: KeySerializationEncryption = NoEncryption()
        if name != DAILY and self._passphrase:
            encryption = BestAvailableEncryption(self._passphrase)
        make_private_directory(self._directory)
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
        if not create_private_file(self._path(name), pem):
            raise StoreError(f"{self._path(name)}: exists already")

    def retire(self, name: str) -> Path:
        """Move a key aside, so that a new one can be made; return where it is now. Raises ``StoreError``."""
        path = self._path(name)
        number = 1
        while (aside := path.with_suffix(f".old-{number}")).exists():
            number += 1
        try:
            path.rename(aside)
        except OSError as exc:
            raise StoreError(f"{path}: cannot be moved aside: {exc.strerror}") from exc
        self._opened.pop(name, None)
        return aside

    def discard(self, name: str) -> None:
        """Erase a key that nothing was signed with. Raises ``StoreError``."""
        path = self._path(name)
        try:
            path.unlink()
        except OSError as exc:
            raise StoreError(f"{path}: cannot be erased: {exc.strerror}") from exc
        self._opened.pop(name, None)

    def retired(self, name: str) -> list[CryptoSigner]:
        """Return what signs with the keys ``name`` that were moved aside. Raises ``StoreError``."""
        found = [self._read(path) for path in sorted(self._path(name).parent.glob(f"{name}.old-*"))]
        return [CryptoSigner(key) for key in found if isinstance(key, Ed25519PrivateKey)]

    def signer(self, name: str) -> CryptoSigner:
        """Return what signs metadata with the key ``name``. Raises ``StoreError``."""
        return CryptoSigner(self.signing(name))

    def signing(self, name: str) -> Ed25519PrivateKey:
        """Return the Ed25519 key ``name``. Raises ``StoreError``."""
        key = self._key(name)
        if not isinstance(key, Ed25519PrivateKey):
            raise StoreError(f"{self._path(name)}: expected an Ed25519 key")
        return key

    def reading(self) -> X25519PrivateKey:
        """Return the key that opens what was published. Raises ``StoreError``."""
        key = self._key(READER)
        if not isinstance(key, X25519PrivateKey):
            raise StoreError(f"{self._path(READER)}: expected an X25519 key")
        return key

    def _key(self, name: str) -> PrivateKey:
        if name not in self._opened:
            self._opened[name] = self._read(self._path(name))
        return self._opened[name]

    def _read(self, path: Path) -> PrivateKey:
        try:
            pem = path.read_bytes()
        except OSError as exc:
            raise StoreError(f"{path}: cannot be read: {exc.strerror}") from exc
        locked = b"ENCRYPTED" in pem
        if locked and not self._passphrase:
            raise StoreError(f"{path}: a passphrase is needed")
        try:
            key = load_pem_private_key(pem, self._passphrase if locked else None)
        except (ValueError, TypeError) as exc:
            raise StoreError(f"{path}: wrong passphrase, or no key file") from exc
        if not isinstance(key, Ed25519PrivateKey | X25519PrivateKey):
            raise StoreError(f"{path}: expected an Ed25519 or X25519 key")
        return key

    def _path(self, name: str) -> Path:
        if _NAME.fullmatch(name) is None:
            raise StoreError(f"{name[:60]!r} is no name of a key")
        return self._directory / f"{name}.pem"
