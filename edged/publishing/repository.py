"""The signed files of one group: TUF metadata, written by version so that nothing is ever replaced.

``timestamp`` (daily key) says which ``snapshot`` is in force, that one which ``targets`` and ``denied``,
and those which blobs. ``root`` says who may sign each, and is signed by a threshold of the root keys.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from securesystemslib.signer import CryptoSigner
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)

from edged.errors import StoreError
from edged.publishing.keyring import DAILY, PUBLISHER, REVOKER, Keyring
from edged.storage.files import make_private_directory, replace_private_file

DENIED = "denied"
# Root keys lie in a safe: they are asked for once a year. Galleries are published when people change, and
# re-signed with the same content now and then. Each is a promise that somebody looks after the fleet.
ROOT_DAYS = 730
TARGETS_DAYS = 180
# The daily key speaks every few hours; a door that has heard nothing for this long says so.
TIMESTAMP_DAYS = 3.0


@dataclass(frozen=True, slots=True)
class Blob:
    """A file to publish. ``custom`` stands beside its hash in the signed metadata."""

    data: bytes
    custom: Mapping[str, Any]


class Repository:
    """The metadata of one group in ``directory``. Raises ``StoreError`` where the disk fails."""

    def __init__(self, directory: Path, keyring: Keyring) -> None:
        self._directory = directory
        self._keys = keyring

    def exists(self) -> bool:
        """Whether it was created."""
        return (self._directory / "1.root.json").exists()

    def create(self, root_keys: Iterable[str], threshold: int) -> None:
        """Write the first metadata; no gallery yet."""
        make_private_directory(self._directory)
        root = Root(version=1, expires=_in_days(ROOT_DAYS), consistent_snapshot=True)
        for name in root_keys:
            root.add_key(self._keys.signer(name).public_key, Root.type)
        root.roles[Root.type].threshold = threshold
        root.add_key(self._keys.signer(PUBLISHER).public_key, Targets.type)
        for role in (Snapshot.type, Timestamp.type):
            root.add_key(self._keys.signer(DAILY).public_key, role)
        self._write_root(root, [self._keys.signer(name) for name in root_keys])
        targets = Targets(version=1, expires=_in_days(TARGETS_DAYS))
        self._delegate(targets)
        self._write(targets, [PUBLISHER], Targets.type)
        self._write(Targets(version=1, expires=_in_days(TARGETS_DAYS)), [REVOKER], DENIED)
        snapshot = Snapshot(version=1, expires=_in_days(TARGETS_DAYS))
        snapshot.meta = {f"{name}.json": MetaFile(version=1) for name in (Targets.type, DENIED)}
        self._write(snapshot, [DAILY], Snapshot.type)
        timestamp = Timestamp(version=1, expires=_in_days(TIMESTAMP_DAYS), snapshot_meta=MetaFile(1))
        self._write(timestamp, [DAILY], Timestamp.type)

    def root(self) -> bytes:
        """Return the newest root metadata, which a new door is given."""
        return (self._directory / f"{self._version(Root.type)}.root.json").read_bytes()

    def publish(
        self, blobs: Mapping[str, Blob], *, revoke_only: bool = False, days: float = TIMESTAMP_DAYS
    ) -> None:
        """Sign a new version that names ``blobs``; those not named stay. ``revoke_only`` changes ``denied``.

        A key that has no part in the change is not asked for.
        """
        name = DENIED if revoke_only else Targets.type
        targets = self._newest(name, Targets)
        targets.version += 1
        targets.expires = _in_days(TARGETS_DAYS)
        if not revoke_only:
            self._delegate(targets)
        for path, blob in blobs.items():
            digest = sha256(blob.data).hexdigest()
            targets.targets[path] = TargetFile(
                len(blob.data), {"sha256": digest}, path, {"custom": dict(blob.custom)}
            )
        self._write(targets, [REVOKER if revoke_only else PUBLISHER], name)
        snapshot = self._newest(Snapshot.type, Snapshot)
        snapshot.version += 1
        snapshot.expires = _in_days(TARGETS_DAYS)
        snapshot.meta[f"{name}.json"] = MetaFile(version=targets.version)
        self._write(snapshot, [DAILY], Snapshot.type)
        self.renew(days)

    def renew(self, days: float = TIMESTAMP_DAYS) -> None:
        """Say once more that what is published is in force; the daily key is enough."""
        timestamp = self._newest(Timestamp.type, Timestamp)
        timestamp.version += 1
        timestamp.expires = _in_days(days)
        timestamp.snapshot_meta = MetaFile(version=self._version(Snapshot.type))
        self._write(timestamp, [DAILY], Timestamp.type)

    def rotate(self, role: str, old: CryptoSigner, new: CryptoSigner, root_keys: Iterable[str]) -> None:
        """Replace a key of ``role`` (``root``, ``targets`` or ``daily``) by another; the root keys sign.

        Old and new root keys both sign, as TUF asks. What the old key signed is signed anew.
        """
        root = self._newest(Root.type, Root)
        root.version += 1
        root.expires = _in_days(ROOT_DAYS)
        roles = (Snapshot.type, Timestamp.type) if role == DAILY else (role,)
        for each in roles:
            root.revoke_key(old.public_key.keyid, each)
            root.add_key(new.public_key, each)
        signers = [self._keys.signer(name) for name in root_keys]
        self._write_root(root, [*signers, *([old] if role == Root.type else [])])
        self._sign_anew()

    def renew_denied(self) -> None:
        """Sign the deny list with the revoker's key of today, and say that it is the one."""
        self.publish({})
        self.publish({}, revoke_only=True)

    def _sign_anew(self) -> None:
        """Sign targets and snapshot with the keys of today: a door refuses what an old key signed."""
        self.publish({})

    def newest_names(self) -> list[str]:
        """Return the names of all that is in force, every root first and the timestamp last."""
        roots = [f"{number}.root" for number in range(1, self._version(Root.type) + 1)]
        rest = [f"{self._version(name)}.{name}" for name in (Targets.type, DENIED, Snapshot.type)]
        return [*roots, *rest, Timestamp.type]

    def read(self, name: str) -> bytes:
        """Return one signed file, such as ``3.snapshot``."""
        path = self._path(name)
        try:
            return path.read_bytes()
        except OSError as exc:
            raise StoreError(f"{path}: cannot be read: {exc.strerror}") from exc

    def versions(self) -> dict[str, int]:
        """Return the newest version of each role."""
        found = {name: self._version(name) for name in (Root.type, Targets.type, DENIED, Snapshot.type)}
        return {**found, Timestamp.type: self._newest(Timestamp.type, Timestamp).version}

    def target(self, path: str, role: str = Targets.type) -> TargetFile | None:
        """Return what is signed of one blob."""
        found: TargetFile | None = self._newest(role, Targets).targets.get(path)
        return found

    def root_keyids(self) -> tuple[list[str], int]:
        """Return the ids of the root keys in force, and how many must sign."""
        role = self._newest(Root.type, Root).roles[Root.type]
        return list(role.keyids), role.threshold

    def _delegate(self, targets: Targets) -> None:
        key = self._keys_public(REVOKER, targets)
        role = DelegatedRole(DENIED, [key.keyid], 1, terminating=True, paths=[DENIED])
        targets.delegations = Delegations({key.keyid: key}, {DENIED: role})

    def _keys_public(self, name: str, targets: Targets) -> Any:
        """Return the revoker's public key, from the metadata where the file's passphrase is not at hand."""
        try:
            return self._keys.signer(name).public_key
        except StoreError:
            if targets.delegations is None:
                raise
            return next(iter(targets.delegations.keys.values()))

    def _write_root(self, root: Root, signers: Iterable[CryptoSigner]) -> None:
        metadata = Metadata(root)
        for signer in signers:
            metadata.sign(signer, append=True)
        self._store(f"{root.version}.{Root.type}", metadata)

    def _write(self, signed: Any, keys: Iterable[str], name: str) -> None:
        metadata = Metadata(signed)
        for key in keys:
            metadata.sign(self._keys.signer(key), append=True)
        self._store(name if name == Timestamp.type else f"{signed.version}.{name}", metadata)

    def _store(self, name: str, metadata: Metadata[Any]) -> None:
        replace_private_file(self._path(name), metadata.to_bytes())

    def _path(self, name: str) -> Path:
        return self._directory / f"{name}.json"

    def _version(self, name: str) -> int:
        found = [int(path.name.split(".")[0]) for path in self._directory.glob(f"*.{name}.json")]
        if not found:
            raise StoreError(f"{self._directory}: no {name} metadata; was the fleet initialised?")
        return max(found)

    def _newest(self, name: str, kind: Any) -> Any:
        file = name if name == Timestamp.type else f"{self._version(name)}.{name}"
        try:
            metadata: Metadata[Any] = Metadata.from_bytes(self.read(file))
        except RepositoryError as exc:
            raise StoreError(f"{self._path(file)}: unreadable: {exc}") from exc
        if not isinstance(metadata.signed, kind):
            raise StoreError(f"{self._path(file)}: holds {metadata.signed.type} metadata")
        return metadata.signed


def _in_days(days: float) -> datetime:
    return (datetime.now(UTC) + timedelta(days=days)).replace(microsecond=0)
