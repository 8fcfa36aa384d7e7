"""What is signed and cannot be right: a door refuses it and keeps what it has."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from edged.domain.gallery import GallerySnapshot, build_snapshot
from edged.domain.shards import collision, misplaced, repeated, shard_of, shrunk, unusable
from edged.errors import FleetError
from edged.fleet.gallery_format import Manifest, ShardEntry
from edged.membership.store import OpenedShard

# A leaver or a department is a few percent; a third of a company is a mistake or an attack.
ALLOWED_SHRINK = 0.3


class RefusedError(FleetError):
    """What was signed is not taken; ``reason`` is a stable code."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Before:
    """What is in force: its ``people`` by number, its ``entries``, and ``serving``, if that is just it."""

    people: int
    entries: frozenset[ShardEntry]
    serving: GallerySnapshot | None


def check_shard(shard: OpenedShard, entry: ShardEntry, manifest: Manifest) -> None:
    """Raise ``RefusedError`` where a shard cannot be right."""
    if len(shard.people) != entry.people:
        text = f"shard {entry.number}: {len(shard.people)} of {entry.people} people"
        raise RefusedError("gate_count", text)
    if fault := misplaced(shard.people, entry.number, manifest.shards):
        raise RefusedError("gate_place", fault)
    if fault := unusable(shard.templates, manifest.dimension):
        raise RefusedError("gate_vector", fault)


def check_gallery(
    manifest: Manifest,
    shards: Mapping[ShardEntry, OpenedShard],
    before: Before,
    too_close: Callable[[int], float],
    *,
    alive: Callable[[], None] = lambda: None,
) -> None:
    """Raise ``RefusedError`` where a whole gallery cannot be right. ``alive`` is called now and then."""
    people = [person for shard in shards.values() for person in shard.people]
    if len(people) != manifest.people:
        raise RefusedError("gate_count", f"{len(people)} people, the manifest says {manifest.people}")
    if fault := repeated(people):
        raise RefusedError("gate_repeated", fault)
    if not manifest.allow_shrink and shrunk(before.people, len(people), ALLOWED_SHRINK):
        text = f"{len(people)} people after {before.people}, and nobody said why"
        raise RefusedError("gate_shrink", text)
    new = [entry for entry in shards if entry not in before.entries]
    if new:
        _check_likeness(manifest, shards, new, before.serving, too_close(len(people)), alive=alive)


def _check_likeness(
    manifest: Manifest,
    shards: Mapping[ShardEntry, OpenedShard],
    new: Sequence[ShardEntry],
    serving: GallerySnapshot | None,
    limit: float,
    *,
    alive: Callable[[], None],
) -> None:
    """Compare the people of new shards with everybody: the others were compared when they came."""
    fresh = _snapshot(manifest, [shards[entry] for entry in new])
    rest = serving or _snapshot(manifest, [shards[entry] for entry in shards if entry not in new])
    changed = {entry.number for entry in new} | (
        set(range(manifest.shards)) - {entry.number for entry in shards}
    )
    fault = collision(
        fresh, fresh, limit, manifest.distinct, lambda _person_id: True, alive=alive
    ) or collision(
        fresh,
        rest,
        limit,
        manifest.distinct,
        lambda person_id: shard_of(person_id, manifest.shards) not in changed,
        alive=alive,
    )
    if fault:
        raise RefusedError("gate_collision", fault)


def _snapshot(manifest: Manifest, shards: Sequence[OpenedShard]) -> GallerySnapshot:
    people = [person for shard in shards for person in shard.people]
    templates = [template for shard in shards for template in shard.templates]
    return build_snapshot(manifest.space, manifest.dimension, 0, people, templates)
