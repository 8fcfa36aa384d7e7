"""Whom a visit may not be let in as: a face that was once like a vetoed one stays so while it is in view.

From one picture to the next a face moves away from the one that was vetoed: of a recording that was replayed
to a door, some pictures came to 0.99 and others, a second later, to 0.60. So one picture refuses the whole
visit, as that person and nobody else; whoever comes after it is a visit of their own.
"""

from edged.domain.gallery import GallerySnapshot
from edged.domain.matching import limits_for, veto_limit
from edged.domain.types import Match, Observation


def vetoed_people(
    seen: Observation, gallery: GallerySnapshot, threshold: float | None, min_margin: float
) -> set[str]:
    """Return the people whose vetoes this picture's face is as near to as to them, whoever it is nearest to.

    That asks neither for a score nor for the best place, so that a lower score or one more person in the
    gallery never makes a veto miss.
    """
    match = seen.match
    if match is None:
        return set()
    held = [match, *(_held(seen, gallery, person_id) for person_id in gallery.vetoes)]
    return {
        one.person_id
        for one in held
        if one is not None and one.person_id is not None and _fires(one, gallery, threshold, min_margin)
    }


def _fires(match: Match, gallery: GallerySnapshot, threshold: float | None, min_margin: float) -> bool:
    if match.person_id is None or match.veto_score is None:
        return False
    limits = limits_for(match.person_id, gallery, threshold, min_margin)
    return not match.veto_score < veto_limit(match, limits)  # so that NaN is a veto


def _held(seen: Observation, gallery: GallerySnapshot, person_id: str) -> Match | None:
    """Return the face held against one person; None where it is not at hand or they are not there."""
    row = gallery.index.get(person_id)
    if seen.vector is None or row is None:
        return None
    veto = float((gallery.vetoes[person_id] @ seen.vector).max())
    return Match(person_id, gallery.search.between(row, seen.vector).least, None, -1.0, veto)
