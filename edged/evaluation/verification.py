"""1:1: are two photographs of the same person."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edged.domain.types import FloatArray
from edged.errors import EvaluationError
from edged.evaluation.embedding import Embedded
from edged.evaluation.error_rates import BoolArray, best_accuracy, match_rate
from edged.evaluation.protocols import Pair

_FOLDS = 10
_FMR = 1e-3
# A pair without a face can never match, whatever the threshold.
NO_FACE = -1.0


@dataclass(frozen=True, slots=True)
class PairsResult:
    """How well pairs are told apart.

    ``accuracy`` at the best ``threshold`` over all pairs; ``fold_accuracy`` with the threshold of
    the other nine tenths, and its standard deviation; ``tmr`` at false match rate ``fmr``.
    ``without_face`` counts pairs in which a photograph had none; they score -1.
    """

    pairs: int
    without_face: int
    accuracy: float
    threshold: float
    fold_accuracy: float
    fold_deviation: float
    fmr: float
    tmr: float
    tmr_threshold: float


def verify_pairs(embedded: Embedded, pairs: Sequence[Pair]) -> PairsResult:
    """Score ``pairs``. Raises ``EvaluationError`` unless there are ten of either kind."""
    same = np.array([pair.same for pair in pairs], bool)
    if min(np.count_nonzero(same), np.count_nonzero(~same)) < _FOLDS:
        raise EvaluationError(f"expected at least {_FOLDS} pairs of the same person and as many of others")
    scores = pair_scores(embedded, pairs)
    accuracy, threshold = best_accuracy(scores, same)
    folds = _fold_accuracies(scores, same)
    tmr, tmr_threshold = match_rate(scores[same], scores[~same], _FMR)
    return PairsResult(
        pairs=len(pairs),
        without_face=sum(_row(embedded, pair) is None for pair in pairs),
        accuracy=accuracy,
        threshold=threshold,
        fold_accuracy=float(np.mean(folds)),
        fold_deviation=float(np.std(folds)),
        fmr=_FMR,
        tmr=tmr,
        tmr_threshold=tmr_threshold,
    )


def pair_scores(embedded: Embedded, pairs: Sequence[Pair]) -> FloatArray:
    """Return the cosine of each pair (N,) float32, -1 where a photograph has no face."""
    scores = np.full(len(pairs), NO_FACE, np.float32)
    for index, pair in enumerate(pairs):
        rows = _row(embedded, pair)
        if rows is not None:
            scores[index] = embedded.vectors[rows[0]] @ embedded.vectors[rows[1]]
    return scores


def _row(embedded: Embedded, pair: Pair) -> tuple[int, int] | None:
    first, second = embedded.rows.get(pair.first), embedded.rows.get(pair.second)
    return None if first is None or second is None else (first, second)


def _fold_accuracies(scores: FloatArray, same: BoolArray) -> list[float]:
    # Dealt out like cards within each kind, so every fold has the same mixture.
    fold = np.empty(len(scores), int)
    for kind in (True, False):
        members = np.flatnonzero(same == kind)
        fold[members] = np.arange(len(members)) % _FOLDS
    accuracies = []
    for one in range(_FOLDS):
        _, threshold = best_accuracy(scores[fold != one], same[fold != one])
        accuracies.append(float(np.mean((scores[fold == one] >= threshold) == same[fold == one])))
    return accuracies
