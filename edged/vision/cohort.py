"""A pack's cohort: embeddings of people who are enrolled nowhere.

The file is a NumPy array (people, dimension) of int8 or float16 without names or pickled objects. A row
is one photograph's unit vector times any positive factor; int8 rows are scaled so that the largest
number is 127, which moves a cosine by less than 0.002 in 512 dimensions.
"""

import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edged.domain.types import FloatArray
from edged.errors import ModelError
from edged.vision.packs import Catalogue, Cohort, ModelSpec, verify_file

# What ``numpy.save`` writes in front of such an array: version 1.0, the header's length, a dictionary.
# NumPy's own reader evaluates it, makes room for whatever shape it states, and opens zip archives besides.
_HEADER = re.compile(
    rb"\x93NUMPY\x01\x00..\{'descr': '([^']{1,20})', 'fortran_order': False, "
    rb"'shape': \(([0-9, ]{0,40})\), \} *\n",
    re.DOTALL,
)
_KINDS: dict[bytes, np.dtype[Any]] = {b"|i1": np.dtype(np.int8), b"<f2": np.dtype(np.float16)}


def quantized(vectors: FloatArray) -> npt.NDArray[np.int8]:
    """Return (N, D) int8 rows that point where ``vectors`` (N, D) do."""
    peaks = np.abs(vectors).max(axis=1, keepdims=True)
    return np.asarray(np.rint(vectors / peaks * 127), np.int8)


def cohort_of(catalogue: Catalogue, name: str, space: str) -> FloatArray | None:
    """Return the (people, D) float32 unit rows of the cohort of embedder pack ``name``, in ``space``.

    None where the pack has none for that space. Raises ``ModelError`` where its file is missing,
    altered or not what the descriptor says.
    """
    pack = catalogue.in_force(name)
    spec = pack.model("embedder")
    if spec.cohort is None or spec.space != space:
        return None
    path = pack.directory / spec.cohort.name
    if not path.is_file():
        # The description in force may be newer than the folder that the weights were installed into.
        path = catalogue.origin(name).directory / spec.cohort.name
    return read_cohort(path, spec.cohort, spec)


def read_cohort(path: Path, cohort: Cohort, spec: ModelSpec) -> FloatArray:
    """Return the unit rows in ``path``. Raises ``ModelError``."""
    verify_file(path, cohort)
    try:
        data = path.read_bytes()
    except OSError as exc:
        raise ModelError(f"{path}: cannot be read: {exc.strerror or exc}") from exc
    vectors = _rows(path, data, (cohort.people, spec.dimension)).astype(np.float32)
    with np.errstate(invalid="ignore", over="ignore"):
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    # Written so that NaN fails: every comparison with it is false.
    if not bool(np.all((norms > 0) & (norms < np.inf))):
        raise ModelError(f"{path}: a row has no direction")
    return np.asarray(vectors / norms, np.float32)


def _rows(path: Path, data: bytes, shape: tuple[int, int | None]) -> npt.NDArray[Any]:
    header = _HEADER.match(data)
    if header is None or header.end() != int.from_bytes(data[8:10], "little") + 10:
        raise ModelError(f"{path}: not a NumPy array as numpy.save writes it")
    kind = _KINDS.get(header[1])
    numbers = tuple(int(side) for side in header[2].replace(b" ", b"").split(b",") if side)
    if kind is None or numbers != shape:
        got = f"{header[1].decode('ascii', 'replace')} {numbers}"
        raise ModelError(f"{path}: expected int8 or float16 {shape}, got {got}")
    if len(data) - header.end() != shape[0] * (shape[1] or 0) * kind.itemsize:
        raise ModelError(f"{path}: expected int8 or float16 {shape}, got {len(data) - header.end()} bytes")
    return np.frombuffer(data, kind, offset=header.end()).reshape(numbers)
