"""What is signed and cannot be right: a door refuses it and keeps what it has."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from edged.domain.gallery_parts import GalleryPart
from edged.domain.people import Person, Template
from edged.domain.shards import collision, misplaced, repeated, shrunk, unusable
from edged.errors import FleetError
from edged.fleet.gallery_format import Manifest, ShardEntry
from edged.membership.open_gallery import Frame, OpenedShard, OpenGallery, open_shard

# A leaver or a department is a few percent; a third of a company is a mistake or an attack.
ALLOWED_SHRINK = 0.3


class RefusedError(FleetError):
    """What was signed is not taken; ``reason`` is a stable code."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Before:
    """What is in force: its ``people`` by number, its ``entries``, and such of its ``shards`` as are open."""

    people: int
    entries: frozenset[ShardEntry] = frozenset()
    shards: Mapping[ShardEntry, OpenedShard] = field(default_factory=dict)


def checked_shard(
    people: Sequence[Person], templates: Sequence[Template], entry: ShardEntry, manifest: Manifest
) -> OpenedShard:
    """Return a shard, opened. Raises ``RefusedError`` where it cannot be right.

    Nobody stands in two shards: everybody stands where they belong, and there once.
    """
    if len(people) != entry.people:
        text = f"shard {entry.number}: {len(people)} of {entry.people} people"
        raise RefusedError("gate_count", text)
    if fault := misplaced(people, entry.number, manifest.shards):
        raise RefusedError("gate_place", fault)
    if fault := repeated(people):
        raise RefusedError("gate_repeated", fault)
    if fault := unusable(templates, manifest.dimension):
        raise RefusedError("gate_vector", fault)
    try:
        return open_shard(people, templates, Frame.of(manifest))
    except ValueError as exc:
        raise RefusedError("gate_vector", str(exc)) from exc


def check_gallery(
    manifest: Manifest,
    opened: OpenGallery,
    before: Before,
    too_close: Callable[[int], float],
    *,
    alive: Callable[[], None] = lambda: None,
) -> None:
    """Raise ``RefusedError`` where a whole gallery cannot be right. ``alive`` is called now and then."""
    people = sum(len(shard.people) for block in opened.blocks for shard in block.shards)
    if people != manifest.people:
        raise RefusedError("gate_count", f"{people} people, the manifest says {manifest.people}")
    if not manifest.allow_shrink and shrunk(before.people, people, ALLOWED_SHRINK):
        text = f"{people} people after {before.people}, and nobody said why"
        raise RefusedError("gate_shrink", text)
    new = _newcomers(opened, before)
    if new and (fault := _likeness(manifest, opened, new, too_close(people), alive)):
        raise RefusedError("gate_collision", fault)


def _likeness(
    manifest: Manifest,
    opened: OpenGallery,
    new: Sequence[GalleryPart],
    limit: float,
    alive: Callable[[], None],
) -> str | None:
    """Compare ``new`` with everybody: the others were compared when they came."""
    ids = frozenset(itertools.chain.from_iterable(part.index for part in new))
    others = [block.part for block in opened.blocks if not block.part.index.keys() <= ids]

    def among(_person_id: str) -> bool:
        return True

    def apart(person_id: str) -> bool:
        return person_id not in ids

    for place, part in enumerate(new):
        pairs = [*((other, among) for other in new[place:]), *((other, apart) for other in others)]
        for other, counts in pairs:
            fault = collision(part, other, limit, manifest.distinct, counts, alive=alive)
            if fault:
                return fault
    return None


def _newcomers(opened: OpenGallery, before: Before) -> list[GalleryPart]:
    """Return who is not in force with just that row, somebody new or changed, by block."""
    in_force = {entry.number: shard for entry, shard in before.shards.items()}
    found = []
    for block in opened.blocks:
        rows: list[int] = []
        first = 0
        for entry, shard in zip(block.entries, block.shards, strict=True):
            if entry not in before.entries:
                rows += [first + row for row in _changed(shard, in_force.get(entry.number))]
            first += len(shard.known)
        if len(rows) == len(block.part.people):
            found.append(block.part)  # all of it: a first gallery is not copied
        elif rows:
            people = tuple(block.part.people[row] for row in rows)
            found.append(GalleryPart(people, block.part.matrix[rows], len(rows)))
    return [part for part in found if part.people]


def _changed(shard: OpenedShard, old: OpenedShard | None) -> list[int]:
    """Return the rows of ``shard`` that ``old`` has not, of the same person and to the bit."""
    known = {} if old is None else dict(zip((one.person_id for one in old.known), old.matrix, strict=True))
    return [
        row
        for row, person in enumerate(shard.known)
        if person.person_id not in known or not np.array_equal(known[person.person_id], shard.matrix[row])
    ]
