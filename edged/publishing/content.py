"""People turned into sealed shards. One that has not changed keeps its bytes: no door fetches it again."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from edged.domain.people import Person, Template
from edged.domain.shards import shard_of
from edged.errors import FleetError
from edged.fleet.gallery_format import (
    MAX_SHARD_BYTES,
    PersonRecord,
    Shard,
    ShardEntry,
    encode,
    record_of,
)
from edged.fleet.gallery_seal import BlobName, seal


@dataclass(frozen=True, slots=True)
class Previous:
    """What was published last: ``entries`` and, in the open, ``shards`` by number."""

    entries: Mapping[int, ShardEntry]
    shards: Mapping[int, Shard]


@dataclass(frozen=True, slots=True)
class Built:
    """The shards of a version: all ``entries``, and the sealed bytes of those that are new, by SHA-256."""

    entries: list[ShardEntry]
    blobs: dict[str, bytes]
    people: int


def records(people: Iterable[Person], templates: Iterable[Template]) -> list[PersonRecord]:
    """Return what is sent of everybody who has a template. Raises ``FleetError``."""
    theirs: dict[str, list[Template]] = {}
    for template in templates:
        theirs.setdefault(template.person_id, []).append(template)
    return [record_of(person, theirs[person.person_id]) for person in people if person.person_id in theirs]


def build_shards(
    everybody: Iterable[PersonRecord],
    previous: Previous,
    *,
    group: str,
    space: str,
    shards: int,
    version: int,
    epoch: int,
    secret: bytes,
) -> Built:
    """Return the shards of a new version. Raises ``FleetError`` on one that is too large."""
    by_shard: dict[int, list[PersonRecord]] = {}
    for record in everybody:
        by_shard.setdefault(shard_of(record.id, shards), []).append(record)
    built = Built([], {}, sum(map(len, by_shard.values())))
    for number in sorted(by_shard):
        shard = Shard(people=sorted(by_shard[number], key=lambda record: record.id))
        if number in previous.entries and previous.shards.get(number) == shard:
            built.entries.append(previous.entries[number])
            continue
        name = BlobName(group, space, f"shard-{number}", version, epoch)
        sealed = seal(encode(shard), secret, name)
        if len(sealed) > MAX_SHARD_BYTES:
            raise FleetError(
                f"shard {number} has {len(sealed)} bytes, at most {MAX_SHARD_BYTES}: use more shards"
            )
        digest = hashlib.sha256(sealed).hexdigest()
        built.blobs[digest] = sealed
        built.entries.append(
            ShardEntry(
                number=number,
                sha256=digest,
                length=len(sealed),
                version=version,
                epoch=epoch,
                people=len(shard.people),
            )
        )
    return built
