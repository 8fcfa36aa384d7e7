"""What a door must not forget of its commands: the counter of each key, and that it is locked down."""

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from edged.errors import StoreCorruptError, StoreError
from edged.fleet.gallery_format import Seconds
from edged.storage.files import is_there, make_private_directory, replace_private_file
from edged.storage.vault import Vault

_CONTEXT = b"edged command memory 1"


class Lockdown(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Nobody is let in until it is released: since when, by which key, why."""

    since: Seconds
    key: str
    reason: str = ""


class CommandMemory(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of it."""

    v: Literal[1] = 1
    counters: dict[str, Annotated[int, Meta(ge=0)]] = {}
    lockdown: Lockdown | None = None


class CommandMemoryFile:
    """The file at ``path``, sealed by ``vault``. Raises ``StoreError``, ``StoreCorruptError``."""

    def __init__(self, path: Path, vault: Vault) -> None:
        self._path = path
        self._vault = vault

    def read(self) -> CommandMemory:
        """Return what is remembered; nothing at first."""
        if not is_there(self._path):
            return CommandMemory()
        try:
            plain = self._vault.unseal(self._path.read_bytes(), _CONTEXT)
            return msgspec.msgpack.decode(plain, type=CommandMemory)
        except OSError as exc:
            if isinstance(exc, StoreError):
                raise
            raise StoreError(f"{self._path}: cannot be read: {exc.strerror}") from exc
        except (msgspec.DecodeError, UnicodeDecodeError) as exc:
            raise StoreCorruptError(f"{self._path}: {exc}") from exc

    def write(self, memory: CommandMemory) -> None:
        """Replace it, durably."""
        make_private_directory(self._path.parent)
        replace_private_file(self._path, self._vault.seal(msgspec.msgpack.encode(memory), _CONTEXT))
