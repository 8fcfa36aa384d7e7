"""Scalar products of int8 codes on more than one core."""

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np

from edged.domain.codes import CodeArray, Products, blocked_products
from edged.domain.types import FloatArray

# Below so many rows a second thread costs more than it saves; so many cores saturate the memory of a board.
_ROWS_A_THREAD = 16_384
_MOST_THREADS = 4


def fast_products(threads: int | None = None) -> Products:
    """Return ``blocked_products`` over up to ``threads`` parts at once; by default a thread a core.

    NumPy decodes and multiplies without the interpreter's lock, so that the parts do run side by side.
    """
    cores = (os.cpu_count() or 1) if threads is None else threads
    most = max(1, min(cores, _MOST_THREADS))

    def products(values: CodeArray, probe: CodeArray) -> FloatArray:
        parts = min(most, len(values) // _ROWS_A_THREAD)
        if parts < 2:
            return blocked_products(values, probe)
        return np.concatenate(
            list(_pool().map(blocked_products, np.array_split(values, parts), [probe] * parts))
        )

    return products


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_MOST_THREADS, thread_name_prefix="search")
