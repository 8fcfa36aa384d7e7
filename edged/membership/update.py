"""One attempt at bringing a door up to date: check everything, then change one file.

Order: who signed, then who is denied (which waits for nothing), then the gallery. Until the last step the
old gallery serves; a power cut at any step leaves the old or the new one, and nothing between.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import msgspec

from edged.domain.gallery import build_snapshot
from edged.domain.people import Person, Template
from edged.domain.shards import collision, misplaced, repeated, shard_of, shrunk, unusable
from edged.errors import FleetError, StoreCorruptError
from edged.fleet.gallery_format import (
    MAX_DENIED_BYTES,
    MAX_KEYS_BYTES,
    MAX_MANIFEST_BYTES,
    Denied,
    Keys,
    Manifest,
    decode,
    person_of,
)
from edged.fleet.trust import Floor, PublisherTrust, Target, Trusted, UntrustedError, check_blob
from edged.membership.state import AppliedGallery, FleetState, InForce
from edged.membership.store import FleetStore, Opener

logger = logging.getLogger(__name__)

# A leaver or a department is a few percent; a third of a company is a mistake or an attack.
ALLOWED_SHRINK = 0.3


class BlobSource(Protocol):
    """Where blobs come from."""

    def blob(self, sha256: str, length: int) -> bytes:
        """Return up to ``length`` bytes; the caller checks the hash. Raises ``FleetError``, ``OSError``."""


class RefusedError(FleetError):
    """What was signed is not taken; ``reason`` is a stable code."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Attempt:
    """What an attempt led to: ``applied`` a gallery, ``denied`` a deny list, ``waiting`` for its turn."""

    applied: bool = False
    denied: bool = False
    waiting: bool = False
    refused: str | None = None
    text: str = ""

    @property
    def changed(self) -> bool:
        """Whether anything else is in force now."""
        return self.applied or self.denied


