"""Unit vectors in a quarter of the bytes, and how far each lies from what it stands for."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from edged.domain.types import FloatArray, IntArray

CodeArray = npt.NDArray[np.int8]

# (N, D) and (D,) int8 to (N,) float32 or an integer type: N scalar products, none of them rounded.
Products = Callable[[CodeArray, CodeArray], npt.NDArray[np.generic]]

STEPS = 127
# Up to here a float32 holds every sum that a product of codes may come to: 1040 x 127 x 127 < 2**24.
MOST_DIMENSIONS = 2**24 // STEPS**2
# Numbers multiplied at once: half a MB of float32 stays in the cache of a core, and OpenBLAS (0.3.31) takes
# no second core for fewer than 460,800.
_BLOCK_NUMBERS = 1 << 17
# Rows that are copied on their way to another place: 2 MB at 512 d.
_MOVED_AT_ONCE = 4096
# Rounding of a distance that is computed in float32: of its steps, and of its terms.
_RELATIVE, _ABSOLUTE = 1.0001, 3e-7


@dataclass(frozen=True, slots=True, eq=False)
class Codes:
    """N vectors: row i stands for ``scale[i] * values[i]``, which has unit length.

    ``values`` (N, D) int8, ``scale`` (N,) float32, ``error`` (N,) float32: the row it was made of lies no
    farther away than that (Euclidean). The error of a random 512-d row is 0.008, so that a cosine moves by
    0.0003 as a rule and by 0.008 at most. Vectors that were decoded from such codes, as those a fleet is
    sent, lose nothing: their error is rounding alone.
    """

    values: CodeArray
    scale: FloatArray
    error: FloatArray

    @classmethod
    def room(cls, rows: int, dimension: int) -> Self:
        """Return codes of zeros, to be filled by ``put``. Raises ``ValueError`` on too many dimensions."""
        if dimension > MOST_DIMENSIONS:
            raise ValueError(f"expected at most {MOST_DIMENSIONS} dimensions, got {dimension}")
        zeros = np.zeros((2, rows), np.float32)
        return cls(np.zeros((rows, dimension), np.int8), zeros[0], zeros[1])

    @classmethod
    def of(cls, rows: FloatArray) -> Self:
        """Return the codes of unit vectors (N, D) float32, read-only."""
        made = cls.room(*rows.shape)
        for block in _blocks(rows.shape):
            made.put(np.arange(block.start, block.stop), rows[block])
        made.seal()
        return made

    def put(self, rows: IntArray, vectors: FloatArray) -> None:
        """Write unit vectors (K, D) float32 into K rows."""
        largest = np.abs(vectors).max(axis=1, keepdims=True)
        values = np.rint(vectors * (np.float32(STEPS) / largest))
        scale = (1.0 / np.sqrt(np.einsum("ij,ij->i", values, values))).astype(np.float32)
        away = vectors - values * scale[:, None]
        self.values[rows] = values
        self.scale[rows] = scale
        self.error[rows] = np.sqrt(np.einsum("ij,ij->i", away, away)) * _RELATIVE + _ABSOLUTE

    def take(self, rows: IntArray | slice, source: "Codes", others: IntArray | slice) -> None:
        """Copy rows ``others`` of ``source`` into K rows."""
        self.values[rows] = source.values[others]
        self.scale[rows] = source.scale[others]
        self.error[rows] = source.error[others]

    def only(self, rows: IntArray) -> "Codes":
        """Return the codes of K ``rows``, in rising order; they are moved to the front of these arrays."""
        for start in range(0, len(rows), _MOVED_AT_ONCE):
            some = rows[start : start + _MOVED_AT_ONCE]
            self.take(np.arange(start, start + len(some)), self, some)
        return Codes(self.values[: len(rows)], self.scale[: len(rows)], self.error[: len(rows)])

    def seal(self) -> None:
        """Make all arrays read-only."""
        for array in (self.values, self.scale, self.error):
            array.flags.writeable = False

    @property
    def shape(self) -> tuple[int, int]:
        """(N, D)."""
        return self.values.shape[0], self.values.shape[1]

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return self.values.nbytes + self.scale.nbytes + self.error.nbytes

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, rows: int | slice | IntArray) -> FloatArray:
        """Return rows as float32, (D,) or (K, D)."""
        scale = np.asarray(self.scale[rows], np.float32)
        return np.asarray(self.values[rows] * scale[..., None], np.float32)

    def doubles(self, rows: slice | IntArray) -> npt.NDArray[np.float64]:
        """Return K rows (K, D) as float64: just what the codes stand for."""
        scale = np.asarray(self.scale[rows], np.float64)
        return np.asarray(self.values[rows], np.float64) * scale[:, None]


def blocked_products(values: CodeArray, probe: CodeArray) -> FloatArray:
    """Return the scalar products (N,) of ``values`` (N, D) with ``probe`` (D,), exact integers in float32.

    NumPy has no fast product of int8, and BLAS none at all: blocks are decoded to float32, in which every
    sum of up to ``MOST_DIMENSIONS`` products is a whole number below 2**24 whatever the order.
    """
    found = np.empty(len(values), np.float32)
    direction = probe.astype(np.float32)
    blocks = _blocks(values.shape)
    buffer = np.empty((blocks[0].stop if blocks else 0, values.shape[1]), np.float32)
    for block in blocks:
        decoded = buffer[: block.stop - block.start]
        np.copyto(decoded, values[block])
        np.matmul(decoded, direction, out=found[block])
    return found


def row_products(rows: FloatArray, vector: FloatArray) -> FloatArray:
    """Return the scalar products (N,) of ``rows`` (N, D) with ``vector`` (D,), on one core.

    In one piece OpenBLAS takes all cores from some 900 rows on and lets them spin: for 10,000 people two
    were done in 0.4 ms instead of 0.7, but for 3 ms of CPU, and in 19 ms when one of them was busy.
    """
    found = np.empty(len(rows), np.float32)
    for block in _blocks(rows.shape, 2 * _BLOCK_NUMBERS):
        np.matmul(rows[block], vector, out=found[block])
    return found


def coded(vector: FloatArray) -> tuple[CodeArray, float, float]:
    """Return codes (D,) of a finite vector (D,) of any length, their scale, and how far off that is."""
    exact = vector.astype(np.float64)
    largest = float(np.abs(exact).max(initial=0.0))
    scale = largest / STEPS if largest > 0 else 1.0
    values = np.rint(exact / scale)
    return values.astype(np.int8), scale, float(np.linalg.norm(exact - scale * values))


def _blocks(shape: tuple[int, ...], numbers: int = _BLOCK_NUMBERS) -> list[slice]:
    rows = max(1, numbers // max(1, shape[1]))
    return [slice(start, min(start + rows, shape[0])) for start in range(0, shape[0], rows)]
