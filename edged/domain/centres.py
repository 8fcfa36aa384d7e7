"""The centre of a person's templates, each weighted by its quality."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from edged.domain.people import Template
from edged.domain.types import FloatArray, IntArray

# float32 rounding of a 512-d norm stays below 1e-6; anything larger was never normalised.
UNIT_TOLERANCE = 1e-3
# A usable face keeps half of its likeness or more: this is for templates stored without a quality.
_LEAST_WEIGHT = 0.1


def centres_of(groups: Mapping[str, Sequence[Template]], dimension: int) -> FloatArray:
    """Return the weighted centre of each person's templates, (K, ``dimension``) float32 unit rows.

    ``groups`` holds at least one template for each of K people, by id; the rows come in its order.
    Raises ``ValueError`` on a vector that is not finite, not of unit length or not (``dimension``,).
    """
    templates = [template for theirs in groups.values() for template in theirs]
    for template in templates:
        if template.vector.shape != (dimension,):
            raise ValueError(not_shaped(f"template {template.template_id}", template.vector, dimension))
    vectors = np.stack([template.vector for template in templates]).astype(np.float32, copy=False)
    # Written so that NaN fails: every comparison with it is false.
    bad = np.flatnonzero(~(np.abs(_norms(vectors) - 1.0) <= UNIT_TOLERANCE))
    if bad.size:
        raise ValueError(f"template {templates[bad[0]].template_id}: expected a finite unit vector")
    weights = np.array([weight_of(template.quality) for template in templates], np.float32)
    counts = np.array([len(theirs) for theirs in groups.values()])
    vectors *= weights[:, None]
    centres = _sums(vectors, counts) / _sums(weights[:, None], counts)
    norms = _norms(np.asarray(centres, np.float32))
    if (lost := np.flatnonzero(norms < UNIT_TOLERANCE)).size:
        person_id = list(groups)[lost[0]]
        raise ValueError(f"person {person_id}: templates cancel out, their mean has no direction")
    return np.asarray(centres / norms[:, None], np.float32)


def weighted_centre(faces: Iterable[tuple[FloatArray, float]]) -> FloatArray | None:
    """Return the mean direction (D,) float32 of unit vectors with their qualities 0..1; None if they cancel.

    Each counts by its quality, but none by less than ``_LEAST_WEIGHT``, so that faces without any still
    have a centre.
    """
    vectors, qualities = zip(*faces, strict=True)
    weights = np.array([weight_of(quality) for quality in qualities], np.float32)
    centre = weights @ np.asarray(vectors) / weights.sum()
    norm = float(np.linalg.norm(centre))
    return None if norm < UNIT_TOLERANCE else np.asarray(centre / norm, np.float32)


def weight_of(quality: float) -> float:
    """Return what a face of this quality counts in a mean."""
    return min(1.0, max(_LEAST_WEIGHT, quality))  # in this order NaN gives the least


def not_shaped(what: str, vector: FloatArray, dimension: int) -> str:
    """Say that ``vector`` is not (``dimension``,)."""
    return f"{what}: expected shape ({dimension},), got {vector.shape}"


def _sums(rows: FloatArray, counts: IntArray) -> FloatArray:
    """Return the sum of the first ``counts[0]`` rows, of the next ``counts[1]``, and so on.

    By equal counts at once: ``np.add.reduceat`` took four times as long.
    """
    starts = np.cumsum(counts) - counts
    sums = np.empty((len(counts), rows.shape[1]), np.float32)
    for count in np.unique(counts):
        of_count = np.flatnonzero(counts == count)
        sums[of_count] = rows[starts[of_count, None] + np.arange(count)].sum(axis=1)
    return sums


def _norms(rows: FloatArray) -> FloatArray:
    norms: FloatArray = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    return norms
