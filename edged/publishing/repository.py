"""The signed files of one group: TUF metadata, written by version so that nothing is ever replaced.

``timestamp`` (daily key) says which ``snapshot`` is in force, that one which ``targets`` and ``denied``,
and those which blobs. ``root`` says who may sign each, and is signed by a threshold of the root keys.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
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
from edged.fleet.trust import GROUP_FIELD, SIGNED_FIELD
from edged.publishing.keyring import DAILY, PUBLISHER, REVOKER, Keyring
from edged.storage.files import make_private_directory, replace_private_file

DENIED = "denied"
# Root keys lie in a safe: they are asked for once a year. Galleries are published when people change, and
# re-signed with the same content now and then. Each is a promise that somebody looks after the fleet.
ROOT_DAYS = 730
TARGETS_DAYS = 180
# The daily key speaks every few hours; a door that has heard nothing for this long says so.
TIMESTAMP_DAYS = 3.0
# Nobody may be denied for years; the list is signed again, with whatever else is, in the second half.
_DENIED_AGAIN_DAYS = TARGETS_DAYS / 2


@dataclass(frozen=True, slots=True)
class Blob:
    """A file to publish. ``custom`` stands beside its hash in the signed metadata."""

    data: bytes
    custom: Mapping[str, Any]


class Repository:
    """The metadata of one group in ``directory``. Raises ``StoreError`` where the disk fails."""

    def __init__(self, directory: Path, keyring: Keyring, group: str) -> None:
        self._directory = directory
        self._group = group
        self._keys = keyring

    def exists(self) -> bool:
        """Whether it was created; one that was cut off is not."""
        return self._path(Timestamp.type).exists()

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
        self,
        blobs: Mapping[str, Blob],
        *,
        drop: Collection[str] = (),
        revoke_only: bool = False,
        days: float = TIMESTAMP_DAYS,
        now: datetime | None = None,
    ) -> None:
        """Sign a new version that names ``blobs`` and not ``drop``; the rest stays.

        ``revoke_only`` changes ``denied``.

        A key that has no part in the change is not asked for; but where the revoker's is at hand, a deny list
        whose signature ages is signed again.
        """
        moment = now or datetime.now(UTC)
        ages = self.expires(DENIED) - moment < timedelta(days=_DENIED_AGAIN_DAYS)
        if not revoke_only and ages and self._has(REVOKER):
            self.publish({}, revoke_only=True, days=days, now=now)
        name = DENIED if revoke_only else Targets.type
        targets = self._newest(name, Targets)
        targets.version += 1
        targets.expires = _in_days(TARGETS_DAYS, now)
        if not revoke_only:
            self._delegate(targets)
        for path, blob in blobs.items():
            digest = sha256(blob.data).hexdigest()
            targets.targets[path] = TargetFile(
                len(blob.data), {"sha256": digest}, path, {"custom": dict(blob.custom)}
            )
        for path in drop:
            targets.targets.pop(path, None)
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
        timestamp.unrecognized_fields[SIGNED_FIELD] = int(datetime.now(UTC).timestamp())
        timestamp.snapshot_meta = MetaFile(version=self._version(Snapshot.type))
        self._write(timestamp, [DAILY], Timestamp.type)

    def rotate(
        self, role: str, new: Sequence[CryptoSigner], old: Sequence[CryptoSigner], root_keys: Iterable[str]
    ) -> None:
        """Let ``new`` be all the keys of ``role`` (``root``, ``targets``, ``daily``, ``denied``).

        The root keys sign; those that were, too, as TUF asks: ``old`` may hold more than are needed. What
        another key signed is signed anew. A new root starts all versions anew, so that numbers which a thief
        ran up do not count any more; the revoker's key, which stands in no root, gets one for that.
        """
        root = self._newest(Root.type, Root)
        before = frozenset(root.roles[Root.type].keyids)
        root.version += 1
        root.expires = _in_days(ROOT_DAYS)
        roles = {DAILY: (Snapshot.type, Timestamp.type), DENIED: ()}.get(role, (role,))
        keyids = {signer.public_key.keyid for signer in new}
        for each in roles:
            for stale in set(root.roles[each].keyids) - keyids:
                root.revoke_key(stale, each)
            for signer in new:
                root.add_key(signer.public_key, each)
        signers = {signer.public_key.keyid: signer for signer in old if signer.public_key.keyid in before}
        signers |= {signer.public_key.keyid: signer for signer in map(self._keys.signer, root_keys)}
        self._write_root(root, signers.values())
        self.publish({})
        if role == DENIED:
            self.publish({}, revoke_only=True)

    def expires(self, role: str) -> datetime:
        """Return when the newest metadata of a role end (aware)."""
        kind = {Root.type: Root, Snapshot.type: Snapshot, Timestamp.type: Timestamp}.get(role, Targets)
        found: datetime = self._newest(role, kind).expires
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found

    def signed_blobs(self) -> frozenset[str]:
        """Return the SHA-256 of every blob that the newest metadata name."""
        named = (self._newest(role, Targets).targets.values() for role in (Targets.type, DENIED))
        return frozenset(target.hashes["sha256"] for targets in named for target in targets)

    def _has(self, key: str) -> bool:
        try:
            self._keys.signer(key)
        except StoreError:
            return False
        return True

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
        root.unrecognized_fields[GROUP_FIELD] = self._group
        metadata = Metadata(root)
        for signer in signers:
            metadata.sign(signer, append=True)
        self._store(f"{root.version}.{Root.type}", metadata)

    def _write(self, signed: Any, keys: Iterable[str], name: str) -> None:
        signed.unrecognized_fields[GROUP_FIELD] = self._group
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


def _in_days(days: float, now: datetime | None = None) -> datetime:
    return ((now or datetime.now(UTC)) + timedelta(days=days)).replace(microsecond=0)
