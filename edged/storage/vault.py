"""Encryption at rest: AES-256-GCM under one key file, each record bound to its context.

Two keys are derived from the file's 32 bytes with HKDF-SHA256 (RFC 5869): one seals, one digests.
Random 96-bit nonces are safe for far more than the records of a gallery (NIST SP 800-38D, 8.3).
"""

import hmac
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from edged.errors import StoreCorruptError
from edged.storage.files import is_there
from edged.storage.key_file import KEY_BYTES, create_key, read_key

CREDENTIAL_NAME = "edged-vault-key"
_VERSION = b"\x01"
_NONCE_BYTES = 12


class Vault:
    """Seals and unseals bytes. Without a key file every operation raises ``StoreError``.

    A key appears in one place only: ``create_key``, called when a new gallery is made. Nothing else
    ever makes one, since a fresh key beside sealed rows would look like a gallery gone bad.
    """

    def __init__(self, key_file: Path, *, supervised: bool) -> None:
        self._key_file = key_file
        self._supervised = supervised
        self._keys: tuple[AESGCM, bytes] | None = None

    @classmethod
    def open(cls, key_file: Path, environ: Mapping[str, str] = os.environ) -> "Vault":
        """Return the vault of ``key_file``, or of the systemd credential ``edged-vault-key`` if given.

        A missing file is no error yet: the gallery may not have been made. Raises ``StoreError`` on a
        file of the wrong size or that others may read.
        """
        directory = environ.get("CREDENTIALS_DIRECTORY")
        credential = Path(directory) / CREDENTIAL_NAME if directory else None
        if credential is not None and is_there(credential):
            vault = cls(credential, supervised=True)
        else:
            vault = cls(key_file, supervised=False)
        if vault.has_key():
            vault._unlocked()
        return vault

    @property
    def key_file(self) -> Path:
        """The file that the key is read from."""
        return self._key_file

    def has_key(self) -> bool:
        """Whether the key file exists."""
        return is_there(self._key_file)

    def create_key(self) -> None:
        """Make the key file with a random key; an existing one is kept. Raises ``StoreError``."""
        if self.has_key():
            return
        create_key(self._key_file)

    def seal(self, plain: bytes, context: bytes) -> bytes:
        """Return ``plain`` encrypted; only the same ``context`` opens it. Raises ``StoreError``."""
        cipher, _ = self._unlocked()
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return _VERSION + nonce + cipher.encrypt(nonce, plain, context)

    def unseal(self, sealed: bytes, context: bytes) -> bytes:
        """Return the plain bytes of ``sealed``.

        Raises ``StoreCorruptError`` when a bit was changed, or the key or the context is another.
        """
        cipher, _ = self._unlocked()
        if not isinstance(sealed, bytes):  # SQLite gives what a damaged page holds, whatever the column says
            raise StoreCorruptError(f"sealed record: expected bytes, got {type(sealed).__name__}")
        if sealed[:1] != _VERSION:
            raise StoreCorruptError(f"sealed record: expected version 1, got {sealed[:1]!r}")
        nonce, body = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        try:
            return cipher.decrypt(nonce, body, context)
        except (InvalidTag, ValueError) as exc:
            raise StoreCorruptError("sealed record: it fails its check under this key") from exc

    def digest(self, data: bytes) -> bytes:
        """Return HMAC-SHA256 of ``data`` (32 bytes) under a key of its own. Raises ``StoreError``."""
        _, key = self._unlocked()
        return hmac.digest(key, data, "sha256")

    def _unlocked(self) -> tuple[AESGCM, bytes]:
        if self._keys is None:
            key = self._read_key()
            self._keys = AESGCM(_derive(key, b"edged vault seal")), _derive(key, b"edged vault digest")
        return self._keys

    def _read_key(self) -> bytes:
        return read_key(self._key_file, "restore it from your backup", supervised=self._supervised)


def _derive(key: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=purpose).derive(key)
