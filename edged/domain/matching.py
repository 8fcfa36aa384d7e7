"""The nearest people of a snapshot, the distance to the runner-up, and the limits they are held to."""

import math
from dataclasses import dataclass

from edged.domain.gallery import GallerySnapshot
from edged.domain.lookalikes import Bar
from edged.domain.types import FloatArray, Match

NOBODY = Match(person_id=None, score=-1.0, second_id=None, second_score=-1.0)


@dataclass(frozen=True, slots=True)
class Limits:
    """What ``score`` and ``margin`` must reach; ``bar`` is what raised them for this person."""

    score: float | None
    margin: float
    bar: Bar | None = None


def limits_for(
    person_id: str, snapshot: GallerySnapshot, threshold: float | None, min_margin: float
) -> Limits:
    """Return a person's own limits: everybody's, and what a look-alike adds to them."""
    bar = snapshot.bars.get(person_id)
    if bar is None or threshold is None:
        return Limits(threshold, min_margin)
    return Limits(max(threshold, bar.score), max(min_margin, bar.margin), bar)


def veto_limit(match: Match, limits: Limits) -> float:
    """Return what ``match.veto_score`` must stay below: who was taken for the person is a runner-up too.

    Each stranger of lfw-dev who is taken for somebody at a threshold for 10 people (118 further photographs
    of 119 anchors, arcface-y1) is refused so; of the person's own photographs 0.6 % are. To refuse all that
    matches the anchor by the threshold would catch no more of the one, and 22 % of the other.
    """
    return match.score - limits.margin


def best_match(snapshot: GallerySnapshot, vector: FloatArray) -> Match:
    """Return the two people nearest to ``vector`` (D,) float32 unit length, and how near a veto lies.

    Of people whose rows are kept as codes ``score`` is the least that it may be, ``second_score`` the most.
    Raises ``ValueError`` when the vector is of another dimension or not finite.
    """
    if vector.shape != snapshot.matrix.shape[1:]:
        raise ValueError(f"expected a vector {snapshot.matrix.shape[1:]}, got {vector.shape}")
    # The square of the length of a unit vector; of one with NaN or infinity in it, it is none either.
    if not math.isfinite(vector @ vector):
        raise ValueError("expected a finite vector, got NaN or infinity")
    if not snapshot.people:
        return NOBODY
    best, *others = snapshot.search.nearest(vector)
    second_id, second_score = None, -1.0
    if others:
        second_id, second_score = snapshot.people[others[0].row].person_id, others[0].most
    person_id = snapshot.people[best.row].person_id
    anchors = snapshot.vetoes.get(person_id)
    veto_score = None if anchors is None else float((anchors @ vector).max())
    return Match(person_id, best.least, second_id, second_score, veto_score)


def at_least(value: float, limit: float | None) -> bool:
    """Whether ``value`` reaches ``limit``; written so that NaN and a missing limit fail."""
    return limit is not None and value >= limit
