"""The two cosines enrolment decides by, from the pack's own measurement."""

from collections.abc import Sequence
from dataclasses import dataclass

from edged.domain.calibration import MeasuredPoint, cosine_at
from edged.domain.lookalikes import alike_level
from edged.errors import EnrolmentError

# One wrong stop among 100,000 comparisons of strangers. People are compared by the centres of their
# photographs: of the 78,606 pairs of 397 people of lfw-dev none reaches the level (the nearest: 0.457).
SIMILAR_FMR = 1e-5
# Two photographs of one person miss this level in 1.3 % of the pairs of LFW. With three each, 3 of
# 1,098 photographs were set aside, and 0.2 % of the pairs of different people reach it.
CONSISTENT_FMR = 1e-3
# The ratio of the two levels where both were measured: 0.318 / 0.458 with MobileFaceNet.
_CONSISTENT_RATIO = 0.69


@dataclass(frozen=True, slots=True)
class Levels:
    """Cosines: ``similar`` and above is taken for one person, below ``consistent`` for two.

    People at ``alike`` and above are look-alikes, if they are two; the door calls the same pairs so, see
    ``domain.lookalikes``.
    """

    similar: float
    consistent: float
    alike: float = 1.0


def levels_for(calibration: Sequence[MeasuredPoint], max_similar_score: float | None = None) -> Levels:
    """Return the levels of an embedder; ``max_similar_score`` (gallery.max_similar_score) overrides one.

    A table that ends above the wanted rate gives its lowest rate's cosine, which stops more people.
    Raises ``EnrolmentError`` (no_calibration) where there is neither a table nor an override.
    """
    similar = max_similar_score
    if similar is None:
        similar = _at(calibration, SIMILAR_FMR)
    if similar is None:
        raise EnrolmentError(
            "no_calibration",
            "the embedder's pack has no calibration table, so look-alikes cannot be told; "
            "set gallery.max_similar_score",
        )
    consistent = _at(calibration, CONSISTENT_FMR)
    alike = alike_level(calibration)
    return Levels(
        similar,
        _CONSISTENT_RATIO * similar if consistent is None else min(consistent, similar),
        similar if alike is None else min(alike, similar),
    )


def _at(calibration: Sequence[MeasuredPoint], fmr: float) -> float | None:
    if not calibration:
        return None
    return cosine_at(calibration, max(fmr, min(point.fmr for point in calibration)))
