"""A file of 32 random bytes that only its owner may read."""

import os
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path

from edged.errors import StoreError
from edged.storage.files import create_private_file, make_private_directory

KEY_BYTES = 32


def create_key(path: Path) -> bool:
    """Make ``path`` with a random key, mode 0600; False where it exists, which is left alone.

    Raises ``StoreError``.
    """
    make_private_directory(path.parent)
    return create_private_file(path, secrets.token_bytes(KEY_BYTES))


def read_key(path: Path, missing: str, *, supervised: bool = False) -> bytes:
    """Return the key of ``path``; ``missing`` says what to do where there is none.

    ``supervised``: systemd gave the file, and sees to who may read it. Raises ``StoreError`` where the file
    cannot be read, has another size, or others may read it.
    """
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            key = file.read(KEY_BYTES + 1)
    except FileNotFoundError as exc:
        raise StoreError(f"{path}: the key is missing; {missing}") from exc
    except OSError as exc:
        raise StoreError(f"{path}: cannot be read: {exc.strerror}") from exc
    # systemd grants its credentials by access list, which shows as group bits in the mode.
    if mode & 0o077 and not supervised:
        raise StoreError(
            f"{path}: mode is {mode:04o}, others may read the key; expected 0600; run: chmod 600 {path}"
        )
    if len(key) != KEY_BYTES:
        raise StoreError(f"{path}: expected a key of {KEY_BYTES} bytes, got another size")
    return key


def is_credential(path: Path, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether ``path`` lies where systemd puts the credentials of this service."""
    directory = environ.get("CREDENTIALS_DIRECTORY")
    return bool(directory) and path.parent == Path(str(directory))
