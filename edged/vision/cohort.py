"""A pack's cohort: embeddings of people who are enrolled nowhere.

The file is a NumPy array (people, dimension) of int8 or float16 without names or pickled objects. A row
is one photograph's unit vector times any positive factor; int8 rows are scaled so that the largest
number is 127, which moves a cosine by less than 0.002 in 512 dimensions.
"""

import io
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edged.domain.types import FloatArray
from edged.errors import ModelError
from edged.vision.packs import Catalogue, Cohort, ModelSpec, verify_file

KINDS = (np.int8, np.float16)


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
        raw = np.load(io.BytesIO(path.read_bytes()), allow_pickle=False)
    except (OSError, ValueError, EOFError) as exc:
        raise ModelError(f"{path}: not a NumPy array: {exc}") from exc
    shape = (cohort.people, spec.dimension)
    if not isinstance(raw, np.ndarray) or raw.dtype not in KINDS or raw.shape != shape:
        got = f"{raw.dtype} {raw.shape}" if isinstance(raw, np.ndarray) else type(raw).__name__
        raise ModelError(f"{path}: expected int8 or float16 {shape}, got {got}")
    vectors = raw.astype(np.float32)
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    # Written so that NaN fails: every comparison with it is false.
    if not bool(np.all((norms > 0) & (norms < np.inf))):
        raise ModelError(f"{path}: a row has no direction")
    return np.asarray(vectors / norms, np.float32)
