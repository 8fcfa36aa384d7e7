"""An int8 embedder against its float32 one: all pairs of photographs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edged.domain.types import FloatArray
from edged.errors import EvaluationError
from edged.evaluation.cross_pairs import CrossPairs
from edged.evaluation.error_rates import RULE_OF_ERRORS, ScoreHistogram

FALSE_MATCH_RATES = (1e-2, 1e-3, 1e-4)
MAX_WORSENING = 0.10
MIN_CORRELATION = 0.99
# Thresholds nearer than this are one threshold: 0.005 moves y1's false match rate by 7 % at 1e-4.
MAX_SHIFT = 0.005
# One pair of fewer would be more than one per cent of them.
MIN_GENUINE_PAIRS = 100
_CHUNK = 256


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """At cosine ``threshold`` at most ``fmr`` of the impostor pairs match and ``fnmr`` of the genuine do not.

    ``misses`` is how many genuine pairs that is.
    """

    fmr: float
    threshold: float
    fnmr: float
    misses: int


@dataclass(frozen=True, slots=True)
class EmbedderFigures:
    """What all pairs of ``photographs`` gave.

    Points are by false match rate, the last decides. ``mixed`` compares float32 with int8 vectors, as
    after a change of precision. ``correlation`` is Pearson's, of the cosines of all pairs; ``cosine``
    and ``lowest_cosine`` are between the two vectors of one photograph: mean and minimum.
    """

    photographs: int
    people: int
    genuine_pairs: int
    impostor_pairs: int
    float32: tuple[OperatingPoint, ...]
    int8: tuple[OperatingPoint, ...]
    mixed: tuple[OperatingPoint, ...]
    correlation: float
    cosine: float
    lowest_cosine: float

    @property
    def shift(self) -> float:
        """How far the threshold moves, to int8 alone or to both mixed, whichever is farther."""
        before = self.float32[-1].threshold
        return max(abs(points[-1].threshold - before) for points in (self.int8, self.mixed))

    @property
    def one_space(self) -> bool:
        """Tell whether float32 and int8 vectors may meet under one threshold."""
        return self.shift <= MAX_SHIFT

    def problems(self) -> list[str]:
        """Return why int8 must not take the place of float32; empty where it may."""
        before, after = self.float32[-1], self.int8[-1]
        found = []
        # One pair more is no evidence, whatever its share.
        if after.misses > before.misses * (1 + MAX_WORSENING) + 1:
            found.append(
                f"FNMR at FMR {before.fmr:g} is {after.fnmr:.2%} in int8 and {before.fnmr:.2%} in float32: "
                f"more than {MAX_WORSENING:.0%} worse"
            )
        # Written so that NaN fails too.
        if not self.correlation >= MIN_CORRELATION:
            found.append(
                f"the scores of int8 and float32 correlate by {self.correlation:.4f}, "
                f"expected at least {MIN_CORRELATION:g}"
            )
        return found


def compare_embeddings(float32: FloatArray, int8: FloatArray, people: Sequence[str]) -> EmbedderFigures:
    """Compare (N, D) unit rows of the same N photographs; ``people[i]`` is row i's person.

    Raises ``EvaluationError`` where there are too few pairs for a false match rate of 1 %.
    """
    _, labels = np.unique(np.asarray(people), return_inverse=True)
    kinds = [CrossPairs(ScoreHistogram(), ScoreHistogram()) for _ in range(3)]
    moments = np.zeros((3, 3))
    for start in range(0, len(labels), _CHUNK):
        stop = start + _CHUNK
        rows = slice(start, stop)
        sides = ((float32, float32), (int8, int8), (float32, int8))
        scores = [one[rows] @ other[start:].T for one, other in sides]
        same = labels[rows, None] == labels[None, start:]
        later = np.arange(same.shape[1])[None] > np.arange(same.shape[0])[:, None]
        for pairs, values in zip(kinds, scores, strict=True):
            pairs.genuine.add(values[later & same])
            pairs.impostor.add(values[later & ~same])
        columns = np.stack([np.ones(int(later.sum())), scores[0][later], scores[1][later]])
        moments += columns.astype(np.float64) @ columns.astype(np.float64).T
    rates = supported_rates(kinds[0].genuine.total, kinds[0].impostor.total)
    same_photograph = np.sum(float32 * int8, axis=1)
    return EmbedderFigures(
        photographs=len(labels),
        people=int(labels.max(initial=-1)) + 1,
        genuine_pairs=kinds[0].genuine.total,
        impostor_pairs=kinds[0].impostor.total,
        float32=_points(kinds[0], rates),
        int8=_points(kinds[1], rates),
        mixed=_points(kinds[2], rates),
        correlation=_correlation(moments),
        cosine=float(same_photograph.mean()),
        lowest_cosine=float(same_photograph.min()),
    )


def supported_rates(genuine_pairs: int, impostor_pairs: int) -> list[float]:
    """Return the false match rates that have 30 errors behind them.

    Raises ``EvaluationError`` where there is none, or where there are too few pairs of one person.
    """
    rates = [rate for rate in FALSE_MATCH_RATES if rate * impostor_pairs >= RULE_OF_ERRORS]
    if not rates or genuine_pairs < MIN_GENUINE_PAIRS:
        wanted = int(RULE_OF_ERRORS / FALSE_MATCH_RATES[0])
        raise EvaluationError(
            f"too few photographs to measure with: {genuine_pairs} pairs of one person and {impostor_pairs} "
            f"of two; expected at least {MIN_GENUINE_PAIRS} (with fewer, one pair is more than 1 %) and "
            f"{wanted} (30 errors behind a false match rate of 1 %): some 150 people with 2 photographs "
            "each, since a quarter of the people calibrate"
        )
    return rates


def count_pairs(people: Sequence[str]) -> tuple[int, int]:
    """Return how many pairs of one person and how many of two the photographs of ``people`` make."""
    sizes = np.unique(np.asarray(people, str), return_counts=True)[1] if people else np.zeros(0, int)
    genuine = int((sizes * (sizes - 1) // 2).sum())
    return genuine, len(people) * (len(people) - 1) // 2 - genuine


def _points(pairs: CrossPairs, rates: Sequence[float]) -> tuple[OperatingPoint, ...]:
    points = []
    for rate in rates:
        threshold = pairs.impostor.threshold_for(rate)
        misses = pairs.genuine.total - pairs.genuine.at_or_above(threshold)
        points.append(OperatingPoint(rate, threshold, misses / pairs.genuine.total, misses))
    return tuple(points)


def _correlation(moments: npt.NDArray[np.float64]) -> float:
    """Return Pearson's correlation from the sums of products of (1, x, y); 0 where one does not vary."""
    count, x, y = moments[0]
    covariance = moments[1, 2] - x * y / count
    spread = (moments[1, 1] - x * x / count) * (moments[2, 2] - y * y / count)
    return float(covariance / np.sqrt(spread)) if spread > 0 else 0.0
