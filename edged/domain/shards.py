"""How a fleet's gallery is divided, and what one division may hold before a door believes it.

A person belongs to one shard for ever, so that a change of one person changes one shard.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from edged.domain.calibration import MeasuredPoint, cosine_at
from edged.domain.codes import Codes
from edged.domain.near_pairs import near_pairs
from edged.domain.people import Person, Template
from edged.domain.row_blocks import RowBlocks
from edged.domain.types import FloatArray

# 10,000 people in 256 shards are 40 a shard: one of them changes 0.4 % of the bytes.
DEFAULT_SHARDS = 256
MOST_SHARDS = 1024
# Rounding of a quantised vector that was made a unit again; anything larger never was one.
_UNIT_TOLERANCE = 1e-3
# Pairs of strangers that may be stopped wrongly, in one gallery.
_COLLISIONS = 0.01
# A hundredth of what enrolment stops at: who looks alike and is two was seen by somebody there.
_COLLISION_FMR = 1e-7
# Photographs of one person hardly ever come so close, copies of one photograph always do.
_NO_TABLE = 0.95


class Rows(Protocol):
    """People and their rows; a ``GallerySnapshot``, or a part of one."""

    @property
    def people(self) -> Sequence[Person]:
        """Whose the rows are."""

    @property
    def matrix(self) -> FloatArray | Codes | RowBlocks:
        """(P, D) unit rows."""


def shard_of(person_id: str, shards: int) -> int:
    """Return the shard, 0 to ``shards`` - 1, that a person belongs to."""
    return int.from_bytes(hashlib.sha256(person_id.encode()).digest()[:4]) % shards


def misplaced(people: Sequence[Person], shard: int, shards: int) -> str | None:
    """Say who does not belong into ``shard``, or None: otherwise one person could be sent twice."""
    for person in people:
        if (right := shard_of(person.person_id, shards)) != shard:
            return f"{person.person_id} stands in shard {shard} and belongs to shard {right}"
    return None


def repeated(people: Sequence[Person]) -> str | None:
    """Say whose id stands twice, or None."""
    ids = [person.person_id for person in people]
    if len(set(ids)) == len(ids):
        return None
    counts = Counter(ids)
    twice = sorted(person_id for person_id, count in counts.items() if count > 1)
    return f"{twice[0]} is named {counts[twice[0]]} times"


def unusable(templates: Sequence[Template], dimension: int) -> str | None:
    """Say which template is no finite unit vector of ``dimension``, or None."""
    for template in templates:
        if template.vector.shape != (dimension,):
            return f"a template of {template.person_id} has {template.vector.size} numbers, not {dimension}"
    if templates:
        norms = np.linalg.norm(np.stack([template.vector for template in templates]), axis=1)
        # Written so that NaN fails: every comparison with it is false.
        bad = np.flatnonzero(~(np.abs(norms - 1.0) <= _UNIT_TOLERANCE))
        if bad.size:
            return f"a template of {templates[bad[0]].person_id} is no unit vector"
    return None


def collision(
    new: Rows,
    others: Rows,
    limit: float,
    distinct: Sequence[str],
    counts: Callable[[str], bool],
    *,
    alive: Callable[[], None] = lambda: None,
) -> str | None:
    """Say who of ``new`` is closer than ``limit`` (cosine) to somebody of ``others``, or None.

    A person under two names could be removed under one of them and go on under the other. Only others whose
    id ``counts`` are meant; pairs that stand in ``distinct`` as ``"a b"`` (ids in order) were looked at by
    somebody and are two people. ``alive`` is called now and then: many people take a while.
    """
    known = frozenset(distinct)
    for row, column, cosine in near_pairs(new.matrix, others.matrix, limit, alive):
        one, other = new.people[row].person_id, others.people[column].person_id
        pair = " ".join(sorted((one, other)))
        if one != other and pair not in known and counts(other):
            names = pair.replace(" ", " and ")
            return f"{names} have a cosine of {cosine:.2f}, as one person has"
    return None


def shrunk(before: int, after: int, allowed: float) -> bool:
    """Whether ``after`` people are fewer than ``before`` by more than the share ``allowed`` (0..1)."""
    return after < before and (before - after) > max(1.0, allowed * before)


def collision_level(points: Sequence[MeasuredPoint], people: int) -> float:
    """Return the cosine from which on two of ``people`` must be one person, as a fuse against mistakes.

    At it less than one pair of strangers in a hundred galleries comes as close, and at most one in ten
    million, by the embedder's table ``points``; where the table does not reach that far, half of the way from
    its end to 1 is added. Doubles that are less alike are for the audit, which somebody looks at.
    """
    pairs = max(1.0, people * (people - 1) / 2)
    wanted = min(_COLLISION_FMR, _COLLISIONS / pairs)
    lowest = min((point.fmr for point in points if point.fmr > 0), default=1.0)
    level = cosine_at(points, max(wanted, lowest)) if points else None
    if level is None:
        return _NO_TABLE
    return level if wanted >= lowest else level + (1.0 - level) / 2