class GalleryUpdate:
    """``too_close`` gives the cosine from which on two people of a gallery of that many must be one."""

    def __init__(
        self,
        store: FleetStore,
        trust: PublisherTrust,
        source: BlobSource,
        *,
        space: str,
        dimension: int,
        too_close: Callable[[int], float],
        now: Callable[[], datetime],
        step: Callable[[str], None] = lambda _name: None,
    ) -> None:
        self._store = store
        self._trust = trust
        self._source = source
        self._space = space
        self._dimension = dimension
        self._too_close = too_close
        self._now = now
        self._step = step

    def attempt(self, not_before: datetime) -> Attempt:
        """Take what the publisher offers, or say why not; ``not_before`` is a time that has passed.

        Raises ``StoreError`` where the disk fails: what was in force still is.
        """
        state = self._store.state()
        changed = False
        try:
            trusted = self._trust.refresh(Floor(state.root, state.timestamp), not_before)
            state = self._seen(state, trusted)
            self._step("trusted")
            changed, state = self._take_denied(state, trusted)
            return self._take_gallery(state, trusted, denied=changed)
        except (UntrustedError, RefusedError) as exc:
            return Attempt(denied=changed, refused=exc.reason, text=str(exc)[:400])
        except StoreCorruptError as exc:
            return Attempt(denied=changed, refused="damaged", text=str(exc)[:400])
        except FleetError as exc:
            return Attempt(denied=changed, refused="altered", text=str(exc)[:400])

    def _seen(self, state: FleetState, trusted: Trusted) -> FleetState:
        """Remember how new the metadata are before anything of them is used."""
        expires = trusted.expires.timestamp()
        floor = (trusted.floor.root, trusted.floor.timestamp)
        if floor == (state.root, state.timestamp) and expires == state.expires:
            return state
        state = msgspec.structs.replace(state, root=floor[0], timestamp=floor[1], expires=expires)
        self._store.commit(state)
        return state

    def _take_denied(self, state: FleetState, trusted: Trusted) -> tuple[bool, FleetState]:
        target = trusted.targets.get("denied")
        if target is None or (state.denied is not None and state.denied.sha256 == target.sha256):
            return False, state
        keys, opener = self._keys(trusted)
        sealed = self._blob("denied", target, MAX_DENIED_BYTES)
        version, epoch = _number(target, "version"), _number(target, "epoch")
        denied = decode(opener.open(sealed, "denied", "", version, epoch), Denied)
        if (denied.group, denied.version) != (self._store.member.group, version):
            raise RefusedError("wrong_group", f"a deny list of {denied.group!r}, version {denied.version}")
        known, root = state.denied, trusted.floor.root
        if known is not None and (root, version) <= (known.root, known.version):
            raise RefusedError("rollback", f"deny list {version}, {known.version} is in force")
        self._store.blobs.put(target.sha256, sealed)
        self._step("denied stored")
        part = InForce(sha256=target.sha256, root=root, version=version, epoch=epoch, keys=keys)
        state = msgspec.structs.replace(state, denied=part, revision=state.revision + 1)
        self._store.commit(state)
        self._step("denied in force")
        return True, state

    def _take_gallery(self, state: FleetState, trusted: Trusted, *, denied: bool) -> Attempt:
        target = trusted.targets.get("manifest")
        if target is None:
            return Attempt(denied=denied, text="nothing was published yet")
        current = state.gallery
        if current is not None and current.sha256 == target.sha256:
            return Attempt(denied=denied)
        keys, opener = self._keys(trusted)
        manifest, sealed = self._manifest(target, opener)
        self._check(manifest, state, trusted)
        if manifest.only is not None and self._store.member.door not in manifest.only:
            return Attempt(denied=denied, waiting=True, text=f"version {manifest.version} is tried elsewhere")
        fetched = self._shards(manifest)
        self._step("fetched")
        people, templates = self._opened(manifest, opener, fetched)
        self._gates(manifest, people, templates, state)
        self._step("checked")
        self._store.blobs.put(target.sha256, sealed)
        for sha256, data in fetched.items():
            self._store.blobs.put(sha256, data)
        self._step("stored")
        gallery = AppliedGallery(
            sha256=target.sha256,
            version=manifest.version,
            epoch=_number(target, "epoch"),
            keys=keys,
            root=trusted.floor.root,
            space=manifest.space,
            people=manifest.people,
            applied_at=self._now().timestamp(),
            valid_until=manifest.valid_until,
        )
        self._store.commit(
            msgspec.structs.replace(
                self._store.state(), gallery=gallery, lapsed=False, revision=state.revision + 1
            )
        )
        self._step("in force")
        return Attempt(applied=True, denied=denied)

    def _keys(self, trusted: Trusted) -> tuple[str, Opener]:
        target = trusted.targets.get("keys")
        if target is None:
            raise RefusedError("wrong_key", "no keys were published")
        data = self._blob("keys", target, MAX_KEYS_BYTES)
        try:
            opener = Opener(self._store.member, decode(data, Keys))
        except FleetError as exc:
            raise RefusedError("wrong_group", str(exc)) from exc
        self._store.blobs.put(target.sha256, data)
        return target.sha256, opener

    def _manifest(self, target: Target, opener: Opener) -> tuple[Manifest, bytes]:
        space = str(target.custom.get("space", ""))
        if space != self._space:
            raise RefusedError("wrong_space", f"made for the model {space!r}, this door has {self._space!r}")
        sealed = self._blob("manifest", target, MAX_MANIFEST_BYTES)
        version, epoch = _number(target, "version"), _number(target, "epoch")
        manifest = decode(opener.open(sealed, "manifest", space, version, epoch), Manifest)
        said = (manifest.version, manifest.space, manifest.dimension)
        if said != (version, space, self._dimension):
            raise RefusedError("malformed", f"manifest {said}, expected {(version, space, self._dimension)}")
        return manifest, sealed

    def _check(self, manifest: Manifest, state: FleetState, trusted: Trusted) -> None:
        if manifest.group != self._store.member.group:
            raise RefusedError(
                "wrong_group", f"of group {manifest.group!r}, not {self._store.member.group!r}"
            )
        current = state.gallery
        newest = None if current is None else (current.root, current.version)
        if newest is not None and (trusted.floor.root, manifest.version) <= newest:
            raise RefusedError("rollback", f"version {manifest.version}, {newest[1]} is in force")
        numbers = [entry.number for entry in manifest.entries]
        if len(set(numbers)) != len(numbers) or any(number >= manifest.shards for number in numbers):
            raise RefusedError("malformed", "the manifest names a shard twice or one too many")

    def _shards(self, manifest: Manifest) -> dict[str, bytes]:
        """Return the shards that are not here yet, checked; those that are stay on disk."""
        fetched = {}
        for entry in manifest.entries:
            if not self._have(entry.sha256):
                target = Target(entry.sha256, entry.length)
                fetched[entry.sha256] = self._blob(f"shard-{entry.number}", target, entry.length)
        return fetched

    def _have(self, sha256: str) -> bool:
        try:
            return self._store.blobs.has(sha256) and bool(self._store.blobs.get(sha256))
        except StoreCorruptError:
            return False

    def _opened(
        self, manifest: Manifest, opener: Opener, fetched: dict[str, bytes]
    ) -> tuple[list[Person], list[Template]]:
        """Return everybody, each where they belong."""
        people: list[Person] = []
        templates: list[Template] = []
        for entry in manifest.entries:
            sealed = fetched.get(entry.sha256) or self._store.blobs.get(entry.sha256)
            shard = opener.shard(sealed, entry, manifest.space)
            opened = [person_of(record, manifest.space, manifest.dimension) for record in shard.people]
            if len(opened) != entry.people:
                raise RefusedError(
                    "gate_count", f"shard {entry.number}: {len(opened)} of {entry.people} people"
                )
            if fault := misplaced([person for person, _ in opened], entry.number, manifest.shards):
                raise RefusedError("gate_place", fault)
            for person, theirs in opened:
                people.append(person)
                templates += theirs
        return people, templates

    def _gates(
        self, manifest: Manifest, people: list[Person], templates: list[Template], state: FleetState
    ) -> None:
        """Refuse what is signed and cannot be right."""
        if len(people) != manifest.people:
            raise RefusedError("gate_count", f"{len(people)} people, the manifest says {manifest.people}")
        if fault := repeated(people):
            raise RefusedError("gate_repeated", fault)
        if fault := unusable(templates, manifest.dimension):
            raise RefusedError("gate_vector", fault)
        before = 0 if state.gallery is None else state.gallery.people
        if not manifest.allow_shrink and shrunk(before, len(people), ALLOWED_SHRINK):
            raise RefusedError("gate_shrink", f"{len(people)} people after {before}, and nobody said why")
        self._collisions(manifest, people, templates, state)

    def _collisions(
        self, manifest: Manifest, people: list[Person], templates: list[Template], state: FleetState
    ) -> None:
        snapshot = build_snapshot(manifest.space, manifest.dimension, 0, people, templates)
        fault = collision(
            [person.person_id for person in snapshot.people],
            snapshot.matrix,
            self._changed(manifest, state, people),
            self._too_close(len(people)),
            dict.fromkeys(manifest.distinct),
        )
        if fault:
            raise RefusedError("gate_collision", fault)

    def _changed(self, manifest: Manifest, state: FleetState, people: list[Person]) -> frozenset[str]:
        """Return the people of the shards that are new: the others were compared when they came."""
        known: set[str] = set()
        if state.gallery is not None:
            known = {entry.sha256 for entry in self._store.manifest(state.gallery).entries}
        same = {entry.number for entry in manifest.entries if entry.sha256 in known}
        return frozenset(
            person.person_id for person in people if shard_of(person.person_id, manifest.shards) not in same
        )

    def _blob(self, name: str, target: Target, most: int) -> bytes:
        """Return a blob from disk or from the source, checked; its length is known before it is asked for."""
        if target.length > most:
            raise RefusedError("too_long", f"{name}: {target.length} bytes, at most {most} are taken")
        if self._have(target.sha256):
            return self._store.blobs.get(target.sha256)
        data = self._source.blob(target.sha256, target.length)
        check_blob(name, target, data)
        return data


def _number(target: Target, key: str) -> int:
    value: Any = target.custom.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise RefusedError("malformed", f"{key} {value!r}: expected a number from 1 on")
    return value


def moment(seconds: float) -> datetime:
    """Return seconds since 1970 as an aware datetime."""
    return datetime.fromtimestamp(seconds, UTC)
