"""The edge of a sheet of paper, or of a screen, around a face.

Three straight edges that fit one upright or slightly leaning rectangle about the face are looked for: an
edge counts by the share of its length on which the picture changes across it, in one direction only, so
that hair, folds and blurred backgrounds cancel out. A medium whose edges lie outside the picture shows
none, and somebody who stands right before a picture frame has some that are real.
"""

import cv2
import numpy as np

from edged.domain.types import Box, FloatArray, Image

# Everything is looked at with faces this wide; a rectangle reaches two face widths to each side at most.
_FACE_PX = 40
_SIDE_PX = 4 * _FACE_PX
# A hand holds a medium straight to some ten degrees; every second one is enough for edges this short.
_LEANS = range(-12, 13, 2)
# Grey levels a pixel at which an edge counts in full: half the step of white paper on a light wall.
_FULL = 4.0
# How far an edge is followed, in face widths and heights about the middle.
_REACH = 0.6


def border_support(image: Image, box: Box) -> float:
    """Return how surely three edges of one rectangle surround ``box`` in ``image``, 0..1.

    ``image`` is (H, W, 3) uint8 BGR. Raises ``ValueError`` for a face of no width.
    """
    if not (box.width >= 1 and box.height >= 1):  # written so that NaN fails
        raise ValueError(f"expected a face of one pixel at least, got {box.width} x {box.height}")
    factor = _FACE_PX / box.width
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    if factor < 0.5:
        grey = cv2.GaussianBlur(grey, (0, 0), 0.4 / factor)  # a warp reads four pixels however many it skips
    tall = box.height * factor
    return max(_support(_turned(np.asarray(grey, np.uint8), box, factor, lean), tall) for lean in _LEANS)


def _turned(grey: Image, box: Box, factor: float, lean: int) -> FloatArray:
    matrix = cv2.getRotationMatrix2D(box.centre, lean, factor)
    matrix[:, 2] += np.array([_SIDE_PX / 2, _SIDE_PX / 2]) - box.centre
    size = (_SIDE_PX, _SIDE_PX)
    return np.asarray(cv2.warpAffine(grey, matrix, size, borderMode=cv2.BORDER_REPLICATE), np.float32)


def _support(view: FloatArray, tall: float) -> float:
    """Return the mean of the best edge on each side of the face, without the worst of the four."""
    middle = _SIDE_PX / 2
    across = cv2.Sobel(view, cv2.CV_32F, 1, 0, scale=1 / 8)
    down = cv2.Sobel(view, cv2.CV_32F, 0, 1, scale=1 / 8)
    upright = np.clip(across / _FULL, -1, 1) * (np.abs(across) > 1.5 * np.abs(down))
    level = np.clip(down / _FULL, -1, 1) * (np.abs(down) > 1.5 * np.abs(across))
    rows = slice(max(0, int(middle - _REACH * tall)), int(middle + _REACH * tall))
    columns = slice(int(middle - _REACH * _FACE_PX), int(middle + _REACH * _FACE_PX))
    uprights, levels = np.abs(upright[rows].mean(axis=0)), np.abs(level[:, columns].mean(axis=1))
    sides = [
        uprights[: int(middle - _FACE_PX / 2)],
        uprights[int(middle + _FACE_PX / 2) + 1 :],
        levels[: max(0, int(middle - tall / 2))],
        levels[int(middle + tall / 2) + 1 :],
    ]
    best = sorted((float(side.max()) if side.size else 0.0 for side in sides), reverse=True)
    return sum(best[:3]) / 3
