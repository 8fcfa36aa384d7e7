"""Scores to error rates: thresholds that keep false matches below a stated share."""

import numpy as np
import numpy.typing as npt

from edged.domain.calibration import RULE_OF_ERRORS
from edged.domain.types import FloatArray

__all__ = ["RULE_OF_ERRORS", "BoolArray", "ScoreHistogram", "best_accuracy", "match_rate"]

BoolArray = npt.NDArray[np.bool_]

# Bins of 1e-5 cosine: finer than float32 sums of 512 products repeat themselves.
_BINS = 200_000


class ScoreHistogram:
    """Counts of any number of cosines in bounded memory; answers are exact to 1e-5."""

    def __init__(self) -> None:
        self._counts = np.zeros(_BINS + 1, np.int64)
        self._tail: npt.NDArray[np.int64] | None = None

    def add(self, scores: FloatArray) -> None:
        """Count cosines of any shape."""
        rows = np.clip((scores.ravel().astype(np.float64) + 1) * (_BINS / 2), 0, _BINS).astype(np.int64)
        self._counts += np.bincount(rows, minlength=_BINS + 1)
        self._tail = None

    @property
    def total(self) -> int:
        """How many were counted."""
        return int(self._counts.sum())

    def at_or_above(self, threshold: float) -> int:
        """Return how many scores reach ``threshold``."""
        row = int(np.clip(np.floor((threshold + 1) * (_BINS / 2) + 1e-6), 0, _BINS))
        return int(self._tails()[row])

    def threshold_for(self, share: float) -> float:
        """Return the lowest threshold that at most ``share`` of the scores reach; 1.0 if none does."""
        allowed = share * self.total
        fits = np.flatnonzero(self._tails() <= allowed)
        return min(1.0, float(fits[0] * 2 / _BINS - 1)) if len(fits) else 1.0

    def _tails(self) -> npt.NDArray[np.int64]:
        if self._tail is None:
            self._tail = np.cumsum(self._counts[::-1])[::-1]
        return self._tail


def best_accuracy(scores: FloatArray, same: BoolArray) -> tuple[float, float]:
    """Return (accuracy, threshold) of the threshold that decides most pairs rightly.

    A pair counts as the same person when its score reaches the threshold, which lies half-way
    between two scores.
    """
    order = np.argsort(-scores, kind="stable")
    ranked, truth = scores[order].astype(np.float64), same[order]
    # With the k best accepted: the genuine among them and the impostors behind them are right.
    right = np.concatenate([[0], np.cumsum(truth)]) + np.count_nonzero(~truth)
    right -= np.concatenate([[0], np.cumsum(~truth)])
    edges = np.concatenate([[ranked[0] + 2], ranked, [ranked[-1] - 2]])
    cuts = (edges[:-1] + edges[1:]) / 2
    # Equal scores cannot be told apart, so there is no cut between them.
    right[1:-1][ranked[:-1] == ranked[1:]] = -1
    best = int(np.argmax(right))
    return float(right[best] / len(scores)), float(cuts[best])


def match_rate(genuine: FloatArray, impostor: FloatArray, fmr: float) -> tuple[float, float]:
    """Return (share of genuine scores accepted, threshold) where at most ``fmr`` of impostors pass."""
    ranked = np.sort(impostor)[::-1]
    allowed = int(fmr * len(ranked) + 1e-9)
    threshold = float(np.nextafter(ranked[allowed], np.float32(2))) if allowed < len(ranked) else -1.0
    return float(np.mean(genuine >= threshold)), threshold
