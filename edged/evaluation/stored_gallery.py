"""A gallery on a disk as a door keeps it, its own or a fleet's, made at once and read as a door reads it."""

import hashlib
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from edged.domain.codes import Products
from edged.domain.gallery import GallerySnapshot
from edged.domain.gallery_reading import read_gallery
from edged.domain.people import Person, Template
from edged.domain.shards import DEFAULT_SHARDS, shard_of
from edged.fleet.gallery_format import (
    Keys,
    Manifest,
    PersonRecord,
    Shard,
    ShardEntry,
    encode,
    record_of,
)
from edged.fleet.gallery_seal import BlobName, new_secret, seal, wrap
from edged.membership.opener import Member
from edged.membership.people import FleetPeople
from edged.membership.state import AppliedGallery, FleetState
from edged.membership.store import FleetStore
from edged.storage import people_queries
from edged.storage.database import Database
from edged.storage.people import PeopleStore
from edged.storage.vault import Vault

# A batch of people, and one template of each.
Batch = tuple[Sequence[Person], Sequence[Template]]

_MEMBER = ("site", "door", "group")
_LAST_DAY = 4e9
_DISK = "people.db"


@dataclass(frozen=True, slots=True)
class StoredGallery:
    """``people`` reads what lies in ``folder``."""

    folder: Path
    people: PeopleStore | FleetPeople

    def load(
        self, space: str, dimension: int, products: Products, previous: GallerySnapshot | None = None
    ) -> tuple[float, GallerySnapshot]:
        """Return the seconds of reading all and building the snapshot, and this. Raises ``StoreError``."""
        started = time.perf_counter()
        snapshot = read_gallery(
            self.people,
            space,
            dimension,
            0,
            reread=lambda ids: self.people.templates_of(ids, space),
            previous=previous,
            products=products,
        )
        return time.perf_counter() - started, snapshot

    @property
    def bytes(self) -> int:
        """What it takes on the disk."""
        return sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())


def keep_people(folder: Path, batches: Iterable[Batch]) -> StoredGallery:
    """Make a door's own gallery in ``folder``. Raises ``StoreError``."""
    vault = Vault(folder / "key", supervised=False)
    database = Database.open(folder / _DISK, name="people", schema=people_queries.SCHEMA)
    try:
        database.submit(lambda connection: people_queries.initialise(connection, vault)).result()
        for people, templates in batches:
            rows = people_queries.Rows.sealed(vault, people, templates)
            database.submit(rows.insert).result()
    finally:
        database.close()
    return StoredGallery(folder, PeopleStore.open(folder / _DISK, vault, writable=False))


def keep_fleet(folder: Path, batches: Iterable[Batch], space: str, dimension: int) -> StoredGallery:
    """Make what a door received of a fleet in ``folder``; templates become int8. Raises ``StoreError``."""
    vault = Vault(folder / "key", supervised=False)
    vault.create_key()
    key, secret = X25519PrivateKey.generate(), new_secret()
    site, door, group = _MEMBER
    store = FleetStore(folder, vault, Member(site, door, group, key))
    wrapped = wrap(secret, key.public_key().public_bytes_raw(), group=group, epoch=1, door=door)
    keys = _put(store, encode(Keys(group=group, wrapped={"1": {door: wrapped}})))
    entries = [
        _shard(store, number, records, secret, space) for number, records in sorted(_sharded(batches).items())
    ]
    people = sum(entry.people for entry in entries)
    manifest = Manifest(
        group=group,
        version=1,
        space=space,
        dimension=dimension,
        shards=DEFAULT_SHARDS,
        people=people,
        created_at=0,
        valid_until=_LAST_DAY,
        entries=entries,
    )
    sealed = seal(encode(manifest), secret, BlobName(group, space, "manifest", 1, 1))
    applied = AppliedGallery(
        sha256=_put(store, sealed),
        version=1,
        epoch=1,
        keys=keys,
        root=1,
        space=space,
        people=people,
        applied_at=0,
        valid_until=_LAST_DAY,
    )
    store.commit(FleetState(revision=1, gallery=applied))
    own = PeopleStore.open(folder / _DISK, vault, writable=False)
    return StoredGallery(folder, FleetPeople(store, own))


def _sharded(batches: Iterable[Batch]) -> dict[int, list[PersonRecord]]:
    found: dict[int, list[PersonRecord]] = {}
    for people, templates in batches:
        for person, template in zip(people, templates, strict=True):
            number = shard_of(person.person_id, DEFAULT_SHARDS)
            found.setdefault(number, []).append(record_of(person, [template]))
    return found


def _shard(
    store: FleetStore, number: int, records: list[PersonRecord], secret: bytes, space: str
) -> ShardEntry:
    name = BlobName(_MEMBER[2], space, f"shard-{number}", 1, 1)
    sealed = seal(encode(Shard(people=records)), secret, name)
    return ShardEntry(
        number=number,
        sha256=_put(store, sealed),
        length=len(sealed),
        version=1,
        epoch=1,
        people=len(records),
    )


def _put(store: FleetStore, data: bytes) -> str:
    sha256 = hashlib.sha256(data).hexdigest()
    store.blobs.put(sha256, data)
    return sha256
