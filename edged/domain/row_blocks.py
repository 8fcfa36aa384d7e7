"""The rows of a gallery in several pieces, so that a change of one person makes one piece anew.

Rows in one piece are copied whole when anybody changes: 20 MB for 10,000 people at 512 d.
"""

import bisect
import itertools
from collections.abc import Sequence

import numpy as np

from edged.domain.types import FloatArray, IntArray

# Numbers multiplied at once: of 512 d some 900 rows make OpenBLAS (0.3.31) take a second core, and from 300
# rows on it is as fast as for all rows in one piece.
_AT_ONCE = 1 << 18
# To go through so many rows one by one takes less than to sort them by block.
_FEW = 32


class RowBlocks:
    """N rows (N, D) float32, read-only, of which ``blocks`` (Ni, D) hold one after another."""

    def __init__(self, blocks: Sequence[FloatArray], dimension: int) -> None:
        self.blocks = tuple(block for block in blocks if len(block))
        self._starts = list(itertools.accumulate(map(len, self.blocks), initial=0))
        self._dimension = dimension
        most = max(1, _AT_ONCE // max(1, dimension))
        self._pieces = [
            (block[start : start + most], slice(first + start, first + min(start + most, len(block))))
            for block, first in zip(self.blocks, self._starts, strict=False)
            for start in range(0, len(block), most)
        ]

    @property
    def shape(self) -> tuple[int, int]:
        """(N, D)."""
        return len(self), self._dimension

    @property
    def nbytes(self) -> int:
        """Bytes of all rows."""
        return sum(block.nbytes for block in self.blocks)

    def __len__(self) -> int:
        return self._starts[-1]

    def __getitem__(self, rows: int | slice | IntArray) -> FloatArray:
        """Return rows, (D,) or (K, D); several are a copy."""
        if isinstance(rows, int):
            return self._row(range(len(self))[rows])
        if isinstance(rows, slice):
            start, stop, step = rows.indices(len(self))
            return self._between(start, stop) if step == 1 else self[np.arange(start, stop, step)]
        several = np.empty((len(rows), self._dimension), np.float32)
        if len(rows) <= _FEW:  # those near a face, at every face
            for place, row in enumerate(rows.tolist()):
                several[place] = self._row(row)
            return several
        of = np.searchsorted(self._starts, rows, "right") - 1
        for block in np.unique(of):
            here = of == block
            several[here] = self.blocks[block][rows[here] - self._starts[block]]
        return several

    def _row(self, row: int) -> FloatArray:
        block = bisect.bisect_right(self._starts, row) - 1
        found: FloatArray = self.blocks[block][row - self._starts[block]]
        return found

    def _between(self, start: int, stop: int) -> FloatArray:
        pieces = [
            block[max(0, start - first) : max(0, stop - first)]
            for block, first in zip(self.blocks, self._starts, strict=False)
        ]
        return np.concatenate([np.empty((0, self._dimension), np.float32), *pieces])

    def starts(self) -> dict[int, int]:
        """Return the first row of each block, by the ``id`` of its array."""
        return {id(block): first for block, first in zip(self.blocks, self._starts, strict=False)}

    def products(self, vector: FloatArray) -> FloatArray:
        """Return the scalar products (N,) with ``vector`` (D,), on one core; see ``codes.row_products``."""
        found = np.empty(len(self), np.float32)
        for piece, rows in self._pieces:
            np.matmul(piece, vector, out=found[rows])
        return found
