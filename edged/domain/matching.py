"""Exact cosine search over a snapshot, and the distance to the runner-up."""

import numpy as np

from edged.domain.gallery import GallerySnapshot
from edged.domain.types import FloatArray, Match

NOBODY = Match(person_id=None, score=-1.0, second_id=None, second_score=-1.0)


def best_match(snapshot: GallerySnapshot, vector: FloatArray) -> Match:
    """Return the two people nearest to ``vector`` (D,) float32 unit length.

    Raises ``ValueError`` when the vector is of another dimension or not finite.
    """
    if vector.shape != snapshot.matrix.shape[1:]:
        raise ValueError(f"expected a vector {snapshot.matrix.shape[1:]}, got {vector.shape}")
    if not np.isfinite(vector).all():
        raise ValueError("expected a finite vector, got NaN or infinity")
    if not snapshot.people:
        return NOBODY
    scores = snapshot.matrix @ vector
    best = int(np.argmax(scores))
    if len(scores) == 1:
        return Match(snapshot.people[best].person_id, float(scores[best]), None, -1.0)
    pair = np.argpartition(scores, -2)[-2:]
    first, second = sorted(pair, key=lambda row: (-float(scores[row]), int(row)))
    return Match(
        snapshot.people[first].person_id,
        float(scores[first]),
        snapshot.people[second].person_id,
        float(scores[second]),
    )
