"""The gallery that a fleet gave this door, as the daemon reads people: sealed on disk, open in memory."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from edged.domain.gallery import COMPACT_FROM
from edged.domain.people import Person, Template, Veto
from edged.domain.shards import shard_of
from edged.errors import FleetError, StoreCorruptError, StoreError
from edged.fleet.gallery_format import (
    AccessRecord,
    CommandKey,
    Denied,
    Keys,
    Manifest,
    Roles,
    Shard,
    ShardEntry,
    decode,
    people_of,
)
from edged.fleet.gallery_seal import BlobName, unseal, unwrap
from edged.membership.blobs import BlobFolder
from edged.membership.state import FleetState, InForce, StateFile
from edged.storage.files import identity
from edged.storage.vault import Vault


@dataclass(frozen=True, slots=True)
class OpenedShard:
    """The people of one shard, and their templates."""

    people: tuple[Person, ...]
    templates: tuple[Template, ...]


@dataclass(frozen=True, slots=True)
class Member:
    """Which door of which group this is, and the key that opens what is meant for it."""

    site: str
    door: str
    group: str
    sealing: X25519PrivateKey


T = TypeVar("T")


class FleetStore:
    """The folder of what was received. One thread writes; any may read. Raises ``StoreError``.

    ``swept`` says that nothing lies here which is in force no more. ``past_last_day`` is set where nobody may
    be let in and the disk takes no word of it.
    """

    def __init__(self, directory: Path, vault: Vault, member: Member) -> None:
        self.member = member
        self.blobs = BlobFolder(directory / "blobs")
        self._file = StateFile(directory / "state", vault)
        self._read: tuple[tuple[int, ...] | None, FleetState] | None = None
        self._opened: dict[tuple[ShardEntry, str, int], OpenedShard] = {}
        self._manifest: tuple[InForce, Manifest] | None = None
        self.swept = False
        self.past_last_day = False

    def state(self) -> FleetState:
        """Return what is in force and what was seen."""
        found = identity(self._file.path)
        read = self._read  # another thread may forget it meanwhile
        if read is None or read[0] != found:
            read = self._read = (found, self._file.read())
        return read[1]

    def commit(self, state: FleetState) -> None:
        """Make ``state`` the one in force, and erase the blobs that it has no use for."""
        before = self.state()
        self._file.write(state)
        self._read = None
        if (before.gallery, before.denied, before.roles) != (state.gallery, state.denied, state.roles):
            self.swept = False
            self.sweep()

    def begin_anew(self, revision: int) -> None:
        """Let go of a state that is damaged: nothing is in force, and everything has to be fetched again."""
        self._file.write(FleetState(revision=revision))
        self._read = None

    def sweep(self) -> None:
        """Erase what is in force no more, on disk and in memory; a cut may have left some of it."""
        if self.swept:
            return
        self._let_go(self.state())
        self.swept = True

    def _let_go(self, state: FleetState) -> None:
        needed = set() if state.roles is None else {state.roles.sha256}
        for part in (state.gallery, state.denied):
            if part is not None:
                needed |= {part.sha256, part.keys}
        entries = [] if state.gallery is None else self.manifest(state.gallery).entries
        self.blobs.keep_only(needed | {entry.sha256 for entry in entries})
        kept = frozenset(entries)
        for key in set(self._opened):
            if key[0] not in kept:
                self._opened.pop(key, None)

    # What a gallery's worker polls and reads.

    def generation(self) -> int:
        """Return a number that grows with each change."""
        return 2 * self.state().revision + self.past_last_day

    def identity(self) -> tuple[int, ...] | None:
        """Return what differs once the state is another file."""
        return identity(self._file.path)

    def people(self) -> list[Person]:
        """Return everybody of the gallery in force; who is denied is disabled."""
        return self._settled(self._people)

    def _people(self, state: FleetState) -> list[Person]:
        if not self._serves(state):
            return []
        denied = self.denied(state)
        return [
            replace(person, enabled=False) if person.person_id in denied else person
            for shard in self.each_shard(state)
            for person in shard.people
        ]

    def _serves(self, state: FleetState) -> bool:
        return state.gallery is not None and not state.lapsed and not self.past_last_day

    def _settled(self, read: Callable[[FleetState], T]) -> T:
        """Return what ``read`` makes of the state in force; its files may go while another comes into force.

        Raises ``StoreError``.
        """
        while True:
            state = self.state()
            try:
                return read(state)
            except StoreCorruptError:
                if self.state() == state:
                    raise

    def templates(self, space: str | None = None) -> list[Template]:
        """Return the templates in force, if they are of ``space``."""
        return self.read_templates(space, list)

    def read_templates(self, space: str | None, use: Callable[[Iterable[Template]], T]) -> T:
        """Return what ``use`` makes of the templates in force, if they are of ``space``.

        It is asked again where another gallery comes into force meanwhile. Raises ``StoreError``, and what
        ``use`` raises.
        """

        def read(state: FleetState) -> T:
            other = state.gallery is not None and space not in (None, state.gallery.space)
            if other or not self._serves(state):
                return use(())
            return use(template for shard in self.each_shard(state) for template in shard.templates)

        return self._settled(read)

    def templates_of(self, person_ids: Sequence[str], space: str) -> list[Template]:
        """Return the templates of some people as far as they are kept open in memory; from any thread."""
        state = self.state()
        if state.gallery is None or space != state.gallery.space:
            return []
        manifest, wanted = self.manifest(state.gallery), frozenset(person_ids)
        numbers = {shard_of(person_id, manifest.shards) for person_id in wanted}
        shards = [
            self._opened.get((entry, manifest.space, manifest.dimension))
            for entry in manifest.entries
            if entry.number in numbers
        ]
        templates = (template for shard in shards if shard is not None for template in shard.templates)
        return [template for template in templates if template.person_id in wanted]

    def vetoes(self, space: str | None = None) -> list[Veto]:
        """Return none: a fleet has no vetoes of its own."""
        del space
        return []

    def access(self) -> AccessRecord | None:
        """Return who may enter when, if the fleet says so."""
        state = self.state()
        return None if state.gallery is None else self.manifest(state.gallery).access

    def distinct(self) -> frozenset[str]:
        """Return the pairs (``"a b"``) that look like one person and are two."""
        state = self.state()
        return frozenset() if state.gallery is None else frozenset(self.manifest(state.gallery).distinct)

    # Opening.

    def each_shard(self, state: FleetState) -> Iterator[OpenedShard]:
        """Yield the gallery in force, opened, a shard at a time. Raises ``StoreCorruptError``."""
        if state.gallery is None:
            raise StoreCorruptError("no gallery was received yet")
        manifest = self.manifest(state.gallery)
        keys, opened = self.blobs.get(state.gallery.keys), {}
        try:
            opener = Opener(self.member, decode(keys, Keys))
            for entry in manifest.entries:
                shard, _ = self.shard(entry, manifest, opener, self.blobs.get)
                if _kept_open(manifest):
                    opened[entry] = shard
                yield shard
        except FleetError as exc:
            raise StoreCorruptError(f"the received gallery: {exc}") from exc
        if self.state().gallery == state.gallery:  # else somebody who was in it may be forgotten meanwhile
            self.keep_open(manifest, opened)

    def shard(
        self, entry: ShardEntry, manifest: Manifest, opener: "Opener", read: Callable[[str], bytes]
    ) -> tuple[OpenedShard, bool]:
        """Return the people of a shard, and whether it was opened just now. See ``keep_open``.

        Raises ``FleetError``, and what ``read`` does.
        """
        key = (entry, manifest.space, manifest.dimension)
        known = self._opened.get(key)
        if known is not None:
            return known, False
        shard = opener.shard(read(entry.sha256), entry, manifest.space)
        people, templates = people_of(shard, manifest.space, manifest.dimension)
        return OpenedShard(tuple(people), tuple(templates)), True

    def keep_open(self, manifest: Manifest, opened: Mapping[ShardEntry, OpenedShard]) -> None:
        """Keep the shards of a gallery in force open, so that a change of one person costs one shard.

        Not of the largest, whose templates take four times what is kept of them for searching. One that was
        refused never comes here: it would pass for one that was checked.
        """
        for entry, shard in opened.items() if _kept_open(manifest) else ():
            self._opened[entry, manifest.space, manifest.dimension] = shard

    def intact(self, state: FleetState) -> bool:
        """Whether every byte of the gallery in force still is what it was."""
        part = state.gallery
        if part is None:
            return True
        try:
            entries = self.manifest(part).entries
        except StoreError:
            return False
        return all(map(self.blobs.whole, (part.sha256, part.keys, *(entry.sha256 for entry in entries))))

    def manifest(self, part: InForce) -> Manifest:
        """Return the manifest in force, opened once. Raises ``StoreCorruptError``."""
        known = self._manifest  # another thread may open another one meanwhile
        if known is not None and known[0] == part:
            return known[1]
        space = getattr(part, "space", "")
        try:
            opener = Opener(self.member, decode(self.blobs.get(part.keys), Keys))
            plain = opener.open(self.blobs.get(part.sha256), "manifest", space, part.version, part.epoch)
            manifest = decode(plain, Manifest)
        except FleetError as exc:
            raise StoreCorruptError(f"the received gallery: {exc}") from exc
        self._manifest = (part, manifest)
        return manifest

    def command_keys(self) -> list[CommandKey]:
        """Return who may give commands now. Raises ``StoreCorruptError``."""
        part = self.state().roles
        if part is None:
            return []
        try:
            return decode(self.blobs.get(part.sha256), Roles).keys
        except FleetError as exc:
            raise StoreCorruptError(f"the received list of command keys: {exc}") from exc

    def denied(self, state: FleetState) -> frozenset[str]:
        """Return who is refused whatever the gallery says. Raises ``StoreCorruptError``."""
        part = state.denied
        if part is None:
            return frozenset()
        try:
            opener = Opener(self.member, decode(self.blobs.get(part.keys), Keys))
            plain = opener.open(self.blobs.get(part.sha256), "denied", "", part.version, part.epoch)
            return frozenset(decode(plain, Denied).people)
        except FleetError as exc:
            raise StoreCorruptError(f"the received deny list: {exc}") from exc


def _kept_open(manifest: Manifest) -> bool:
    return manifest.people < COMPACT_FROM


class Opener:
    """Opens blobs with the secrets that ``keys`` wraps for one door."""

    def __init__(self, member: Member, keys: Keys) -> None:
        if keys.group != member.group:
            raise FleetError(f"keys of group {keys.group!r}, this door belongs to {member.group!r}")
        self._member = member
        self._keys = keys
        self._secrets: dict[int, bytes] = {}

    def open(self, sealed: bytes, part: str, space: str, version: int, epoch: int) -> bytes:
        """Return what a blob holds. Raises ``FleetError``."""
        name = BlobName(self._member.group, space, part, version, epoch)
        return unseal(sealed, self._secret(epoch), name)

    def shard(self, sealed: bytes, entry: ShardEntry, space: str) -> Shard:
        """Return the people of one shard. Raises ``FleetError``."""
        part = f"shard-{entry.number}"
        return decode(self.open(sealed, part, space, entry.version, entry.epoch), Shard)

    def _secret(self, epoch: int) -> bytes:
        if epoch not in self._secrets:
            member = self._member
            wrapped = self._keys.wrapped.get(str(epoch), {}).get(member.door)
            if wrapped is None:
                raise FleetError(f"the group's secret of epoch {epoch} is not meant for door {member.door}")
            self._secrets[epoch] = unwrap(
                wrapped, member.sealing, group=member.group, epoch=epoch, door=member.door
            )
        return self._secrets[epoch]
