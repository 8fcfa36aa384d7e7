"""One attempt at bringing a door up to date: check everything, then change one file.

Order: who signed, then who is denied (in memory before the disk is asked), then the gallery. Until the last
step the old gallery serves; a power cut at any step leaves the old or the new one, and nothing between.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

import msgspec

from edged.errors import FleetError, StoreCorruptError, StoreError
from edged.fleet.gallery_format import (
    MAX_DENIED_BYTES,
    MAX_KEYS_BYTES,
    MAX_MANIFEST_BYTES,
    MAX_ROLES_BYTES,
    Denied,
    Keys,
    Manifest,
    Roles,
    decode,
    people_of,
)
from edged.fleet.trust import HELD, Floor, PublisherTrust, Target, Trusted, UntrustedError, check_blob
from edged.membership.denial import Denial
from edged.membership.gates import Before, RefusedError, check_gallery, checked_shard
from edged.membership.open_gallery import Frame, OpenGallery, open_gallery
from edged.membership.opener import Opener
from edged.membership.state import AppliedGallery, FleetState, InForce, RolesInForce
from edged.membership.store import FleetStore

logger = logging.getLogger(__name__)


class BlobSource(Protocol):
    """Where blobs come from."""

    def blobs(self, wanted: Sequence[tuple[str, int]]) -> Iterator[tuple[str, bytes]]:
        """Yield blobs by hash and length, in any order; the caller checks them. Raises ``FleetError``."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What an attempt led to: ``applied`` a gallery, ``denied`` a deny list, ``waiting`` for its turn.

    ``heard``: who is denied is known as the publisher says now.
    ``roles``: whether those in force are what the publisher says now; None where that was not heard.
    ``vouched_at``: a time (Unix seconds) that has passed, if the publisher's clock is right.
    """

    applied: bool = False
    denied: bool = False
    waiting: bool = False
    heard: bool = False
    roles: bool | None = None
    vouched_at: float = 0.0
    refused: str | None = None
    text: str = ""

    @property
    def changed(self) -> bool:
        """Whether anything else is in force now."""
        return self.applied or self.denied


class GalleryUpdate:
    """``too_close`` gives the cosine from which on two people of a gallery of that many must be one.

    ``alive`` is called now and then while many people are opened and compared.
    """

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
        alive: Callable[[], None] = lambda: None,
        step: Callable[[str], None] = lambda _name: None,
    ) -> None:
        self._store = store
        self._trust = trust
        self._source = source
        self._space = space
        self._dimension = dimension
        self._too_close = too_close
        self._now = now
        self._alive = alive
        self._step = step

    def attempt(self, not_before: datetime) -> Attempt:
        """Take what the publisher offers, or say why not; ``not_before`` is a time that has passed.

        Raises ``StoreError`` where the disk fails: what was in force still is, and who is denied by what was
        heard is so in memory.
        """
        floor, trouble = self._ready()
        changed, heard, roles, vouched_at = False, False, None, 0.0
        try:
            trusted = self._trust.refresh(floor, not_before)
            vouched_at = trusted.signed_at.timestamp()
            changed, heard = self._hear_denied(trusted), True
            self._step("denied held")
            if trouble is not None:
                raise trouble
            self._seen(trusted)
            self._step("trusted")
            roles = False
            changed = self._store_denied() or changed
            if trusted.unkept is not None:
                raise trusted.unkept
            roles = self._take_roles(trusted)
            attempt = self._take_gallery(trusted, denied=changed)
        except (UntrustedError, RefusedError) as exc:
            attempt = Attempt(denied=changed, refused=exc.reason, text=str(exc)[:400])
        except StoreCorruptError as exc:
            attempt = Attempt(denied=changed, refused="damaged", text=str(exc)[:400])
        except FleetError as exc:
            attempt = Attempt(denied=changed, refused="altered", text=str(exc)[:400])
        if trouble is not None:
            raise trouble
        return replace(attempt, heard=heard, roles=roles, vouched_at=max(vouched_at, self._created_at()))

    def _ready(self) -> tuple[Floor, StoreError | None]:
        """Return how new what was seen is, and what the disk has against going on.

        That is said only once who is denied was heard.
        """
        try:
            state = self._begin()
        except StoreError as exc:
            trouble = exc
        else:
            return Floor(state.root, state.timestamp), None
        try:
            state = self._store.state()
        except StoreError:
            state = FleetState()
        return Floor(state.root, state.timestamp), trouble

    def _created_at(self) -> float:
        """Return when the gallery in force was made, as its publisher has signed; 0 where nothing tells."""
        try:
            gallery = self._store.state().gallery
            return 0.0 if gallery is None else self._store.manifest(gallery).created_at
        except StoreError:
            return 0.0

    def _begin(self) -> FleetState:
        """Return what is in force. A damaged state starts anew: TUF's cache still says how new."""
        try:
            state = self._store.state()
        except StoreCorruptError as exc:
            logger.error("state of the fleet damaged, all of it is fetched again error=%s", exc)  # noqa: TRY400
            # Receipts are ordered by it: it must not count from zero again.
            self._store.begin_anew(int(self._now().timestamp()))
            state = self._store.state()
        try:
            self._store.sweep()
        except StoreCorruptError as exc:
            logger.warning("gallery of the fleet damaged, what is missing is fetched again error=%s", exc)
        return state

    def _commit(self, **changes: Any) -> None:
        """Change what is named. Read anew: the clock's guard writes too, while something is waited for."""
        self._store.commit(msgspec.structs.replace(self._store.state(), **changes))

    def _seen(self, trusted: Trusted) -> None:
        """Remember how new the metadata are before anything of them is used."""
        state = self._store.state()
        seen = {
            "root": trusted.floor.root,
            "timestamp": trusted.floor.timestamp,
            "expires": trusted.expires.timestamp(),
            "signed_until": trusted.signed_until.timestamp(),
        }
        if any(getattr(state, name) != value for name, value in seen.items()):
            self._commit(**seen)

    def _hear_denied(self, trusted: Trusted) -> bool:
        """Have the publisher's deny list in force, in memory; say whether it is another one."""
        target, known = trusted.targets.get("denied"), self._store.denial()
        same = target is not None and known is not None and known.sha256 == target.sha256
        if target is None or (same and known is not None and self._has(known)):
            return False
        keys, data, opener = self._keys(trusted)
        sealed = self._blob("denied", target, MAX_DENIED_BYTES)
        version, epoch = _number(target, "version"), _number(target, "epoch")
        denied = decode(opener.open(sealed, "denied", "", version, epoch), Denied)
        if (denied.group, denied.version) != (self._store.member.group, version):
            raise RefusedError("wrong_group", f"a deny list of {denied.group!r}, version {denied.version}")
        root = trusted.floor.root
        if known is not None and not same and (root, version) <= (known.root, known.version):
            raise RefusedError("rollback", f"deny list {version}, {known.version} is in force")
        part = InForce(sha256=target.sha256, root=root, version=version, epoch=epoch, keys=keys)
        self._store.hold(Denial(part, frozenset(denied.people), {target.sha256: sealed, keys: data}))
        return True

    def _has(self, part: InForce) -> bool:
        """Whether a deny list is here, in memory or whole on the disk."""
        return self._store.holds(part) or all(
            self._on_disk(sha256) is not None for sha256 in (part.sha256, part.keys)
        )

    def _store_denied(self) -> bool:
        stored = self._store.store_denial(self._step)
        if stored:
            self._step("denied in force")
        return stored

    def _take_roles(self, trusted: Trusted) -> bool:
        """Whether those in force are what the publisher says now."""
        target, known = trusted.targets.get("roles"), self._store.state().roles
        same = target is not None and known is not None and known.sha256 == target.sha256
        if target is None or (same and self._store.blobs.whole(target.sha256)):
            return target is not None
        data = self._blob("roles", target, MAX_ROLES_BYTES)
        roles, version, root = decode(data, Roles), _number(target, "version"), trusted.floor.root
        if (roles.group, roles.version) != (self._store.member.group, version):
            raise RefusedError("wrong_group", f"command keys of {roles.group!r}, version {roles.version}")
        if known is not None and not same and (root, version) <= (known.root, known.version):
            raise RefusedError("rollback", f"command keys {version}, {known.version} are in force")
        self._store.blobs.put(target.sha256, data)
        self._commit(roles=RolesInForce(sha256=target.sha256, version=version, root=root))
        return True

    def _take_gallery(self, trusted: Trusted, *, denied: bool) -> Attempt:
        state = self._store.state()
        target = trusted.targets.get("manifest")
        if target is None:
            return Attempt(denied=denied, text="nothing was published yet")
        current = state.gallery
        same = current is not None and current.sha256 == target.sha256
        if same and self._store.intact(state):
            return Attempt(denied=denied)
        keys, data, opener = self._keys(trusted)
        manifest, sealed = self._manifest(target, opener)
        self._check(manifest, None if same else state.gallery, trusted)
        if self._is_for_others(manifest):
            waiting = Attempt(
                denied=denied, waiting=True, text=f"version {manifest.version} is tried elsewhere"
            )
            held = self._held(trusted, state, manifest.version)
            if held is None:
                return waiting
            target = held
            manifest, sealed = self._manifest(target, opener)
            self._check(manifest, None, trusted)
            if self._is_for_others(manifest):
                return waiting
        self._fetch(manifest)
        self._step("fetched")
        opened = self._opened(manifest, opener)
        check_gallery(manifest, opened, self._before(state, manifest), self._too_close, alive=self._alive)
        self._step("checked")
        self._store.blobs.put_all([(target.sha256, sealed), (keys, data)])
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
        self._commit(gallery=gallery, lapsed=False, revision=self._store.state().revision + 1)
        self._store.keep_open(opened, gallery)
        self._step("in force")
        return Attempt(applied=True, denied=denied)

    def _is_for_others(self, manifest: Manifest) -> bool:
        return manifest.only is not None and self._store.member.door not in manifest.only

    def _held(self, trusted: Trusted, state: FleetState, tried: int) -> Target | None:
        """Return what this door is to have while others try something newer; None where it has that, or more.

        Somebody may have been forgotten meanwhile, or its own files are damaged. Having been a canary once it
        has more: it goes back to nothing older. A root that is newer makes nothing of this newer, unless the
        numbers began anew with it: then even what is ``tried`` has a lower one than what is here.
        """
        held, current = trusted.targets.get(HELD), state.gallery
        if held is None or current is None:
            return held
        offered = _number(held, "version")
        anew = trusted.floor.root > current.root and tried < current.version
        if offered == current.version and not anew:
            return None if self._store.intact(state) else held
        return held if anew or offered > current.version else None

    def _keys(self, trusted: Trusted) -> tuple[str, bytes, Opener]:
        """Return the hash and the bytes of the keys, which are not stored yet, and what they open."""
        target = trusted.targets.get("keys")
        if target is None:
            raise RefusedError("wrong_key", "no keys were published")
        data = self._blob("keys", target, MAX_KEYS_BYTES)
        try:
            opener = Opener(self._store.member, decode(data, Keys))
        except FleetError as exc:
            raise RefusedError("wrong_group", str(exc)) from exc
        return target.sha256, data, opener

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

    def _check(self, manifest: Manifest, current: AppliedGallery | None, trusted: Trusted) -> None:
        if manifest.group != self._store.member.group:
            raise RefusedError(
                "wrong_group", f"of group {manifest.group!r}, not {self._store.member.group!r}"
            )
        newest = None if current is None else (current.root, current.version)
        if newest is not None and (trusted.floor.root, manifest.version) <= newest:
            raise RefusedError("rollback", f"version {manifest.version}, {newest[1]} is in force")
        numbers = [entry.number for entry in manifest.entries]
        if len(set(numbers)) != len(numbers) or any(number >= manifest.shards for number in numbers):
            raise RefusedError("malformed", "the manifest names a shard twice or one too many")

    def _fetch(self, manifest: Manifest) -> None:
        """Have every shard on disk, checked. What has come stays, should the connection end before the rest.

        Nothing is in force by that: the next change erases what no gallery in force names.
        """
        whole = self._store.blobs.whole
        missing = {entry.sha256: entry for entry in manifest.entries if not whole(entry.sha256)}
        wanted = [(sha256, entry.length) for sha256, entry in missing.items()]

        def checked() -> Iterator[tuple[str, bytes]]:
            for sha256, data in self._source.blobs(wanted):
                entry = missing[sha256]
                check_blob(f"shard-{entry.number}", Target(sha256, entry.length), data)
                yield sha256, data

        if wanted:
            self._store.blobs.put_all(checked())

    def _opened(self, manifest: Manifest, opener: Opener) -> OpenGallery:
        """Return the gallery in the open, each shard checked by itself; what was open is in force."""
        known = self._store.open_now
        shards = known.shards(Frame.of(manifest))
        for entry in manifest.entries:
            if entry not in shards:
                self._alive()
                shard = opener.shard(self._store.blobs.get(entry.sha256), entry, manifest.space)
                people, templates = people_of(shard, manifest.space, manifest.dimension)
                shards[entry] = checked_shard(people, templates, entry, manifest)
        return open_gallery(manifest, shards, known)

    def _on_disk(self, sha256: str) -> bytes | None:
        """Return a blob that is whole; None where it is not, or where the disk does not tell."""
        try:
            return self._store.blobs.get(sha256) if self._store.blobs.whole(sha256) else None
        except StoreError:
            return None

    def _before(self, state: FleetState, manifest: Manifest) -> Before:
        if state.gallery is None:
            return Before(0)
        try:
            entries = frozenset(self._store.manifest(state.gallery).entries)
        except StoreError:  # damaged: everything counts as new, and is compared
            return Before(state.gallery.people)
        shards = self._store.open_now.shards(Frame.of(manifest))
        in_force = {entry: shard for entry, shard in shards.items() if entry in entries}
        return Before(state.gallery.people, entries, in_force)

    def _blob(self, name: str, target: Target, most: int) -> bytes:
        """Return a blob from disk or from the source, checked; its length is known before it is asked for."""
        if target.length > most:
            raise RefusedError("too_long", f"{name}: {target.length} bytes, at most {most} are taken")
        if (kept := self._on_disk(target.sha256)) is not None:
            return kept
        data = dict(self._source.blobs([(target.sha256, target.length)])).get(target.sha256, b"")
        check_blob(name, target, data)
        return data


def _number(target: Target, key: str) -> int:
    value: Any = target.custom.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise RefusedError("malformed", f"{key} {value!r}: expected a number from 1 on")
    return value
