"""A higher bar for people who look alike, and for nobody else.

The threshold is made for strangers, whose pictures lie at no angle in particular to a person. Somebody
whose centre lies at the cosine ``c`` to a person's is no stranger: a picture of them at ``p`` to their own
centre comes to

    g(p) = c p + sqrt(1 - c^2) sqrt(1 - p^2) n

of the other's, which is plain geometry; ``n`` is what a stranger's picture reaches, and the calibration
table says that one visit exceeds ``n1``, its cosine at FMR = the stated risk, with just that risk (there
is one person to be taken for, not N). So at that risk the other's picture passes score and margin
nowhere if both limits are raised by

    r(c) = max over p <= t - m of g(p) - t, with n = n1

where ``t`` is the threshold and ``m`` the margin: below p = t - m the score stays under t + r, and above
it g(p) - p, which falls with p, stays under m + r. From the ``c`` at which r is greatest on it is kept
there: who is more alike never gets a lower bar.

Measured with arcface-y1 on lfw-dev, stated risk 1e-3, margin 0.06. Of 14,673 visits of people whose
centre lies at 0.30 to 0.55 to another's, one is taken for the other by limits for 10 people, raised or
not: ordinary likeness is the margin's work. Twins were made of 2,445 visits by turning one person into
another until their centres lie at ``c``. With limits for 100 people the one is taken for the other

    c                       0.6      0.7      0.8      0.9
    by everybody's limits   1.4e-5   5.5e-5   1.2e-4   1.1e-4   of 146,000
    by the raised ones      0        7e-6     7e-6     0
    let in as themselves    96 %     96 %     93 %     66 %     by everybody's limits
                            95 %     93 %     81 %     16 %     by the raised ones
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from edged.domain.calibration import MeasuredPoint, bounded_cosine, required_fmr
from edged.domain.risk import Risk
from edged.domain.types import FloatArray

# Cosines are read to four places; rounding up keeps the last bits of a matrix product out of a limit.
_STEPS = 10_000
# Cosines in memory at once: 40 MB of float32, which the smallest board has.
_BLOCK = 10_000_000


@dataclass(frozen=True, slots=True)
class Bar:
    """What a person's own gates ask: ``raised`` is added to the limits of score and margin.

    ``cosine`` is how near the centre of the most alike other person lies.
    """

    raised: float
    cosine: float


@dataclass(frozen=True, slots=True)
class LookalikeRule:
    """``threshold`` and ``min_margin`` as for everybody; ``stranger`` the cosine at FMR = the stated risk."""

    threshold: float
    min_margin: float
    stranger: float

    def raised(self, cosine: float) -> float:
        """Return what two people at ``cosine`` need on top of score and margin, 0 or more; see above."""
        most = min(1.0, max(0.0, self.threshold - self.min_margin))
        noise = math.sqrt(1 - most * most) * self.stranger
        worst = most / math.hypot(most, noise) if most > 0 else 0.0
        alike = min(max(0.0, cosine), worst)
        apart = math.sqrt(1 - alike * alike) * self.stranger
        # g rises up to the picture that lies in the plane of both centres, and falls beyond it.
        own = min(most, alike / math.hypot(alike, apart)) if alike > 0 else 0.0
        reach = alike * own + apart * math.sqrt(1 - own * own)
        return max(0.0, math.ceil((reach - self.threshold) * _STEPS) / _STEPS)


def lookalike_rule(
    points: Sequence[MeasuredPoint], *, threshold: float | None, min_margin: float, risk: Risk
) -> LookalikeRule | None:
    """Return the rule of a calibration table; None where there is no threshold, so that nobody enters."""
    stranger = bounded_cosine(points, required_fmr(risk, 1))
    if threshold is None or stranger is None:
        return None
    return LookalikeRule(threshold, min_margin, stranger)


def raised_bars(ids: Sequence[str], matrix: FloatArray, rule: LookalikeRule | None) -> dict[str, Bar]:
    """Return the bar of each person who needs one: ``matrix`` (P, D) unit rows, row i of ``ids[i]``."""
    if rule is None:
        return {}
    bars = {}
    for person_id, cosine in zip(ids, nearest_cosines(matrix), strict=True):
        raised = rule.raised(float(cosine))
        if raised > 0:
            bars[person_id] = Bar(raised, float(cosine))
    return bars


def nearest_cosines(matrix: FloatArray) -> FloatArray:
    """Return for each row of ``matrix`` (P, D) the cosine of the nearest other row, -1 for a single row."""
    nearest = np.full(len(matrix), -1, np.float32)
    for first, scores in _compared(matrix):
        rows = np.arange(len(scores))
        scores[rows, first + rows] = -1
        nearest[first : first + len(scores)] = scores.max(axis=1)
    return nearest


def close_pairs(matrix: FloatArray, level: float) -> list[tuple[int, int, float]]:
    """Return rows i < j of ``matrix`` (P, D) whose cosine is ``level`` or more, with it, nearest first."""
    found = []
    for first, scores in _compared(matrix):
        for row, other in zip(*np.nonzero(scores >= level), strict=True):
            if other > first + row:
                found.append((int(first + row), int(other), float(scores[row, other])))
    return sorted(found, key=lambda pair: (-pair[2], pair[0], pair[1]))


def _compared(matrix: FloatArray) -> Iterator[tuple[int, FloatArray]]:
    """Yield the index of a first row and the cosines of it and the next rows with all rows."""
    rows = max(1, _BLOCK // max(1, len(matrix)))
    for first in range(0, len(matrix), rows):
        yield first, matrix[first : first + rows] @ matrix.T
