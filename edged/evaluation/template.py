"""The template that fits a detector: where its own five points lie on a well-placed face.

Detectors disagree about where an eye or a mouth corner is. Turning each photograph's points onto the
standard template and averaging them keeps the face where the embedder expects it, and takes the
detector's habit into the template.
"""

from collections.abc import Sequence

import numpy as np

from edged.domain.types import FloatArray
from edged.errors import EvaluationError
from edged.vision.alignment import similarity, transformed

_MIN_FACES = 10


def fitted_template(landmarks: Sequence[FloatArray] | FloatArray, standard: FloatArray) -> FloatArray:
    """Return the (5, 2) float32 mean of ``landmarks`` (N, 5, 2), each brought onto ``standard`` first.

    Raises ``EvaluationError`` for fewer than ten faces.
    """
    if len(landmarks) < _MIN_FACES:
        raise EvaluationError(
            f"expected at least {_MIN_FACES} faces to fit a template to, got {len(landmarks)}"
        )
    brought = [transformed(points, similarity(points, standard)) for points in landmarks]
    mean: FloatArray = np.mean(brought, axis=0).astype(np.float32)
    return mean
