"""A publisher's folder and doors that ask it directly: all of the real parts, without a broker between."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import numpy as np

from edged.domain.people import Person, Template
from edged.fleet.gallery_format import PersonRecord, record_of
from edged.fleet.joining import DoorCard
from edged.fleet.trust import PublisherTrust
from edged.membership.identity import DoorIdentity, create_identity
from edged.membership.opener import Member
from edged.membership.store import FleetStore
from edged.membership.update import Attempt, GalleryUpdate
from edged.publishing.keyring import Keyring
from edged.publishing.planning import Wanted
from edged.publishing.register import DoorEntry, Fleet, GroupEntry
from edged.publishing.release import FleetFolder
from edged.storage.vault import Vault

SITE, GROUP, SPACE, DIMENSION = "hq", "office", "test-space", 64
PASSPHRASE = b"a passphrase"
ROOT_KEYS = ["root-1", "root-2"]


def vector(seed: int, dimension: int = DIMENSION) -> np.ndarray:
    values = np.random.default_rng(seed).standard_normal(dimension).astype(np.float32)
    return values / np.linalg.norm(values)


def record(number: int, *, templates: int = 2, **of_person: object) -> PersonRecord:
    """A person whose templates are far from everybody else's."""
    person = Person(f"p-{number:05}", f"Somebody {number}", **of_person)  # type: ignore[arg-type]
    theirs = []
    for index in range(templates):
        mixed = vector(number) + 0.1 * vector(10_000_000 + number * 10 + index)
        theirs.append(Template(str(index), person.person_id, SPACE, mixed / np.linalg.norm(mixed), 0.8, b""))
    return record_of(person, theirs)


def publisher(directory: Path, shards: int = 8, keys: Keyring | None = None) -> FleetFolder:
    keyring = keys or Keyring(directory / "keys", PASSPHRASE)
    for name in (*ROOT_KEYS, "publisher", "revoker", "daily", "reader"):
        if name not in keyring.names():
            keyring.create(name)
    folder = FleetFolder(directory, keyring)
    fleet = Fleet(prefix="edged", site=SITE, root_keys=ROOT_KEYS, root_threshold=2)
    folder.register.write(fleet)
    folder.create_group(GROUP, GroupEntry(shards=shards))
    return folder


def add(folder: FleetFolder, card: DoorCard, group: str = GROUP) -> None:
    fleet = folder.register.read()
    entry = DoorEntry(card=card, group=group, added_at=0.0)
    folder.register.write(_with_door(fleet, card.door, entry))
    folder.rewrap(group, new_epoch=False)


def _with_door(fleet: Fleet, name: str, entry: DoorEntry) -> Fleet:
    return msgspec.structs.replace(fleet, doors={**fleet.doors, name: entry})


def wanted(*numbers: int, **more: object) -> Wanted:
    return Wanted([record(number) for number in numbers], SPACE, DIMENSION, **more)  # type: ignore[arg-type]


@dataclass
class Direct:
    """What a door can ask for, straight from the publisher's disk; ``lies`` replaces a file's bytes."""

    folder: FleetFolder
    group: str = GROUP
    lies: dict[str, bytes | None] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def metadata(self, name: str) -> bytes | None:
        if name in self.lies:
            return self.lies[name]
        path = self.folder.directory / "groups" / self.group / "meta" / f"{name}.json"
        return path.read_bytes() if path.exists() else None

    def blobs(self, wanted: Sequence[tuple[str, int]]) -> Iterator[tuple[str, bytes]]:
        there = self.folder.blobs(self.group)
        for sha256, _length in wanted:
            self.asked.append(sha256)
            data = self.lies.get(sha256, there.get(sha256))
            assert data is not None, "not published"
            yield sha256, data


@dataclass
class Door:
    """One door's disk, and an attempt at a time."""

    folder: Path
    name: str
    source: Direct
    identity: DoorIdentity
    root: bytes
    group: str = GROUP
    space: str = SPACE
    not_before: datetime = field(default_factory=lambda: datetime.now(UTC) - timedelta(seconds=1))

    @property
    def store(self) -> FleetStore:
        member = Member(SITE, self.name, self.group, self.identity.sealing)
        return FleetStore(self.folder, Vault.open(self.folder / "vault.key"), member)

    def attempt(self, step: object = None, store: FleetStore | None = None, **options: object) -> Attempt:
        update = GalleryUpdate(
            store or self.store,
            PublisherTrust(self.folder / "tuf", self.root, self.source, self.group),
            self.source,
            space=self.space,
            dimension=DIMENSION,
            too_close=lambda _people: 0.9,
            now=lambda: datetime.now(UTC),
            step=step or (lambda _name: None),  # type: ignore[arg-type]
            **options,  # type: ignore[arg-type]
        )
        return update.attempt(self.not_before)

    def people(self) -> dict[str, bool]:
        return {person.person_id: person.enabled for person in self.store.people()}


def door(folder: Path, name: str, publisher_folder: FleetFolder, *, known: bool = True) -> Door:
    identity = create_identity(folder / "identity", Vault.open(folder / "vault.key"))
    if known:
        add(publisher_folder, identity.card(SITE, name, SPACE))
    return Door(folder, name, Direct(publisher_folder), identity, publisher_folder.repository(GROUP).root())


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
