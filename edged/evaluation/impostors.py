"""How far a false match rate can be trusted: upper bounds by the people behind the comparisons.

Comparisons share people, so they are not independent: one face that resembles many makes many errors.
People are therefore drawn anew, with replacement, and the rate is computed of every draw (bootstrap by
subject, as in ISO/IEC 19795-1). The bound is the 95 % quantile of the draws, or what independent
comparisons would leave open (the rule of three and its kin), whichever is higher: where nothing went
wrong in the sample, no draw of it can go wrong.

The faces of LFW differ in how many others they resemble (a lognormal spread of 0.3 to 0.5 of the logarithm,
by the FMR). With 0.5 and 40 to 300 people such bounds lay above the true rate in 95 to 100 of 100 samples,
those of independent comparisons in 86 to 100. With a spread of 1 it would be 87.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edged.domain.calibration import CONFIDENCE, upper_bound
from edged.domain.types import FloatArray
from edged.evaluation.embedding import Progress, silent

IntArray = npt.NDArray[np.int32]

# Their 95 % quantile then moves by some 2 % from seed to seed.
_DRAWS = 500
_STEPS = 10_000  # thresholds are looked for in steps of 1e-4
# 2,048 errors of 500 draws are 4 MB of float32.
_CHUNK = 2048


@dataclass(frozen=True, slots=True, eq=False)
class Impostors:
    """Comparisons of different people. ``trials`` (P, P) counts those of person i with person j.

    ``scores`` (N,) are those of at least ``floor``, of the people ``first`` (N,) and ``second`` (N,).
    People are numbered group by group; ``groups`` holds their sizes. Each group is drawn from itself.
    """

    trials: FloatArray
    first: IntArray
    second: IntArray
    scores: FloatArray
    floor: float
    groups: tuple[int, ...]

    @property
    def comparisons(self) -> int:
        """How many there were."""
        return round(float(self.trials.sum(dtype=np.float64)))


@dataclass(frozen=True, slots=True)
class BoundedPoint:
    """At cosine ``threshold`` the true rate is at most ``bound``; ``errors`` of ``comparisons`` were seen."""

    bound: float
    threshold: float
    comparisons: int
    errors: int


class RateBounds:
    """The upper bound of the false match rate of ``impostors`` at any threshold above their floor."""

    def __init__(self, impostors: Impostors, *, draws: int = _DRAWS, seed: int = 0) -> None:
        order = np.argsort(-impostors.scores, kind="stable")
        self._scores = impostors.scores[order]
        self._first, self._second = impostors.first[order], impostors.second[order]
        self._comparisons = impostors.comparisons
        random = np.random.default_rng(seed)
        drawn = [
            random.multinomial(size, np.full(size, 1 / size), draws) for size in impostors.groups if size
        ]
        self._weights = np.concatenate(drawn, axis=1).astype(np.float32)
        self._trials = np.einsum("bi,bi->b", self._weights @ impostors.trials, self._weights)

    def errors(self, threshold: float) -> int:
        """Return how many scores reach ``threshold``."""
        return int(np.searchsorted(-self._scores, -np.float32(threshold), side="right"))

    def bound(self, threshold: float) -> float:
        """Return what the true rate does not exceed at 95 % confidence."""
        errors = self.errors(threshold)
        found = np.zeros(len(self._weights))
        for start in range(0, errors, _CHUNK):
            part = slice(start, min(start + _CHUNK, errors))
            found += np.einsum(
                "bi,bi->b", self._weights[:, self._first[part]], self._weights[:, self._second[part]]
            )
        # A draw of one person alone compares nobody.
        rates = found[self._trials > 0] / self._trials[self._trials > 0]
        drawn = float(np.quantile(rates, CONFIDENCE)) if len(rates) else 1.0
        return max(drawn, upper_bound(errors, self._comparisons))


def bounded_points(
    impostors: Impostors, targets: Sequence[float], progress: Progress = silent
) -> list[BoundedPoint]:
    """Return for each of ``targets`` the lowest threshold at which the rate's bound keeps to it.

    A rate that so few comparisons cannot vouch for is left out. Thresholds have four digits. The
    floor must be at or below the cosine that the share of the highest target reaches.
    """
    if not impostors.comparisons:
        return []
    bounds, points = RateBounds(impostors), []
    low = int(np.floor(impostors.floor * _STEPS))
    for done, target in enumerate(sorted(targets, reverse=True), start=1):
        high = _STEPS
        if upper_bound(0, impostors.comparisons) <= target and bounds.bound(1.0) <= target:
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (low, middle) if bounds.bound(middle / _STEPS) <= target else (middle, high)
            threshold = high / _STEPS
            points.append(BoundedPoint(target, threshold, impostors.comparisons, bounds.errors(threshold)))
        progress(done, len(targets))
    return points
