"""Whether a figure grows: the slope of a line through samples, with its interval of confidence."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import NormalDist, fmean

# Samples of a process follow each other closely, and so do means of blocks of them, though less.
_BLOCKS = 40
# However closely they follow each other, so many say something of a slope and of its error.
_LEAST_WORTH = 5.0
# Start-up is no leak: caches fill, pools grow to their size.
_WARM_UP = 0.25
_CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Slope:
    """Units an hour; ``low`` and ``high`` bound it with 95 % confidence. ``grown`` is over the samples.

    ``late`` is the slope of their second half alone.
    """

    per_hour: float
    low: float
    high: float
    grown: float
    late: float

    def grows(self, least: float) -> bool:
        """Whether it grows significantly, by ``least`` or more over the time that was watched, and goes on.

        What leaks, leaks in the second half as in the first; a pool that is still being filled ever less.
        """
        return self.low > 0 and self.grown >= least and self.late >= self.per_hour / 2


def slope(samples: Sequence[tuple[float, float]]) -> Slope:
    """Fit a line through ``samples`` (seconds, value), the first quarter left out.

    Least squares over means of blocks. The interval is Student's t of as many independent points as the
    blocks are worth, given how closely their residuals follow each other: Santer et al., Statistical
    significance of trends, J. Geophys. Res. 105 (2000), equations 2 to 6. Raises ``ValueError`` for fewer
    than twelve samples.
    """
    if len(samples) < 12:
        raise ValueError(f"expected 12 samples or more, got {len(samples)}")
    begin = samples[0][0] + _WARM_UP * (samples[-1][0] - samples[0][0])
    points = _blocks([sample for sample in samples if sample[0] >= begin])
    rate, residuals, spread = _line(points)
    worth = _worth(residuals)
    error = math.sqrt(sum(one**2 for one in residuals) / (worth - 2) / spread)
    margin = student_t(worth - 2) * error
    late, _, _ = _line(points[len(points) // 2 :])
    hours = 3600.0
    return Slope(
        rate * hours,
        (rate - margin) * hours,
        (rate + margin) * hours,
        rate * (points[-1][0] - points[0][0]),
        late * hours,
    )


def _line(points: Sequence[tuple[float, float]]) -> tuple[float, list[float], float]:
    """Return the slope of least squares, the residuals, and the sum of squares of x."""
    mean_x, mean_y = fmean(x for x, _ in points), fmean(y for _, y in points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    rate = sum((x - mean_x) * (y - mean_y) for x, y in points) / spread
    return rate, [y - mean_y - rate * (x - mean_x) for x, y in points], spread


def _worth(residuals: Sequence[float]) -> float:
    """Return how many independent points they are worth: n (1 - r) / (1 + r), r of neighbours."""
    squares = sum(one**2 for one in residuals)
    products = sum(one * after for one, after in pairwise(residuals))
    follows = min(1.0, max(0.0, products / squares)) if squares > 0 else 0.0
    return max(_LEAST_WORTH, len(residuals) * (1 - follows) / (1 + follows))


def student_t(freedom: float) -> float:
    """Return the two-sided 95 % quantile of Student's t, good to 1 % from 3 on (Abramowitz 26.7.5)."""
    x = NormalDist().inv_cdf(0.5 + _CONFIDENCE / 2)
    first = (x**3 + x) / 4
    second = (5 * x**5 + 16 * x**3 + 3 * x) / 96
    third = (3 * x**7 + 19 * x**5 + 17 * x**3 - 15 * x) / 384
    return x + first / freedom + second / freedom**2 + third / freedom**3


def _blocks(samples: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    size = max(1, len(samples) // _BLOCKS)
    chunks = [samples[start : start + size] for start in range(0, len(samples), size)]
    whole = [chunk for chunk in chunks if len(chunk) == size]
    return [(fmean(x for x, _ in chunk), fmean(y for _, y in chunk)) for chunk in whole]
