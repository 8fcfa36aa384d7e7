"""A higher bar for people who look alike, and for nobody else.

The threshold is made for strangers, whose pictures lie at no angle in particular to a person. Somebody
whose centre lies at the cosine ``c`` to a person's is no stranger: a picture of them at ``p`` to their own
centre comes to

    g(p) = c p + sqrt(1 - c^2) sqrt(1 - p^2) n

of the other's, which is plain geometry; ``n`` is what a stranger's picture reaches, and the calibration
table says that one visit exceeds its cosine at FMR = the stated risk with just that risk (there is one
person to be taken for, not N). So at that risk the other's picture passes nowhere, if the limits T of
the score and M of the margin leave no p with g(p) > T and g(p) - p > M. With M as for everybody that takes

    T(c): the least T with g(p) <= T for all p <= T - M, since g(p) - p falls with p.

Where T(c) would exceed the strictest threshold that the table carries, the excess is shared: both that
threshold and the margin are raised by the r(c) that is enough for both. Neither depends on how many
others are enrolled, so that nobody's limits fall as the gallery grows; and both are kept at their
greatest for all larger ``c``, so that who is more alike never gets a lower bar.

Measured with arcface-y1 on lfw-dev, stated risk 1e-3, margin 0.06. Of 14,673 visits of people whose
centre lies at 0.30 to 0.55 to another's, one is taken for the other by everybody's limits for 10 people:
ordinary likeness is the margin's work. Twins were made of 2,445 visits by turning one person into another
until their centres lie at ``c``; of some 146,000 such visits, with limits for 100 people,

    c                                             0.6      0.7      0.8      0.9
    taken for the other   by everybody's limits   0.7e-5   3.4e-5   9.6e-5   1.1e-4
                          by the raised ones      0.7e-5   2.7e-5   2.0e-5   0.7e-5
    let in as themselves  by everybody's limits   96 %     96 %     93 %     66 %
                          by the raised ones      94 %     93 %     83 %     23 %
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from edged.domain.calibration import MeasuredPoint, bounded_cosine, cosine_at, required_fmr
from edged.domain.risk import Risk
from edged.domain.types import FloatArray, IntArray

# From here on two people are look-alikes: enrolment says so, the audit lists them, and who wants to ask
# look-alikes for a second factor asks these. Among 100 people one in a hundred newcomers is as near to
# somebody by chance. A bar is raised long before (at 6 people from the cosine that one pair of strangers in
# a hundred reaches): that takes nothing of anybody but a few hundredths.
ALIKE_FMR = 1e-4

# The cosine between two people is rounded up to such a step.
_STEPS = 1000
# More than float32 may round such a step.
_ROUNDING = 1e-6
# From so few on, one in eight, to compare twice costs less than to copy.
_FEW = 8
# Cosines in memory at once: 8 MB of float32, which the smallest board has; larger blocks are no faster.
_BLOCK = 2_000_000


@dataclass(frozen=True, slots=True)
class Bar:
    """What a person's own gates ask at least of ``score`` and ``margin``.

    ``cosine`` is how near the centre of the most alike other person lies, ``other_id`` who that is, ``alike``
    whether the two are look-alikes (see ``ALIKE_FMR``) and not just near enough to need higher limits.
    """

    score: float
    margin: float
    cosine: float
    other_id: str | None = None
    alike: bool = True


@dataclass(frozen=True, slots=True)
class LookalikeRule:
    """``threshold`` and ``min_margin`` are everybody's limits, ``strictest`` the table's last threshold.

    ``stranger`` is the table's cosine at FMR = the stated risk, ``alike`` the one from which two people are
    look-alikes.
    """

    threshold: float
    min_margin: float
    strictest: float
    stranger: float
    alike: float = 1.0
    _limits: tuple[tuple[float, float], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        limits, score, margin = [], 0.0, self.min_margin
        for step in range(_STEPS + 1):
            least, raised = self._needed(step / _STEPS)
            score, margin = max(score, least), max(margin, self.min_margin + raised)
            limits.append((score, margin))
        object.__setattr__(self, "_limits", tuple(limits))

    def bar(self, cosine: float, other_id: str | None = None) -> Bar | None:
        """Return what two people at ``cosine`` need, None where everybody's limits are enough."""
        step = math.ceil(min(1.0, max(0.0, cosine)) * _STEPS)
        score, margin = self._limits[step]
        if score <= self.threshold and margin <= self.min_margin:
            return None
        return Bar(max(score, self.threshold), margin, cosine, other_id, alike=cosine >= self.alike)

    @property
    def least(self) -> float:
        """A cosine up to which nobody gets a bar, and nobody is a look-alike."""
        raised = (
            step
            for step, (score, margin) in enumerate(self._limits)
            if score > self.threshold or margin > self.min_margin
        )
        first = next(raised, _STEPS + 1)
        lowest = (first - 1) / _STEPS if first else -1.0  # the first step is that of all who are not alike
        return min(self.alike, lowest) - _ROUNDING

    def likeness(self, cosine: float, other_id: str | None = None) -> Bar | None:
        """Return everybody's limits as the bar of look-alikes, who must be known as such; None for others."""
        if cosine < self.alike:
            return None
        return Bar(self.threshold, self.min_margin, cosine, other_id)

    def _needed(self, cosine: float) -> tuple[float, float]:
        """Return T and r at ``cosine`` alone; r is on top of the margin, and within T."""
        apart = math.sqrt(1 - cosine * cosine) * self.stranger
        least = self._least_score(cosine, apart)
        if least <= self.strictest:
            return least, 0.0
        own = min(max(0.0, self.strictest - self.min_margin), _peak(cosine, apart))
        raised = cosine * own + apart * math.sqrt(1 - own * own) - self.strictest
        return self.strictest + max(0.0, raised), max(0.0, raised)

    def _least_score(self, cosine: float, apart: float) -> float:
        """Return T(c): g meets the line p + M, or turns before it does."""
        away, margin = 1 - cosine, self.min_margin
        norm = away * away + apart * apart
        if norm <= margin * margin or apart <= margin:
            return 0.0  # g stays under p + M everywhere
        own = (apart * math.sqrt(norm - margin * margin) - away * margin) / norm
        peak = _peak(cosine, apart)
        return math.hypot(cosine, apart) if peak < own else own + margin


