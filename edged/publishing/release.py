"""Making a version: what changes, in numbers, and the signed and sealed files of it.

Order on disk: blobs, then the version, then the signatures, then the register. A publisher that is cut off
in between starts again from the register: what was signed and not entered is signed anew as a newer version.
"""

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from functools import wraps
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

import msgspec
from tuf.api.metadata import TargetFile

from edged.domain.shards import shard_of
from edged.errors import FleetError, NotFoundError, StoreError
from edged.fleet.gallery_format import CommandKey, Denied, Keys, Manifest, Roles, encode
from edged.fleet.gallery_seal import BlobName, new_secret, seal, wrap
from edged.fleet.trust import HELD
from edged.publishing.archive import PUBLISHER_DOOR, Archive, people_in
from edged.publishing.content import Built
from edged.publishing.keyring import Keyring
from edged.publishing.leaving import due
from edged.publishing.planning import Change, Wanted, objections, planned, without
from edged.publishing.register import Fleet, Forgotten, GroupEntry, RegisterFile
from edged.publishing.repository import DENIED, Blob, Repository
from edged.publishing.turn import FolderTurn
from edged.storage.files import replace_private_file

_DAY_SECONDS = 86_400.0


P = ParamSpec("P")
R = TypeVar("R")


def _alone(method: Callable[Concatenate["FleetFolder", P], R]) -> Callable[Concatenate["FleetFolder", P], R]:
    """Let ``method`` run while no other command changes the folder: each reads, changes and writes it."""

    @wraps(method)
    def held(self: "FleetFolder", /, *args: P.args, **kwargs: P.kwargs) -> R:
        with self.alone():
            return method(self, *args, **kwargs)

    return held


