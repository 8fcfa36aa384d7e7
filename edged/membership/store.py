"""The gallery that a fleet gave this door, as the daemon reads people: sealed on disk, open in memory."""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import msgspec

from edged.domain.gallery import COMPACT_FROM
from edged.domain.gallery_parts import GalleryPart
from edged.domain.people import Person, Template, Veto
from edged.errors import FleetError, StoreCorruptError, StoreError
from edged.fleet.gallery_format import (
    AccessRecord,
    CommandKey,
    Denied,
    Keys,
    Manifest,
    Roles,
    ShardEntry,
    decode,
    people_of,
)
from edged.membership.blobs import BlobFolder
from edged.membership.denial import Denial, newest
from edged.membership.open_gallery import Frame, OpenGallery, open_gallery, open_shard
from edged.membership.opener import Member, Opener
from edged.membership.state import FleetState, InForce, StateFile
from edged.storage.files import identity
from edged.storage.vault import Vault

T = TypeVar("T")


class FleetStore:
    """The folder of what was received. One thread writes; any may read. Raises ``StoreError``.

    ``swept`` says that nothing lies here which is in force no more. ``past_last_day`` is set where nobody may
    be let in and the disk takes no word of it, ``denial_waits`` where a deny list is in force that the disk
    has not taken yet; ``on_denial`` is called once one is in force in memory.
    """

    def __init__(self, directory: Path, vault: Vault, member: Member) -> None:
        self.member = member
        self.blobs = BlobFolder(directory / "blobs")
        self._file = StateFile(directory / "state", vault)
        self._read: tuple[tuple[int, ...] | None, FleetState] | None = None
        self._open = OpenGallery()
        self._changing = threading.Lock()
        self._manifest: tuple[InForce, Manifest] | None = None
        self._denied: tuple[InForce, frozenset[str]] | None = None
        self.swept = False
        self.past_last_day = self.denial_waits = False
        self.on_denial: Callable[[], None] = lambda: None
        self._held: Denial | None = None
        self._holdings = 0

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
        with self._changing:
            self._open = self._open.only(frozenset(entries))

    # Who is denied: in force in memory first, since a full disk must not let them in.

    def hold(self, denial: Denial) -> None:
        """Have a deny list in force at once; ``store_denial`` makes it last over a restart."""
        self._held, self.denial_waits = denial, True
        self._holdings += 1
        self.on_denial()

    def denial(self) -> InForce | None:
        """Return which deny list counts now; that which is held where the disk does not tell."""
        try:
            return newest(self._held, self.state().denied)
        except StoreError:
            return None if self._held is None else self._held.part

    def denied_in_memory(self) -> frozenset[str]:
        """Return who is refused by the deny list that is held; asks no disk."""
        return frozenset() if self._held is None else self._held.people

    def holds(self, part: InForce) -> bool:
        """Whether the deny list ``part`` can be stored without being fetched again."""
        return self._held is not None and self._held.part == part

    def store_denial(self, step: Callable[[str], None] = lambda _name: None) -> bool:
        """Make the deny list that is held last; say whether anything was written."""
        held = self._held
        if held is None:
            return False
        state = self.state()
        counts = newest(held, state.denied) == held.part
        if counts and not (state.denied == held.part and all(map(self.blobs.whole, held.blobs))):
            self.blobs.put_all(held.blobs.items())
            step("denied stored")
            self.commit(msgspec.structs.replace(state, denied=held.part, revision=state.revision + 1))
            self.denial_waits = False
            return True
        self.denial_waits = False
        return False

    # What a gallery's worker polls and reads.

    def generation(self) -> int:
        """Return a number that grows with each change."""
        return 2 * (self.state().revision + self._holdings) + self.past_last_day

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
        if self._is_large(state):
            return [_unless(denied, person) for theirs, _ in self._from_disk(state) for person in theirs]
        return [_unless(denied, person) for person in self.opened(state).people()]

    @staticmethod
    def _is_large(state: FleetState) -> bool:
        return state.gallery is not None and state.gallery.people >= COMPACT_FROM

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
        """Return the templates in force, if they are of ``space``; see ``read_templates``."""
        return self.read_templates(space, list)

    def read_templates(self, space: str | None, use: Callable[[Iterable[Template]], T]) -> T:
        """Return what ``use`` makes of the templates in force, if they are of ``space``.

        They are read from the disk, a shard at a time: none is kept open. ``use`` is asked again where
        another gallery comes into force meanwhile. Raises ``StoreError``, and what ``use`` raises.
        """

        def read(state: FleetState) -> T:
            other = state.gallery is not None and space not in (None, state.gallery.space)
            if other or not self._serves(state):
                return use(())
            return use(template for _, theirs in self._from_disk(state) for template in theirs)

        return self._settled(read)

    def everybody(self, space: str | None = None) -> tuple[list[Person], list[Template]]:
        """Return ``people`` and ``templates``, for whoever asks once: all of it is read from the disk."""

        def read(state: FleetState) -> tuple[list[Person], list[Template]]:
            if state.gallery is None or not self._serves(state):
                return [], []
            denied, found = self.denied(state), list(self._from_disk(state))
            people = [_unless(denied, person) for theirs, _ in found for person in theirs]
            wanted = space in (None, state.gallery.space)
            return people, [template for _, theirs in found for template in theirs] if wanted else []

        return self._settled(read)

    def parts(self, space: str) -> list[GalleryPart] | None:
        """Return the gallery in force as rows, if it is of ``space``; who is denied is disabled.

        A part in which nothing has changed has the very ``matrix`` that it had before. None where they are so
        many that codes are kept in place of rows. Raises ``StoreError``.
        """

        def read(state: FleetState) -> list[GalleryPart] | None:
            other = state.gallery is not None and space != state.gallery.space
            if other or not self._serves(state):
                return []
            if self._is_large(state):
                return None
            denied = self.denied(state)
            return [block.part.without(denied) for block in self.opened(state).blocks]

        return self._settled(read)

    def templates_of(self, person_ids: Sequence[str], space: str) -> list[Template]:
        """Return none: no template is kept open, and to open shards at a face takes too long."""
        del person_ids, space
        return []

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

    @property
    def open_now(self) -> OpenGallery:
        """What is open of the gallery in force; nothing of it was refused."""
        return self._open

    def keep_open(self, gallery: OpenGallery, part: InForce) -> None:
        """Keep a gallery open while ``part`` is in force, so that a change of one person costs one shard.

        Not of the largest, whose rows take four times what is kept of them for searching. One that was
        refused never comes here: it would pass for one that was checked.
        """
        with self._changing:  # else somebody who was in it may be forgotten meanwhile
            state = self.state()
            if state.gallery == part and not self._is_large(state):
                self._open = gallery

    def opened(self, state: FleetState) -> OpenGallery:
        """Return the gallery in force, opened. Raises ``StoreCorruptError``."""
        manifest, known = self._manifest_of(state), self._open
        frame = Frame.of(manifest)
        shards = known.shards(frame)
        missing = [entry for entry in manifest.entries if entry not in shards]
        try:
            for entry, (people, templates) in zip(missing, self._from_disk(state, missing), strict=True):
                shards[entry] = open_shard(people, templates, frame)
            opened = open_gallery(manifest, shards, known)
        except ValueError as exc:
            raise StoreCorruptError(f"the received gallery: {exc}") from exc
        if missing and state.gallery is not None:
            self.keep_open(opened, state.gallery)
        return opened

    def _from_disk(
        self, state: FleetState, entries: Sequence[ShardEntry] | None = None
    ) -> Iterator[tuple[list[Person], list[Template]]]:
        """Yield the people and the templates of shards, all of them or some. Raises ``StoreCorruptError``."""
        manifest, opener = self._manifest_of(state), None
        for entry in manifest.entries if entries is None else entries:
            try:
                opener = opener or self._opener(state.gallery)
                shard = opener.shard(self.blobs.get(entry.sha256), entry, manifest.space)
                yield people_of(shard, manifest.space, manifest.dimension)
            except FleetError as exc:
                raise StoreCorruptError(f"the received gallery: {exc}") from exc

    def _opener(self, part: InForce | None) -> Opener:
        """Return what opens the blobs of ``part``. Raises ``FleetError``, ``StoreError``."""
        if part is None:
            raise StoreCorruptError("no gallery was received yet")
        return Opener(self.member, decode(self.blobs.get(part.keys), Keys))

    def _manifest_of(self, state: FleetState) -> Manifest:
        if state.gallery is None:
            raise StoreCorruptError("no gallery was received yet")
        return self.manifest(state.gallery)

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
            opener, sealed = self._opener(part), self.blobs.get(part.sha256)
            plain = opener.open(sealed, "manifest", space, part.version, part.epoch)
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
        """Return who is refused whatever the gallery says, opened once. Raises ``StoreCorruptError``."""
        held, known = self._held, self._denied
        part = newest(held, state.denied)
        if held is not None and part == held.part:
            return held.people
        if part is None:
            return frozenset()
        if known is not None and known[0] == part:
            return known[1]
        try:
            opener, sealed = self._opener(part), self.blobs.get(part.sha256)
            plain = opener.open(sealed, "denied", "", part.version, part.epoch)
            denied = frozenset(decode(plain, Denied).people)
        except FleetError as exc:
            raise StoreCorruptError(f"the received deny list: {exc}") from exc
        self._denied = (part, denied)
        return denied


def _unless(denied: frozenset[str], person: Person) -> Person:
    return replace(person, enabled=False) if person.person_id in denied else person