def _peak(cosine: float, apart: float) -> float:
    """Return where g is greatest: the picture in the plane of both centres."""
    length = math.hypot(cosine, apart)
    return cosine / length if length > 0 else 0.0


# Its thousand steps are worked out once, and not whenever somebody comes or goes.
_made = lru_cache(maxsize=4)(LookalikeRule)


def lookalike_rule(
    points: Sequence[MeasuredPoint], *, threshold: float | None, min_margin: float, risk: Risk
) -> LookalikeRule | None:
    """Return the rule of a calibration table; None where there is no threshold, so that nobody enters."""
    stranger = bounded_cosine(points, required_fmr(risk, 1))
    if threshold is None or stranger is None:
        return None
    strictest = max(threshold, *(point.threshold for point in points))
    alike = alike_level(points)
    return _made(threshold, min_margin, strictest, stranger, 1.0 if alike is None else alike)


def alike_level(points: Sequence[MeasuredPoint]) -> float | None:
    """Return the cosine from which two people are look-alikes, None without a table.

    A table that ends above the rate gives its lowest rate's cosine, which makes more people look alike.
    """
    if not points:
        return None
    return cosine_at(points, max(ALIKE_FMR, min(point.fmr for point in points)))


@dataclass(frozen=True, slots=True, eq=False)
class NearestOthers:
    """For each row of ``matrix`` (P, D), ``ids[i]`` its person: the ``cosine`` of the nearest other person.

    ``other`` is that person's row, -1 where there is nobody else.
    """

    ids: tuple[str, ...]
    matrix: FloatArray
    cosine: FloatArray
    other: IntArray


def raised_bars(nearest: NearestOthers, rule: LookalikeRule) -> dict[str, Bar]:
    """Return the bar of each person who needs one or has a look-alike."""
    bars = {}
    for row in np.flatnonzero(nearest.cosine > rule.least):
        cosine, other = float(nearest.cosine[row]), nearest.other[row]
        other_id = nearest.ids[other] if other >= 0 else None
        bar = rule.bar(cosine, other_id) or rule.likeness(cosine, other_id)
        if bar is not None:
            bars[nearest.ids[row]] = bar
    return bars


