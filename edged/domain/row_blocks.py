"""The rows of a gallery in several pieces, so that a change of one person makes one piece anew.

Rows in one piece are copied whole when anybody changes: 20 MB for 10,000 people at 512 d.
"""

from collections.abc import Sequence

import numpy as np

from edged.domain.types import FloatArray, IntArray

# Numbers multiplied at once: of 512 d some 900 rows make OpenBLAS (0.3.31) take a second core, and from 300
# rows on it is as fast as for all rows in one piece.
_AT_ONCE = 1 << 18


class RowBlocks:
    """N rows (N, D) float32, read-only, of which ``blocks`` (Ni, D) hold one after another."""

    def __init__(self, blocks: Sequence[FloatArray], dimension: int) -> None:
        self.blocks = tuple(block for block in blocks if len(block))
        self._starts = np.cumsum([0, *map(len, self.blocks)])
        self._dimension = dimension

    @property
    def shape(self) -> tuple[int, int]:
        """(N, D)."""
        return len(self), self._dimension

    @property
    def nbytes(self) -> int:
        """Bytes of all rows."""
        return sum(block.nbytes for block in self.blocks)

    def __len__(self) -> int:
        return int(self._starts[-1])

    def __getitem__(self, rows: int | slice | IntArray) -> FloatArray:
        """Return rows, (D,) or (K, D); several are a copy."""
        if isinstance(rows, int):
            row = range(len(self))[rows]
            block = int(np.searchsorted(self._starts, row, "right")) - 1
            found: FloatArray = self.blocks[block][row - self._starts[block]]
            return found
        if isinstance(rows, slice):
            return self._between(*rows.indices(len(self)))
        several = np.empty((len(rows), self._dimension), np.float32)
        of = np.searchsorted(self._starts, rows, "right") - 1
        for block in np.unique(of):
            here = of == block
            several[here] = self.blocks[block][rows[here] - self._starts[block]]
        return several

    def _between(self, start: int, stop: int, step: int) -> FloatArray:
        if step != 1:
            return self[np.arange(start, stop, step)]
        pieces = [
            block[max(0, start - first) : max(0, stop - first)]
            for block, first in zip(self.blocks, self._starts.tolist(), strict=False)
        ]
        return np.concatenate([np.empty((0, self._dimension), np.float32), *pieces])

    def starts(self) -> dict[int, int]:
        """Return the first row of each block, by the ``id`` of its array."""
        return {id(block): int(first) for block, first in zip(self.blocks, self._starts, strict=False)}

    def products(self, vector: FloatArray) -> FloatArray:
        """Return the scalar products (N,) with ``vector`` (D,), on one core; see ``codes.row_products``."""
        found = np.empty(len(self), np.float32)
        most, first = max(1, _AT_ONCE // max(1, self._dimension)), 0
        for block in self.blocks:
            for start in range(0, len(block), most):
                some = block[start : start + most]
                np.matmul(some, vector, out=found[first : first + len(some)])
                first += len(some)
        return found
