"""What the next version of a gallery is: its shards, what it changes, and what a door would object to."""

from collections.abc import Collection
from dataclasses import dataclass, replace

from edged.fleet.gallery_format import PersonRecord
from edged.publishing.archive import Archive, people_in
from edged.publishing.content import Built, Previous, build_shards
from edged.publishing.proof import explain_shrink, proofread
from edged.publishing.register import GroupEntry


@dataclass(frozen=True, slots=True)
class Change:
    """What a version changes: ids, and the bytes a door has to fetch that has the version before.

    ``forgotten``: who was wanted and is left out, since they were forgotten in a group of the fleet.
    """

    version: int
    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    people: int = 0
    shards: int = 0
    new_bytes: int = 0
    all_bytes: int = 0
    forgotten: tuple[str, ...] = ()

    @property
    def nothing(self) -> bool:
        """Whether the people are the same as before."""
        return not (self.added or self.changed or self.removed)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What shall be published: people of one embedding space. ``only``: the doors that try it first.

    ``too_close`` is the cosine from which on a door takes two for one person; None leaves that to the doors.
    """

    records: Collection[PersonRecord]
    space: str
    dimension: int
    only: tuple[str, ...] | None = None
    allow_shrink: bool = False
    distinct: tuple[str, ...] = ()
    too_close: float | None = None


def without(wanted: Wanted, people: Collection[str]) -> tuple[Wanted, tuple[str, ...]]:
    """Return what is wanted but for ``people``, and who of them was wanted."""
    out = tuple(sorted({record.id for record in wanted.records if record.id in people}))
    rest = [record for record in wanted.records if record.id not in people]
    return replace(wanted, records=rest), out


def objections(archive: Archive, entry: GroupEntry, wanted: Wanted, built: Built, change: Change) -> None:
    """Raise ``FleetError`` where a door would refuse the version."""
    at_doors = [archive.manifest(version) for version in entry.offered]
    if at_doors and not wanted.allow_shrink:
        explain_shrink(max(before.people for before in at_doors), change.people)
    new = {item.number for item in built.entries if item.sha256 in built.blobs}
    if any(set(before.distinct) - set(wanted.distinct) for before in at_doors):
        new = set(range(entry.shards))  # somebody took back that two people are two
    proofread(
        (record for record in wanted.records if record.id not in entry.denied),
        space=wanted.space,
        dimension=wanted.dimension,
        shards=entry.shards,
        new=new,
        distinct=wanted.distinct,
        limit=wanted.too_close or 1.0,
    )


def planned(
    entry: GroupEntry, group: str, wanted: Wanted, previous: Previous, *, version: int, secret: bytes
) -> tuple[Built, Change]:
    """Return the shards of the next version, and what it changes."""
    records = {record.id: record for record in wanted.records if record.id not in entry.denied}
    before = people_in(previous)
    built = build_shards(
        records.values(),
        previous,
        group=group,
        space=wanted.space,
        shards=entry.shards,
        version=version,
        epoch=entry.epoch,
        secret=secret,
    )
    change = Change(
        version,
        added=tuple(sorted(records.keys() - before.keys())),
        changed=tuple(sorted(i for i in records.keys() & before.keys() if records[i] != before[i])),
        removed=tuple(sorted(before.keys() - records.keys())),
        people=built.people,
        shards=len(built.blobs),
        new_bytes=sum(map(len, built.blobs.values())),
        all_bytes=sum(item.length for item in built.entries),
    )
    return built, change
