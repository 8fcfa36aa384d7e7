"""Pairs of rows that are as alike as one person is, among all pairs of many, by a part of their numbers.

With a row split into head and tail, a cosine is that of the heads plus at most the product of the tails'
lengths (Cauchy and Schwarz). Where that stays below the limit, the rest need not be multiplied.
"""

import math
from collections.abc import Callable, Iterator

import numpy as np

from edged.domain.codes import Codes
from edged.domain.row_blocks import RowBlocks
from edged.domain.types import FloatArray

Rows = FloatArray | Codes | RowBlocks

# Cosines in memory at once: 5 MB of float32.
_BLOCK = 1_250_000
# What the tails leave the heads of two strangers to reach, ten times what half of the numbers of random rows
# of 512 d come to (0.03). All pairs of 20,000 took 0.97 s of CPU with 0.3, 1.72 with 0.2, 1.07 with 0.35, and
# 1.61 in one piece (limit 0.77, which is that of 100,000 people).
_SLACK = 0.3
# A head of nearly everything saves less than it costs to look twice; so does one of few numbers, of which the
# products cost less than to go through them (7,959 photographs, 128 d: 0.18 s in one piece, 0.28 by heads).
_LONGEST_HEAD = 0.8
_FEW_NUMBERS = 256
# Of fewer than 32 rows the tails of the others cost more than heads save: one against 10,000 took 2.8 ms of
# CPU by heads and 1.1 ms whole, 16 took 5.2 and 4.4 (512 d).
_FEW_ROWS = 16
# Sums of 1040 products in float32 are off by less.
_ROUNDING = 1e-4
# Beyond so many in a block all of it is multiplied: 8 MB of rows at 512 d.
_MOST_SINGLY = 4096


def near_pairs(
    rows: Rows, others: Rows, limit: float, alive: Callable[[], None]
) -> Iterator[tuple[int, int, float]]:
    """Yield a row of ``rows`` (N, D) and one of ``others`` (M, D) whose cosine is ``limit`` or more, with it.

    Of rows with themselves, the very same object, pairs of two blocks come once, others in both orders, and
    each row with itself. ``alive`` is called before each block.
    """
    side = max(1, math.isqrt(_BLOCK))
    head = others.shape[1] if len(rows) <= _FEW_ROWS else _head(others.shape[1], limit)
    tails = _tails(others, head, side)
    for start in range(0, len(rows), side):
        some = rows[start : start + side]
        own = np.linalg.norm(some[:, head:], axis=1)
        for ahead in range(start if rows is others else 0, len(others), side):
            alive()
            more, theirs = others[ahead : ahead + side], tails[ahead : ahead + side]
            scores = some[:, :head] @ more[:, :head].T
            if scores.max() < limit - float(own.max()) * float(theirs.max()) - _ROUNDING:
                continue
            near = np.argwhere(scores >= limit - _ROUNDING - own[:, None] * theirs)
            for row, column, cosine in _settled(some, more, near, limit):
                yield start + row, ahead + column, cosine


def _head(dimension: int, limit: float) -> int:
    head = math.ceil(dimension * (1 + _SLACK - limit))
    whole = dimension <= _FEW_NUMBERS or head > _LONGEST_HEAD * dimension
    return dimension if whole else max(1, head)


def _tails(rows: Rows, head: int, side: int) -> FloatArray:
    """Return how long each row is without its first ``head`` numbers."""
    parts = [
        np.linalg.norm(rows[start : start + side][:, head:], axis=1) for start in range(0, len(rows), side)
    ]
    return np.concatenate([np.zeros(0, np.float32), *parts])


def _settled(
    some: FloatArray, more: FloatArray, near: np.ndarray, limit: float
) -> Iterator[tuple[int, int, float]]:
    """Yield those of the pairs ``near`` (K, 2) whose whole cosine reaches the limit, in their order."""
    if len(near) > _MOST_SINGLY:
        scores = some @ more.T
        near = np.argwhere(scores >= limit)
        cosines = scores[near[:, 0], near[:, 1]]
    else:
        cosines = np.einsum("ij,ij->i", some[near[:, 0]], more[near[:, 1]])
    for (row, column), cosine in zip(near.tolist(), cosines.tolist(), strict=True):
        if cosine >= limit:
            yield row, column, cosine