@dataclass(slots=True)
class FleetFolder:
    """The publisher's folder: register, keys, and for each group its metadata and archive."""

    directory: Path
    keyring: Keyring
    register: RegisterFile = field(init=False)
    _turn: FolderTurn = field(init=False)

    def __post_init__(self) -> None:
        self.register = RegisterFile(self.directory)
        self._turn = FolderTurn(self.directory)

    def alone(self) -> AbstractContextManager[None]:
        """Wait until no other command changes the folder, and keep others out. Raises ``StoreError``."""
        return self._turn.held()

    def repository(self, group: str) -> Repository:
        """Return the signed files of a group."""
        return Repository(self.directory / "groups" / group / "meta", self.keyring, group)

    def archive(self, group: str) -> Archive:
        """Return what a group was sent."""
        fleet = self.register.read()
        return Archive(self.directory / "groups" / group, fleet.site, group, self.keyring)

    @_alone
    def create_group(self, name: str, entry: GroupEntry) -> None:
        """Begin a group: signed metadata without a gallery. Raises ``FleetError`` where it exists."""
        fleet = self.register.read()
        if name in fleet.groups:
            raise FleetError(f"group {name!r} exists already")
        repository = self.repository(name)
        if not repository.exists():
            repository.create(fleet.root_keys, fleet.root_threshold)
        self.register.write(fleet.with_group(name, entry))

    @_alone
    def publish(self, group: str, wanted: Wanted, *, dry_run: bool = False) -> Change:
        """Make a new version of a group's gallery, or with ``dry_run`` only say what it would change.

        Whoever was forgotten in any group of the fleet stays out of all. Raises ``FleetError``,
        ``StoreError``, ``NotFoundError``.
        """
        fleet = self.register.read()
        entry, archive = fleet.group(group), self.archive(group)
        if entry.space not in (None, wanted.space):
            raise FleetError(f"the group's model is {entry.space!r}, these templates are of {wanted.space!r}")
        wanted, forgotten = without(wanted, fleet.erased())
        epoch_secret = new_secret() if dry_run else self._secret(fleet, group, archive)
        version = _after(entry.version, self.repository(group).target("manifest"))
        previous = archive.previous(entry.version)
        built, change = planned(entry, group, wanted, previous, version=version, secret=epoch_secret)
        change = replace(change, forgotten=forgotten)
        if wanted.too_close is not None:
            objections(archive, entry, wanted, built, change)
        if dry_run:
            return change
        now = time.time()
        manifest = Manifest(
            group=group,
            version=version,
            space=wanted.space,
            dimension=wanted.dimension,
            shards=entry.shards,
            people=built.people,
            created_at=now,
            valid_until=now + entry.valid_days * _DAY_SECONDS,
            entries=built.entries,
            only=None if wanted.only is None else list(wanted.only),
            allow_shrink=wanted.allow_shrink,
            distinct=list(wanted.distinct),
            access=entry.access,
        )
        held = 0
        if wanted.only is not None:  # what the others have, whatever is tried after it
            tried = entry.version and archive.manifest(entry.version).only is not None
            held = entry.held if tried else entry.version
        archive.keep(manifest, built.blobs, (held,))
        self._sign(group, manifest, entry.epoch, archive, held)
        entry = msgspec.structs.replace(
            entry, version=version, space=wanted.space, dimension=wanted.dimension, held=held,
            canary=[] if wanted.only is None else list(wanted.only),
        )  # fmt: skip
        self.register.write(fleet.with_group(group, entry))
        return change

    @_alone
    def release(self, group: str) -> int:
        """Offer to all doors what the canaries have tried; return the version."""
        fleet = self.register.read()
        entry, archive = fleet.group(group), self.archive(group)
        manifest = archive.manifest(entry.version)
        if manifest.only is None:
            return manifest.version
        version = _after(entry.version, self.repository(group).target("manifest"))
        everywhere = msgspec.structs.replace(manifest, version=version, only=None)
        archive.keep(everywhere, {})
        self._sign(group, everywhere, entry.epoch, archive)
        entry = msgspec.structs.replace(entry, version=version, canary=[], held=0)
        self.register.write(fleet.with_group(group, entry))
        return version

    @_alone
    def rewrap(self, group: str, *, new_epoch: bool) -> None:
        """Wrap the group's secrets for the doors of today; ``new_epoch`` when one has left it."""
        fleet = self.register.read()
        entry, archive = fleet.group(group), self.archive(group)
        if new_epoch:
            entry = msgspec.structs.replace(entry, epoch=entry.epoch + 1)
            fleet = fleet.with_group(group, entry)
        keys = self._keys(fleet, group, archive)
        self.register.write(fleet)
        self.repository(group).publish({"keys": Blob(keys, {})})

    @_alone
    def deny(self, group: str, people: Iterable[str], *, unknown: bool = False) -> int:
        """Refuse people from now on, at all doors of the group; return the deny list's version.

        Raises ``NotFoundError`` where no gallery that is kept has one of them, unless ``unknown``: whoever
        was meant by a mistyped id would go on entering. ``StoreError`` where those cannot be read.
        """
        denied, wanted = set(self.register.read().group(group).denied), set(people)
        if not unknown:
            try:
                strange = self.archive(group).strangers(wanted - denied)
            except StoreError as exc:
                raise StoreError(f"{exc}; --unknown denies without a look at the galleries") from exc
            if strange:
                raise NotFoundError(
                    f"{min(strange)!r} is in no gallery of group {group!r}; --unknown denies it all the same"
                )
        return self._set_denied(group, denied | wanted)

    @_alone
    def readmit(self, group: str, people: Iterable[str]) -> int:
        """Refuse people no longer; return the deny list's version.

        Raises ``NotFoundError`` on one who is not denied, ``FleetError`` on one who was forgotten.
        """
        fleet, wanted = self.register.read(), set(people)
        denied = set(fleet.group(group).denied)
        if strange := wanted - denied:
            raise NotFoundError(f"{min(strange)}: is not denied in group {group}")
        # A door that was away might still have them, also one that has moved to another group since: it has
        # to hear that they are gone first.
        if waiting := {item.person_id for item in fleet.forgotten if item.open} & wanted:
            raise FleetError(f"{min(waiting)}: is being forgotten, and not every door has confirmed it")
        return self._set_denied(group, denied - wanted)

    def _set_denied(self, group: str, people: Iterable[str]) -> int:
        fleet = self.register.read()
        entry, archive = fleet.group(group), self.archive(group)
        denied = sorted(people)
        version = _after(entry.denied_version, self.repository(group).target("denied", DENIED))
        keys = archive.keys()
        epoch = entry.denied_epoch or entry.epoch
        if keys is None or not {str(epoch), str(entry.epoch)} <= keys.wrapped.keys():
            self.repository(group).publish({"keys": Blob(self._keys(fleet, group, archive), {})})
        name = BlobName(group, "", "denied", version, epoch)
        plain = encode(Denied(group=group, version=version, people=denied))
        sealed = seal(plain, archive.secret(epoch), name)
        replace_private_file(self.blob_path(group, "denied"), sealed)
        custom = {"version": version, "epoch": epoch}
        self.repository(group).publish({"denied": Blob(sealed, custom)}, revoke_only=True)
        entry = msgspec.structs.replace(entry, denied=denied, denied_version=version)
        self.register.write(fleet.with_group(group, entry))
        return version

    @_alone
    def forget(self, group: str, person_id: str, *, unknown: bool = False) -> list[Forgotten]:
        """Deny a person and publish without them each group that has, or lately had, them; ``group`` first.

        Each is open until every door that may hold them has confirmed. What canaries try stays with the
        canaries. Raises ``NotFoundError`` where no gallery that is kept has the person, unless ``unknown``:
        nobody could confirm a mistyped id.
        """
        fleet = self.register.read()
        named = fleet.group(group)
        sure = unknown or named.version == 0 or person_id in named.denied
        others = sorted(fleet.groups.keys() - {group})
        # All are read before any is changed: what cannot be read is said, not left out.
        found = [each for each in (group, *others) if not self.archive(each).strangers([person_id])]
        if sure and group not in found:
            found.insert(0, group)
        if not found:
            raise NotFoundError(
                f"{person_id!r} is in no gallery of group {group!r}, nor of another group, as far back as "
                "those are kept; --unknown erases them at this group's doors all the same"
            )
        return [item for each in found for item in self._forget(each, person_id)]

    def _forget(self, group: str, person_id: str) -> list[Forgotten]:
        before = self.register.read().group(group)
        self.deny(group, [person_id], unknown=True)
        version = self._publish_without(group, person_id) if before.version else 0
        fleet = self.register.read()
        items = due(fleet, group, person_id, version)
        self.register.write(msgspec.structs.replace(fleet, forgotten=[*fleet.forgotten, *items]))
        return items

    def _publish_without(self, group: str, person_id: str) -> int:
        """Publish anew, without a person, each version that doors may have now; return the oldest of them."""
        fleet = self.register.read()
        entry, archive = fleet.group(group), self.archive(group)
        secret, now = self._secret(fleet, group, archive), time.time()
        first = _after(entry.version, self.repository(group).target("manifest"))
        made: list[tuple[Manifest, Built]] = []
        for version, base in enumerate(entry.offered, first):
            old, previous = archive.manifest(base), archive.previous(base)
            rest = [record for record in people_in(previous).values() if record.id != person_id]
            wanted = Wanted(rest, old.space, old.dimension)
            built, _ = planned(entry, group, wanted, previous, version=version, secret=secret)
            manifest = msgspec.structs.replace(
                old, version=version, people=built.people, entries=built.entries, allow_shrink=True,
                created_at=now, valid_until=now + entry.valid_days * _DAY_SECONDS,
            )  # fmt: skip
            made.append((manifest, built))
        versions = [manifest.version for manifest, _ in made]
        for manifest, built in made:
            archive.keep(manifest, built.blobs, versions)
        newest, held = made[-1][0], first if len(made) > 1 else 0
        self._sign(group, newest, entry.epoch, archive, held)
        entry = msgspec.structs.replace(entry, version=newest.version, held=held)
        self.register.write(fleet.with_group(group, entry))
        archive.erase_shard(shard_of(person_id, entry.shards), versions)
        return first

    @_alone
    def set_roles(self, group: str, commanders: Iterable[CommandKey]) -> int:
        """Say who may give commands to the doors of a group; return the list's version."""
        fleet = self.register.read()
        entry = fleet.group(group)
        version = _after(entry.roles_version, self.repository(group).target("roles"))
        keys = list(commanders)
        data = encode(Roles(group=group, version=version, keys=keys))
        replace_private_file(self.blob_path(group, "roles"), data)
        self.repository(group).publish({"roles": Blob(data, {"version": version})})
        entry = msgspec.structs.replace(entry, roles_version=version, commanders=keys)
        self.register.write(fleet.with_group(group, entry))
        return version

    @_alone
    def rollback(self, group: str, to: int, *, tried: bool = False) -> Change:
        """Publish the people of an older version as a new one; who was denied since stays out.

        Raises ``FleetError`` where only canaries were to have it, unless ``tried``: it becomes everybody's.
        """
        entry, archive = self.register.read().group(group), self.archive(group)
        manifest = archive.manifest(to)
        if manifest.only is not None and not tried:
            raise FleetError(
                f"version {to} was for the canaries {', '.join(manifest.only)} alone; --tried gives it to all"
            )
        now = people_in(archive.previous(entry.held or entry.version))
        then = archive.previous(to)
        records = people_in(then)
        # A shard that was erased since, for somebody's sake, is taken as it is today.
        missing = {shard_of(i, entry.shards) for i in now} - then.entries.keys()
        if manifest.people != len(records):
            records |= {i: record for i, record in now.items() if shard_of(i, entry.shards) in missing}
        # Who was looked at and is two people then, is today, and the other way about.
        pairs = {*manifest.distinct, *archive.manifest(entry.version).distinct}
        wanted = Wanted(
            list(records.values()), manifest.space, manifest.dimension, allow_shrink=True,
            distinct=tuple(sorted(pairs)),
        )  # fmt: skip
        return self.publish(group, wanted)

    def blob_path(self, group: str, name: str) -> Path:
        """Return where the newest of a small blob lies."""
        return self.directory / "groups" / group / name

    def blobs(self, group: str) -> Mapping[str, bytes]:
        """Return everything that a door of the group may ask for now, by SHA-256."""
        entry, archive = self.register.read().group(group), self.archive(group)
        found: dict[str, bytes] = {}
        for name in ("keys", "denied", "roles", "manifest", *([HELD] if entry.held else ())):
            path = self.blob_path(group, name)
            if path.exists():
                data = path.read_bytes()
                found[hashlib.sha256(data).hexdigest()] = data
        for version in entry.offered:
            for item in archive.manifest(version).entries:
                if item.sha256 not in found:
                    found[item.sha256] = archive.blobs.get(item.sha256)
        return found

    def _keys(self, fleet: Fleet, group: str, archive: Archive) -> bytes:
        """Return the secrets in use wrapped for the doors of today, and all that are kept for us."""
        entry, known = fleet.group(group), archive.keys()
        kept = {e.epoch for version in archive.versions() for e in archive.manifest(version).entries}
        used = {entry.epoch}
        for version in entry.offered:
            used |= {item.epoch for item in archive.manifest(version).entries}
        # A door that comes tomorrow must be able to read a deny list of long ago.
        old = self.repository(group).target("denied", DENIED)
        epoch_of_denied = 0 if old is None else int((old.custom or {}).get("epoch", 0))
        denials = {entry.denied_epoch} - {0}
        if known is not None and PUBLISHER_DOOR in known.wrapped.get(str(epoch_of_denied), {}):
            denials.add(epoch_of_denied)
        used |= denials
        ours = self.keyring.reading().public_key().public_bytes_raw()
        doors = {name: door.card.sealing for name, door in fleet.doors_of(group).items()}
        away = {name: door.card.sealing for name, door in fleet.leaving(group).items()}
        wrapped: dict[str, dict[str, bytes]] = {}
        for epoch in sorted(used | kept):
            before = {} if known is None else known.wrapped.get(str(epoch), {})
            secret = archive.secret(epoch) if PUBLISHER_DOOR in before else new_secret()
            wanted = {PUBLISHER_DOOR: ours, **(doors if epoch in used else {})}
            # Whoever moved away may still let people in: it hears who is denied, and opens nothing else.
            wanted |= away if epoch in denials - {entry.epoch} else {}
            wrapped[str(epoch)] = {
                door: wrap(secret, key, group=group, epoch=epoch, door=door) for door, key in wanted.items()
            }
        return archive.keep_keys(Keys(group=group, wrapped=wrapped))

    def _secret(self, fleet: Fleet, group: str, archive: Archive) -> bytes:
        """Return the secret of the epoch in use; made, and wrapped, where it is a new one."""
        epoch, known = fleet.group(group).epoch, archive.keys()
        if known is None or str(epoch) not in known.wrapped:
            self._keys(fleet, group, archive)
        return archive.secret(epoch)

    def _sign(self, group: str, manifest: Manifest, epoch: int, archive: Archive, held: int = 0) -> None:
        """Sign what is offered, and where that is for canaries what is ``held`` for the others."""
        offered = {"manifest": manifest} | ({HELD: archive.manifest(held)} if held else {})
        blobs = {"keys": Blob(self.blob_path(group, "keys").read_bytes(), {})}
        for path, part in offered.items():
            name = BlobName(group, part.space, "manifest", part.version, epoch)
            sealed = seal(encode(part), archive.secret(epoch), name)
            replace_private_file(self.blob_path(group, path), sealed)
            blobs[path] = Blob(sealed, {"version": part.version, "epoch": epoch, "space": part.space})
        self.repository(group).publish(blobs, drop=() if held else (HELD,))
        if not held:
            self.blob_path(group, HELD).unlink(missing_ok=True)


def _after(entered: int, signed: TargetFile | None) -> int:
    """Return the next version: one that was signed and not entered may lie on a broker already."""
    custom = None if signed is None else signed.custom
    return 1 + max(entered, int((custom or {}).get("version", 0)))
