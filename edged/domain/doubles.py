"""Which enrolled people may be one person.

Two people come close in two ways: their centres do, or one photograph of each. Of n and m photographs
there are n x m chances that two come close, so a pair's evidence is how many pairs of strangers of the
whole gallery would come as close: P (P - 1) / 2 x min(FMR(centres), n m FMR(nearest photographs)), by the
embedder's own table. It grows with the gallery, as the number of strangers who look alike does.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from edged.domain.calibration import MeasuredPoint, strangers_rate
from edged.domain.lookalikes import close_pairs
from edged.domain.types import FloatArray

# Similar names are 3.1e-5 of the pairs of lfw-dev. Siblings have name and face alike, and spellings in
# one language too, so a similar name counts for thirty times less.
_SIMILAR_NAME = 1e-3


@dataclass(frozen=True, slots=True)
class ClosePair:
    """Two rows of the gallery: ``cosine`` of their centres, ``nearest`` of their nearest photographs.

    ``rate`` is the share of strangers who come as close, names apart; ``strangers`` how many pairs of the
    gallery would, names considered, if nobody were in it twice.
    """

    first: int
    second: int
    cosine: float
    nearest: float
    similar_name: bool
    rate: float
    strangers: float


def rank_pairs(
    centres: FloatArray,
    templates: Sequence[FloatArray],
    points: Sequence[MeasuredPoint],
    *,
    similar_name: Callable[[int, int], bool],
    centre_level: float,
    nearest_level: float,
    on_rows: Callable[[int], None] = lambda _rows: None,
) -> list[ClosePair]:
    """Return the pairs whose centres reach ``centre_level`` or photographs ``nearest_level``, best first.

    ``centres`` (P, D) unit rows; ``templates[i]`` (n, D) unit rows of the person of row i. ``on_rows`` is
    told how many of all these rows were compared.
    """
    near = {(first, second): cosine for first, second, cosine in close_pairs(centres, centre_level, on_rows)}
    for first, second in _crossing(templates, nearest_level, on_rows):
        near.setdefault((first, second), float(centres[first] @ centres[second]))
    found = [
        _pair(rows, cosine, templates, points, named=similar_name(*rows)) for rows, cosine in near.items()
    ]
    return sorted(found, key=lambda pair: (pair.strangers, -pair.cosine, pair.first, pair.second))


def _pair(
    rows: tuple[int, int],
    cosine: float,
    templates: Sequence[FloatArray],
    points: Sequence[MeasuredPoint],
    *,
    named: bool,
) -> ClosePair:
    first, second = rows
    crossed = templates[first] @ templates[second].T
    nearest = float(crossed.max())
    rate = min(strangers_rate(points, cosine), crossed.size * strangers_rate(points, nearest))
    pairs = len(templates) * (len(templates) - 1) / 2
    strangers = pairs * rate * (_SIMILAR_NAME if named else 1.0)
    return ClosePair(first, second, cosine, nearest, named, rate, strangers)


def _crossing(
    templates: Sequence[FloatArray], level: float, on_rows: Callable[[int], None]
) -> set[tuple[int, int]]:
    """Return the pairs of people of whom two photographs reach ``level``."""
    if not templates:
        return set()
    owner = np.repeat(np.arange(len(templates)), [len(rows) for rows in templates])
    found = close_pairs(np.concatenate(templates), level, on_rows)
    pairs = {(int(owner[one]), int(owner[other])) for one, other, _ in found}
    return {(first, second) for first, second in pairs if first != second}