def nearest_others(
    ids: Sequence[str], matrix: FloatArray, known: NearestOthers | None = None
) -> NearestOthers:
    """Return who is nearest to whom; ``matrix`` (P, D) unit rows, row i of ``ids[i]``.

    Of 10,000 people all pairs take a second and more. Where ``known`` has the same row for a person, they are
    compared only with those who are new; with everybody if whoever was nearest to them has changed or left.
    """
    found = NearestOthers(
        tuple(ids), matrix, np.full(len(ids), -1, np.float32), np.full(len(ids), -1, np.intp)
    )
    fresh = _carried_over(known, found)
    if _FEW * len(fresh) <= len(ids):
        _compare_few(found, fresh)
        return found
    # Those to be compared first, so that each pair is looked at once: a row and the rows after it.
    order = np.concatenate([fresh, np.setdiff1d(np.arange(len(ids)), fresh, assume_unique=True)])
    ordered = matrix if len(fresh) == len(ids) else matrix[order]
    block = max(1, _BLOCK // max(1, len(ids)))
    for first in range(0, len(fresh), block):
        rows = order[first : min(first + block, len(fresh))]
        scores = ordered[first : first + len(rows)] @ ordered[first:].T
        scores[np.arange(len(rows)), np.arange(len(rows))] = -1
        _improve(found, rows, scores.max(axis=1), order[first:][scores.argmax(axis=1)])
        _improve(found, order[first:], scores.max(axis=0), rows[scores.argmax(axis=0)])
    return found


def _compare_few(found: NearestOthers, fresh: IntArray) -> None:
    """Compare some rows with all; those among them with each other twice, which saves a copy of all."""
    every, block = np.arange(len(found.ids)), max(1, _BLOCK // max(1, len(found.ids)))
    for first in range(0, len(fresh), block):
        rows = fresh[first : first + block]
        scores = found.matrix[rows] @ found.matrix.T
        scores[np.arange(len(rows)), rows] = -1
        _improve(found, rows, scores.max(axis=1), scores.argmax(axis=1))
        _improve(found, every, scores.max(axis=0), rows[scores.argmax(axis=0)])


def _improve(found: NearestOthers, rows: IntArray, cosine: FloatArray, other: IntArray) -> None:
    """Take over who is nearer than whoever was found so far."""
    nearer = cosine > found.cosine[rows]
    found.cosine[rows[nearer]] = cosine[nearer]
    found.other[rows[nearer]] = other[nearer]


def _carried_over(known: NearestOthers | None, found: NearestOthers) -> IntArray:
    """Fill in what holds of ``known``; return the rows that have to be compared with all others."""
    every = np.arange(len(found.ids))
    if known is None or known.matrix.shape[1:] != found.matrix.shape[1:]:
        return every
    old_rows = {person_id: row for row, person_id in enumerate(known.ids)}
    then = np.array([old_rows.get(person_id, -1) for person_id in found.ids], np.intp)
    same = np.zeros(len(every), bool)
    have = np.flatnonzero(then >= 0)
    if np.array_equal(then, np.arange(len(known.ids))):  # nobody came or went: no copies of 10,000 rows
        same[:] = (known.matrix == found.matrix).all(axis=1)
    else:
        same[have] = (known.matrix[then[have]] == found.matrix[have]).all(axis=1)
    now = np.full(len(known.ids), -1, np.intp)  # by old row: the new one, where nothing has changed
    now[then[same]] = np.flatnonzero(same)
    partner = np.full(len(every), -1, np.intp)
    partner[same] = now[known.other[then[same]]]
    holds = same & (partner >= 0)
    found.cosine[holds] = known.cosine[then[holds]]
    found.other[holds] = partner[holds]
    return np.flatnonzero(~holds)


def close_pairs(
    matrix: FloatArray, level: float, on_rows: Callable[[int], None] = lambda _rows: None
) -> list[tuple[int, int, float]]:
    """Return rows i < j of ``matrix`` (P, D) whose cosine is ``level`` or more, with it, nearest first.

    ``on_rows`` is told how many rows were compared with all others, until it was told of all.
    """
    found = []
    for first, scores in _compared(matrix):
        for row, other in zip(*np.nonzero(scores >= level), strict=True):
            if other > first + row:
                found.append((int(first + row), int(other), float(scores[row, other])))
        on_rows(len(scores))
    return sorted(found, key=lambda pair: (-pair[2], pair[0], pair[1]))


def _compared(matrix: FloatArray) -> Iterator[tuple[int, FloatArray]]:
    """Yield the index of a first row and the cosines of it and the next rows with all rows."""
    rows = max(1, _BLOCK // max(1, len(matrix)))
    for first in range(0, len(matrix), rows):
        yield first, matrix[first : first + rows] @ matrix.T
