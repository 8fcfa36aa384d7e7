"""What a door has applied and has seen, in one small sealed file that changes in one step or not at all."""

import errno
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from edged.errors import StoreCorruptError, StoreError
from edged.fleet.gallery_format import Digest, Seconds, Version
from edged.storage.files import is_there, make_private_directory, replace_private_file
from edged.storage.vault import Vault

_CONTEXT = b"edged fleet state 1"


class InForce(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A blob in force: ``epoch`` and ``keys`` (a blob) open it; ``root`` is the version of the root keys."""

    sha256: Digest
    version: Version
    epoch: Version
    keys: Digest
    root: Version


class AppliedGallery(InForce, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A gallery in force."""

    space: str
    people: Annotated[int, Meta(ge=0)]
    applied_at: Seconds
    valid_until: Seconds


class RolesInForce(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who may give commands: a blob that is signed and not secret."""

    sha256: Digest
    version: Version
    root: Version


class FleetState(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``revision`` grows with each change; ``root`` and ``timestamp`` are the newest metadata believed.

    ``seen_at`` is the latest time that has certainly passed, ``vouched_at`` the latest that what was signed
    and how long the door has run since vouch for, which counts while no time server does;
    ``expires`` when the publisher must have spoken,
    ``signed_until`` when what its daily word does not renew ends.
    ``lapsed``: the gallery is past its last day, so nobody of it may enter. ``refused``: why what came last
    was not taken.
    """

    v: Literal[1] = 1
    revision: Annotated[int, Meta(ge=0)] = 0
    root: Annotated[int, Meta(ge=0)] = 0
    timestamp: Annotated[int, Meta(ge=0)] = 0
    seen_at: Seconds = 0.0
    vouched_at: Seconds = 0.0
    expires: Seconds | None = None
    signed_until: Seconds | None = None
    gallery: AppliedGallery | None = None
    denied: InForce | None = None
    roles: RolesInForce | None = None
    lapsed: bool = False
    refused: Annotated[str, Meta(max_length=60)] | None = None


class StateFile:
    """The file at ``path``, sealed by ``vault``. Raises ``StoreError``, ``StoreCorruptError``."""

    def __init__(self, path: Path, vault: Vault) -> None:
        self.path = path
        self._vault = vault

    def read(self) -> FleetState:
        """Return the state; a door that never heard anything has the first one."""
        if not is_there(self.path):
            return FleetState()
        try:
            sealed = self.path.read_bytes()
        except OSError as exc:
            # A sector that is gone is damage like any other: what it held is fetched again.
            kind = StoreCorruptError if exc.errno == errno.EIO else StoreError
            raise kind(f"{self.path}: cannot be read: {exc.strerror}") from exc
        plain = self._vault.unseal(sealed, _CONTEXT)
        try:
            return msgspec.msgpack.decode(plain, type=FleetState)
        except (msgspec.DecodeError, UnicodeDecodeError) as exc:
            raise StoreCorruptError(f"{self.path}: {exc}") from exc

    def write(self, state: FleetState) -> None:
        """Replace the state, durably."""
        make_private_directory(self.path.parent)
        replace_private_file(self.path, self._vault.seal(msgspec.msgpack.encode(state), _CONTEXT))
