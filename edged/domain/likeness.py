"""The gates that hold a face, or the mean of a track's faces, against a person."""

from collections.abc import Iterator

from edged.domain.gallery import GallerySnapshot
from edged.domain.matching import at_least, limits_for, veto_limit
from edged.domain.types import Gate, Match, Reason


def likeness(
    match: Match | None, gallery: GallerySnapshot, threshold: float | None, min_margin: float
) -> Iterator[tuple[Reason, Gate]]:
    """Yield the gates that hold a match against its person, by that person's own limits.

    A raised bar and a veto are in the trace only where there is one.
    """
    person_id = None if match is None else match.person_id
    if match is None or person_id is None:
        score = None if match is None else match.score
        yield Reason.UNKNOWN, Gate("score", score, threshold, passed=False)
        return
    limits = limits_for(person_id, gallery, threshold, min_margin)
    if limits.bar is not None:
        yield Reason.UNKNOWN, Gate("lookalike", limits.bar.cosine, None, True, limits.bar.other_id)
    yield Reason.UNKNOWN, Gate("score", match.score, limits.score, at_least(match.score, limits.score))
    if match.veto_score is not None:
        limit = veto_limit(match, limits)
        yield Reason.VETOED, Gate("veto", match.veto_score, limit, match.veto_score < limit)
    yield Reason.AMBIGUOUS, Gate("margin", match.margin, limits.margin, at_least(match.margin, limits.margin))


def mean_likeness(
    mean: Match | None, gallery: GallerySnapshot, threshold: float | None, min_margin: float
) -> Iterator[tuple[Reason, Gate]]:
    """Yield the same for the mean of a track, as ``mean_score`` and so on; nothing where there is none."""
    if mean is not None:
        for reason, gate in likeness(mean, gallery, threshold, min_margin):
            if gate.name != "lookalike":
                yield reason, Gate(f"mean_{gate.name}", gate.value, gate.limit, gate.passed, gate.who)


def candidates(match: Match | None) -> tuple[Gate, ...]:
    """Return the two whom a face is nearest to, as gates that check nothing; none in an empty gallery."""
    if match is None or match.person_id is None:
        return ()
    nearest = Gate("nearest", match.score, None, True, match.person_id)
    if match.second_id is None:
        return (nearest,)
    return nearest, Gate("second", match.second_score, None, True, match.second_id)
