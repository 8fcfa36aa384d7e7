"""Who is nearest to a face: exact, whatever the number of people and however their vectors are kept.

Every row gets a cheap score first, of which it is known by how much it may be off. Only rows that may be
among the best by that are scored in float64, so that the answer is the one of float64 for all rows. What is
cheap depends on the size: float32 for a few thousand rows, int8 codes beyond, which are a quarter of the
bytes to read.

Of the largest galleries only the codes are kept. A cosine is then known up to the error of a row's code, and
``least`` and ``most`` say between what it lies: whoever takes ``least`` of the nearest and ``most`` of the
runner-up lets nobody in whom the vectors themselves would not let in. Where the vectors can be had elsewhere,
``originals`` gives the few on which the order hangs, and the answer is that of float64 again.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edged.domain.codes import Codes, Products, blocked_products, coded, row_products
from edged.domain.row_blocks import RowBlocks
from edged.domain.types import FloatArray, IntArray

Doubles = npt.NDArray[np.float64]

# A sum of D products in float32 is off by at most D x 2**-24 of the lengths, in any order (Higham, Accuracy
# and Stability of Numerical Algorithms, section 3.1); twice that covers rows that are a little too long.
_ROUNDING = 2.0**-23
# Of a product of codes, which is exact, by its two scales; and of the bounds themselves.
_FACTORS = 2e-6
# Codes that lose no more than rounding, as those a fleet is sent, are what counts themselves.
_NOTHING_LOST = 2e-6
# Vectors had from elsewhere for one face: ten or so where nobody is alike, 10 ms from a slow card. Of more,
# the rest stay between their bounds.
_MOST_ORIGINALS = 64
# Rows scored in float64 at once: 16 MB at 512 d, should very many lie within a hair of the best.
_MOST_AT_ONCE = 4096


@dataclass(frozen=True, slots=True)
class Found:
    """A row, and what its cosine lies between; both are the same where the row itself is kept."""

    row: int
    least: float
    most: float


def _nothing(_rows: int) -> None:
    """Listen to nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class Search:
    """``rows`` (N, D) are what counts: unit vectors, in one piece or in several, or codes of very many.

    ``screen`` holds codes of the same rows, in the same order, to be looked through first; None for few.
    ``products`` multiplies codes; see ``codes.Products``. ``originals`` gives the vectors behind K rows of
    codes, (K, D) float32, NaN for those that cannot be had.
    """

    rows: FloatArray | Codes | RowBlocks
    screen: Codes | None = None
    products: Products = blocked_products
    originals: Callable[[IntArray], FloatArray] | None = None

    def nearest(
        self, vector: FloatArray, count: int = 2, told: Callable[[int], None] = _nothing
    ) -> list[Found]:
        """Return the ``count`` rows nearest to ``vector`` (D,) float32, fewer where there are fewer.

        First comes the row of the greatest ``least``, then those of the greatest ``most``; of equals the
        lower row. ``told`` hears how many rows were scored in float64.
        """
        count = min(count, len(self.rows))
        if count <= 0:
            return []
        if isinstance(self.rows, Codes):
            codes = self.rows
        elif self.screen is None:
            return _nearest_of_few(self.rows, vector, count, told)
        else:
            codes = self.screen
        scores, off = _by_codes(codes, self.products, vector)
        rows = _promising(scores, off, count)
        told(len(rows))
        cosines, error = self._scored(rows, vector)
        self._settle(rows, cosines, error, vector, count)
        least, most = cosines - error, cosines + error
        first = int(np.argmax(least))
        order = [first, *(int(one) for one in np.lexsort((rows, -most)) if one != first)][:count]
        return [Found(int(rows[one]), float(least[one]), float(most[one])) for one in order]

    def nearest_other(self, row: int) -> Found | None:
        """Return the row that is nearest to ``row``, besides it; None where there is no other."""
        own, off = self._row(row)
        # By ``most``: where only codes are kept, the first place may go to another than the most alike.
        others = [one for one in self.nearest(own, 3) if one.row != row]
        if not others:
            return None
        best = max(others, key=lambda one: one.most)
        return Found(best.row, best.least - off, best.most + off)

    def _row(self, row: int) -> tuple[FloatArray, float]:
        """Return a row (D,) float32, and how far off it may be."""
        if not isinstance(self.rows, Codes):
            return self.rows[row], 0.0
        if self.originals is not None:
            found = self.originals(np.array([row]))[0]
            if np.isfinite(found).all():
                return found, 0.0
        return self.rows[row], float(self.rows.error[row])

    def between(self, row: int, vector: FloatArray) -> Found:
        """Return what the cosine of ``row`` and ``vector`` (D,) lies between."""
        if not isinstance(self.rows, Codes):
            cosine = float(np.dot(self.rows[row].astype(np.float64), vector.astype(np.float64)))
            return Found(row, cosine, cosine)
        rows = np.array([row])
        cosines, error = self._scored(rows, vector)
        self._settle(rows, cosines, error, vector, 1)
        return Found(row, float(cosines[0] - error[0]), float(cosines[0] + error[0]))

    def _scored(self, rows: IntArray, vector: FloatArray) -> tuple[Doubles, Doubles]:
        """Return the cosines (K,) of rows in float64, and by how much the vectors themselves may differ."""
        probe, found = vector.astype(np.float64), np.empty(len(rows))
        for start in range(0, len(rows), _MOST_AT_ONCE):
            some = rows[start : start + _MOST_AT_ONCE]
            # Not by BLAS, which may sum equal rows in different orders: they would be no ties.
            found[start : start + len(some)] = np.einsum("ij,j->i", self._doubles(some), probe)
        if isinstance(self.rows, Codes):
            return found, self.rows.error[rows] * np.linalg.norm(probe)
        return found, np.zeros(len(rows))

    def _settle(
        self, rows: IntArray, cosines: Doubles, error: Doubles, vector: FloatArray, count: int
    ) -> None:
        """Put the cosine itself in place of its bounds where the ``count`` best hang on it, in both arrays.

        A vector lies no farther from its code than the code says, so that the cosine lies within the bounds.
        """
        if self.originals is None:
            return
        hanging = _promising(cosines, error, min(count, len(rows)))
        hanging = hanging[error[hanging] > _NOTHING_LOST]
        hanging = hanging[np.argsort(-(cosines + error)[hanging], kind="stable")][:_MOST_ORIGINALS]
        if not hanging.size:
            return
        vectors = self.originals(rows[hanging]).astype(np.float64)
        exact = np.einsum("ij,j->i", vectors, vector.astype(np.float64))
        had = np.isfinite(exact)
        cosines[hanging[had]], error[hanging[had]] = exact[had], 0.0

    def _doubles(self, rows: IntArray) -> Doubles:
        return self.rows.doubles(rows) if isinstance(self.rows, Codes) else self.rows[rows].astype(np.float64)


