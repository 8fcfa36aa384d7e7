"""What every door would refuse is said at the desk, before it is signed: the same gates, run there."""

from collections.abc import Collection, Iterable, Sequence

from edged.domain.gallery import build_snapshot
from edged.domain.shards import collision, repeated, shard_of, shrunk, unusable
from edged.errors import FleetError
from edged.fleet.gallery_format import PersonRecord, Shard, people_of
from edged.membership.gates import ALLOWED_SHRINK


def proofread(
    records: Iterable[PersonRecord],
    *,
    space: str,
    dimension: int,
    shards: int,
    new: Collection[int],
    distinct: Sequence[str],
    limit: float,
) -> None:
    """Raise ``FleetError`` where two of ``records`` are one person for a door, or a template is none.

    Only people of the shards ``new`` are looked at, and compared with everybody; ``limit`` is the cosine from
    which on.
    """
    everybody = list(records)
    people, templates = people_of(Shard(people=everybody), space, dimension)
    changed = {person.person_id for person in people if shard_of(person.person_id, shards) in new}
    theirs = [template for template in templates if template.person_id in changed]
    if fault := repeated(people) or unusable(theirs, dimension):
        raise FleetError(f"every door would refuse this: {fault}")
    fault = collision(
        build_snapshot(
            space, dimension, 0, (person for person in people if person.person_id in changed), theirs
        ),
        build_snapshot(space, dimension, 0, people, templates),
        limit,
        distinct,
        lambda _person_id: True,
    )
    if fault:
        one, other = fault.split(" have a cosine")[0].split(" and ")
        raise FleetError(
            f"every door would refuse this: {fault}. Look at both; `edged people merge` joins them, "
            f"`edged gallery different {one} {other}` says that they are two"
        )


def explain_shrink(before: int, after: int) -> None:
    """Raise ``FleetError`` where so many people are missing that a door would not believe it."""
    if shrunk(before, after, ALLOWED_SHRINK):
        raise FleetError(
            f"every door would refuse this: {after} people after {before}; --allow-shrink says it is meant"
        )
