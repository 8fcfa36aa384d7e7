"""1:1 with bounds: how many of the same person match, where so few of different people do."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edged.domain.types import FloatArray
from edged.errors import EvaluationError
from edged.evaluation.cross_pairs import cross_pairs
from edged.evaluation.embedding import Embedded
from edged.evaluation.error_rates import BoolArray, ScoreHistogram, best_accuracy
from edged.evaluation.intervals import Share, clustered_share, independent_share, shortage
from edged.evaluation.protocols import Labelled, Pair, folder_of
from edged.evaluation.verification import NO_FACE, pair_scores

RATES = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)


@dataclass(frozen=True, slots=True)
class RatePoint:
    """The false match rate ``target``: at ``threshold`` the share ``tmr`` of the same pairs match.

    ``fmr`` is what the different pairs show there. Where they are too few for the target, ``shortage`` says
    so and there are no numbers.
    """

    target: float
    shortage: str | None
    threshold: float | None = None
    fmr: Share | None = None
    tmr: Share | None = None


@dataclass(frozen=True, slots=True)
class MatchRates:
    """``accuracy`` at the best ``threshold`` of ``same_pairs`` and about as many different ones.

    ``points`` set the threshold on all ``comparisons`` of different people. ``without_face`` of the pairs
    lack a face: they never match.
    """

    people: int
    same_pairs: int
    different_pairs: int
    without_face: int
    comparisons: int
    accuracy: Share
    threshold: float
    points: tuple[RatePoint, ...]


@dataclass(frozen=True, slots=True, eq=False)
class PairScores:
    """Cosines (N,) of ``pairs``, -1 without a face, and those of all different people in ``impostors``."""

    pairs: tuple[Pair, ...]
    scores: FloatArray
    impostors: ScoreHistogram

    @property
    def same(self) -> BoolArray:
        """Which pairs show one person, (N,)."""
        return np.array([pair.same for pair in self.pairs], bool)

    @property
    def genuine(self) -> FloatArray:
        """The cosines of the pairs of one person, (the number of those,)."""
        return self.scores[self.same]


def score_pairs(
    embedded: Embedded, pairs: Sequence[Pair], photographs: Sequence[Labelled] = ()
) -> PairScores:
    """Score ``pairs``, and every pair of different people among ``photographs``.

    Without ``photographs`` nobody knows who the people are, and the different ones of ``pairs`` stand alone.
    Raises ``EvaluationError`` without pairs of either kind.
    """
    scores = pair_scores(embedded, pairs)
    same = np.array([pair.same for pair in pairs], bool)
    if same.all() or not same.any():
        raise EvaluationError("expected pairs of the same person and of different people, got one kind")
    if photographs:
        owners = {one.image: one.person for one in photographs}
        rows = [row for row, name in enumerate(embedded.names) if name in owners]
        people = [owners[embedded.names[row]] for row in rows]
        return PairScores(tuple(pairs), scores, cross_pairs(embedded.vectors[rows], people).impostor)
    impostors = ScoreHistogram()
    impostors.add(scores[~same])
    return PairScores(tuple(pairs), scores, impostors)


def match_rates(scored: PairScores, targets: Sequence[float] = RATES) -> MatchRates:
    """Return the rates at the false match rates ``targets``.

    Bounds of ``accuracy`` and ``tmr`` are by bootstrap over the people, who are told by the folder of a
    pair's first photograph; those of ``fmr`` are Wilson's, although the comparisons share photographs.
    """
    same = scored.same
    _, threshold = best_accuracy(scored.scores, same)
    owners = _owners(scored.pairs)
    right = (scored.scores >= threshold) == same
    points = tuple(_point(target, scored, owners[same]) for target in targets)
    decided = clustered_share(np.bincount(owners, right).astype(int), np.bincount(owners))
    return MatchRates(
        people=len(np.unique(owners)),
        same_pairs=int(same.sum()),
        different_pairs=int((~same).sum()),
        without_face=int(np.count_nonzero(scored.scores <= NO_FACE)),
        comparisons=scored.impostors.total,
        accuracy=decided,
        threshold=threshold,
        points=points,
    )


def _point(target: float, scored: PairScores, owners: np.ndarray) -> RatePoint:
    comparisons = scored.impostors.total
    lacking = shortage(target, comparisons)
    if lacking is not None:
        return RatePoint(target, lacking)
    threshold = scored.impostors.threshold_for(target)
    matched = (scored.genuine >= threshold) & (scored.genuine > NO_FACE)
    return RatePoint(
        target,
        None,
        threshold,
        independent_share(scored.impostors.at_or_above(threshold), comparisons),
        clustered_share(np.bincount(owners, matched).astype(int), np.bincount(owners)),
    )


def _owners(pairs: Sequence[Pair]) -> np.ndarray:
    """Return (N,) a number for the person of each first photograph; without folders each is its own."""
    names = [folder_of(pair.first) for pair in pairs]
    return np.unique(np.array(names), return_inverse=True)[1]
