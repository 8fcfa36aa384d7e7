"""What every contender does with a picture, and which face of several is meant.

Nothing of edged is imported here: these lines run in the environments of the others too.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

Image = Any
Vector = Any


class Peer(Protocol):
    """A way from a picture to a vector, as its own documentation shows it."""

    def look(self, image: Image) -> Vector | None:
        """Return the vector (D,) of the face that ``image`` (H, W, 3) uint8 BGR is of, None without."""


def prominent(boxes: Sequence[Sequence[float]], image: Image) -> int | None:
    """Return which of ``boxes`` (left, top, right, bottom) a picture is of; None of none.

    Large counts for a face, off-centre against it, as InsightFace's examples and ``edged eval`` have it. All
    contenders go by this rule, so that nobody gains or loses by another face in the background.
    """
    if len(boxes) == 0:
        return None
    found = np.asarray(boxes, np.float64)[:, :4]
    sides = found[:, 2:] - found[:, :2]
    middle = np.array([image.shape[1] / 2, image.shape[0] / 2])
    away = found[:, :2] + sides / 2 - middle
    return int(np.argmax(sides.prod(axis=1) - 2 * (away**2).sum(axis=1)))