def _by_codes(codes: Codes, products: Products, vector: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return cheap scores (N,), and by how much each may be off, (N,).

    With r = c + e for a row of unit length and q = p + d for the vector, p of the codes, the cosine is
    r q = c p + e p + r d, of which the last two are at most |e| |p| and |d|.
    """
    length = float(np.linalg.norm(vector.astype(np.float64)))
    probe, scale, error = coded(vector)
    scores = products(codes.values, probe).astype(np.float32, copy=False) * (codes.scale * np.float32(scale))
    off = codes.error * np.float32(length + error)
    off += np.float32(1.001 * error + _FACTORS * length)
    return scores, off


def _promising(scores: npt.NDArray[np.floating], off: npt.NDArray[np.floating], count: int) -> IntArray:
    """Return, in order, the rows that may be among the ``count`` best: as good as those surely are."""
    surely = scores - off
    for _ in range(count - 1):
        surely[np.argmax(surely)] = -np.inf
    return np.flatnonzero(scores + off >= surely.max())


def _nearest_of_few(
    rows: FloatArray | RowBlocks, vector: FloatArray, count: int, told: Callable[[int], None]
) -> list[Found]:
    """Answer ``Search.nearest`` from rows alone: most doors do twice a frame, so every call counts here.

    What may be off is alike for all rows, so that their order by it is their order by score.
    """
    probe = vector.astype(np.float64)
    off = np.float32(len(vector) * _ROUNDING * math.sqrt(probe @ probe))
    scores = rows.products(vector) if isinstance(rows, RowBlocks) else row_products(rows, vector)
    best = []
    for _ in range(count - 1):
        best.append((at := int(scores.argmax()), scores[at]))
        scores[at] = -np.inf
    floor = scores.max() - off
    for at, score in best:
        scores[at] = score
    promising = (scores + off >= floor).nonzero()[0]
    told(len(promising))
    cosines = np.empty(len(promising))
    for start in range(0, len(promising), _MOST_AT_ONCE):
        some = promising[start : start + _MOST_AT_ONCE]
        # As in ``Search._scored``: equal rows must be ties.
        np.einsum("ij,j->i", rows[some].astype(np.float64), probe, out=cosines[start : start + len(some)])
    order = np.argsort(-cosines, kind="stable")[:count].tolist()
    return [Found(int(promising[one]), cosine := float(cosines[one]), cosine) for one in order]
