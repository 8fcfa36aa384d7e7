"""What is signed and cannot be right: a door refuses it and keeps what it has."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from edged.domain.gallery_parts import GalleryPart
from edged.domain.people import Person, Template
from edged.domain.shards import collision, misplaced, repeated, shrunk, unusable
from edged.domain.types import FloatArray
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
    fault = _likeness(manifest, opened, _newcomers(opened, before), too_close(people), alive)
    if fault:
        raise RefusedError("gate_collision", fault)


def _likeness(
    manifest: Manifest,
    opened: OpenGallery,
    new: GalleryPart,
    limit: float,
    alive: Callable[[], None],
) -> str | None:
    """Compare ``new`` with everybody: the others were compared when they came."""
    if not new.people:
        return None
    fault = collision(new, new, limit, manifest.distinct, lambda _person_id: True, alive=alive)
    for block in opened.blocks:
        if fault is None and not block.part.index.keys() <= new.index.keys():
            fault = collision(
                new,
                block.part,
                limit,
                manifest.distinct,
                lambda person_id: person_id not in new.index,
                alive=alive,
            )
    return fault


def _newcomers(opened: OpenGallery, before: Before) -> GalleryPart:
    """Return who is not in force with just that row: somebody new, or changed."""
    in_force = {entry.number: shard for entry, shard in before.shards.items()}
    people: list[Person] = []
    rows: list[FloatArray] = []
    for block in opened.blocks:
        for entry, shard in zip(block.entries, block.shards, strict=True):
            if entry in before.entries:
                continue
            old = in_force.get(entry.number)
            known = {} if old is None else dict(zip(_ids(old), old.matrix, strict=True))
            for person, row in zip(shard.known, shard.matrix, strict=True):
                was = known.get(person.person_id)
                if was is None or not np.array_equal(was, row):
                    people.append(person)
                    rows.append(row)
    return GalleryPart(tuple(people), np.array(rows, np.float32), len(rows))


def _ids(shard: OpenedShard) -> list[str]:
    return [person.person_id for person in shard.known]
