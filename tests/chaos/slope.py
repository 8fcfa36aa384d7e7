"""Whether a figure grows: the slope of a line through samples, with its interval of confidence."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean

# Samples of a process follow each other closely; means of blocks much less so, and twenty are enough.
_BLOCKS = 20
# Start-up is no leak: caches fill, pools grow to their size.
_WARM_UP = 0.25
_CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Slope:
    """Units an hour; ``low`` and ``high`` bound it with 95 % confidence. ``grown`` is over the samples."""

    per_hour: float
    low: float
    high: float
    grown: float

    def grows(self, least: float) -> bool:
        """Whether it grows significantly, by ``least`` or more over the time that was watched."""
        return self.low > 0 and self.grown >= least


def slope(samples: Sequence[tuple[float, float]]) -> Slope:
    """Fit a line through ``samples`` (seconds, value), the first quarter left out.

    Least squares over means of blocks, interval by Student's t (Draper and Smith, Applied Regression
    Analysis, 1.4). Raises ``ValueError`` for fewer than twelve samples.
    """
    if len(samples) < 12:
        raise ValueError(f"expected 12 samples or more, got {len(samples)}")
    begin = samples[0][0] + _WARM_UP * (samples[-1][0] - samples[0][0])
    points = _blocks([sample for sample in samples if sample[0] >= begin])
    count = len(points)
    mean_x, mean_y = fmean(x for x, _ in points), fmean(y for _, y in points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    rate = sum((x - mean_x) * (y - mean_y) for x, y in points) / spread
    residual = sum((y - mean_y - rate * (x - mean_x)) ** 2 for x, y in points)
    margin = student_t(count - 2) * math.sqrt(residual / (count - 2) / spread)
    hours = 3600.0
    return Slope(
        rate * hours, (rate - margin) * hours, (rate + margin) * hours, rate * (points[-1][0] - points[0][0])
    )


def student_t(freedom: int) -> float:
    """Return the two-sided 95 % quantile of Student's t, good to 1 % from 5 on (Abramowitz 26.7.5)."""
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
