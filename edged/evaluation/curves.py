"""What a plot shows of many cosines: the trade between the two errors, and how the scores lie."""

from dataclasses import dataclass

import numpy as np

from edged.evaluation.error_rates import RULE_OF_ERRORS, ScoreHistogram
from edged.evaluation.match_rates import PairScores
from edged.evaluation.verification import NO_FACE

_BIN = 0.02
_DET_POINTS_A_DECADE = 12


@dataclass(frozen=True, slots=True)
class DetCurve:
    """``fnmr[i]`` of the same pairs are missed where ``fmr[i]`` of the others match, fmr falling.

    Beyond the first ``supported`` points fewer than 30 errors stand behind the rate.
    """

    fmr: tuple[float, ...]
    fnmr: tuple[float, ...]
    supported: int


@dataclass(frozen=True, slots=True)
class Histogram:
    """Shares of the genuine and the impostor scores by bins of ``width``; the first begins at ``start``."""

    start: float
    width: float
    genuine: tuple[float, ...]
    impostor: tuple[float, ...]


def det_curve(scored: PairScores) -> DetCurve:
    """Return the detection error trade-off from an FMR of 1 down to a single error."""
    total = scored.impostors.total
    decades = np.log10(total)
    rates = 10 ** -np.linspace(0, decades, max(2, int(decades * _DET_POINTS_A_DECADE) + 1))
    genuine = scored.genuine
    fmr: list[float] = []
    fnmr: list[float] = []
    for rate in rates:
        threshold = scored.impostors.threshold_for(float(rate))
        seen = scored.impostors.at_or_above(threshold) / total
        if seen == 0 or (fmr and seen >= fmr[-1]):
            continue
        fmr.append(seen)
        fnmr.append(float(np.mean((genuine < threshold) | (genuine <= NO_FACE))))
    carried = sum(rate * total >= RULE_OF_ERRORS for rate in fmr)
    return DetCurve(tuple(fmr), tuple(fnmr), carried)


def histogram(scored: PairScores) -> Histogram:
    """Return both kinds of scores over the whole range from -1 to 1; pairs without a face are in neither."""
    edges = np.linspace(-1, 1, round(2 / _BIN) + 1)
    genuine = scored.genuine[scored.genuine > NO_FACE]
    own = np.histogram(genuine, edges)[0] / max(1, len(genuine))
    others = _binned(scored.impostors, edges)
    return Histogram(-1.0, _BIN, tuple(map(float, own)), tuple(map(float, others)))


def _binned(scores: ScoreHistogram, edges: np.ndarray) -> np.ndarray:
    above = np.array([scores.at_or_above(float(edge)) for edge in edges])
    # The last bin takes its upper edge in, as numpy's does.
    above[-1] = 0
    return -np.diff(above) / max(1, scores.total)
