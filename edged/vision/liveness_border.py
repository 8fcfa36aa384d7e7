"""The edge of a sheet of paper, or of a screen, around a face.

Two upright edges and a level one that joins them above the face are looked for; where the picture ends
before such a level edge could show, two upright ones that reach up to its end. An edge counts by the share
of its length on which the picture changes across it in one direction, so that hair, folds and blurred
backgrounds cancel out, and less where it runs on past the corner, as the lines of a wall or a door do.

A medium whose edges lie outside the picture shows none. Somebody who stands right before a picture frame,
or in the middle of a narrow door, shows some that are real.
"""

from itertools import pairwise
from typing import Any

import cv2
import numpy as np

from edged.domain.types import Box, FloatArray, Image

# Everything is looked at with faces this wide; a frame reaches two face widths to each side at most.
_FACE_PX = 40
_SIDE_PX = 4 * _FACE_PX
_EVERYWHERE = np.arange(_SIDE_PX)
# A hand holds a medium straight to some ten degrees; every second one is enough for edges this short.
_LEANS = range(-12, 13, 2)
# Grey levels a pixel at which an edge counts in full: half the step of white paper on a light wall.
_FULL = 4.0
# So many lines on each side are tried as parts of a frame.
_TRIED = 4
# Hands cover what is below the chin, and some of what is above it: shares of the face's height.
_COVERED = 0.15
# Behind a medium it may be light in one half and dark in the other.
_PARTS = 2
# Lines of a room run on past the corner: looked at over half a face width.
_PAST_PX, _GAP_PX, _PAST_COUNTS = 20, 3, 0.5


def border_support(image: Image, box: Box) -> float:
    """Return how surely edges of one medium surround ``box`` in ``image``, 0..1.

    ``image`` is (H, W, 3) uint8 BGR. Raises ``ValueError`` for a face of no width.
    """
    if not (box.width >= 1 and box.height >= 1):  # written so that NaN fails
        raise ValueError(f"expected a face of one pixel at least, got {box.width} x {box.height}")
    factor = _FACE_PX / box.width
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    if factor < 0.5:
        grey = cv2.GaussianBlur(grey, (0, 0), 0.4 / factor)  # a warp reads four pixels however many it skips
    tall = min(box.height * factor, _SIDE_PX / 2)
    end = int(_SIDE_PX / 2 - box.centre[1] * factor)
    best = 0.0
    for lean in _LEANS:
        view = _turned(np.asarray(grey, np.uint8), box, factor, lean)
        best = max(best, _best_frame(view, tall, end, best))
    return best


def _turned(grey: Image, box: Box, factor: float, lean: int) -> FloatArray:
    matrix = cv2.getRotationMatrix2D(box.centre, lean, factor)
    matrix[:, 2] += np.array([_SIDE_PX / 2, _SIDE_PX / 2]) - box.centre
    size = (_SIDE_PX, _SIDE_PX)
    return np.asarray(cv2.warpAffine(grey, matrix, size, borderMode=cv2.BORDER_REPLICATE), np.float32)


def _best_frame(view: FloatArray, tall: float, end: int, best: float) -> float:
    """Return the support of the best frame in ``view``, or ``best`` where none is better.

    The picture's upper end is in row ``end``.
    """
    across = cv2.Sobel(view, cv2.CV_32F, 1, 0, scale=1 / 8)
    down = cv2.Sobel(view, cv2.CV_32F, 0, 1, scale=1 / 8)
    upright, level = _edges(across, down), _edges(down.T, across.T)
    forehead, chin = int(_SIDE_PX / 2 - tall / 2), int(_SIDE_PX / 2 + (0.5 - _COVERED) * tall)
    best = max(best, _open(upright, end, chin)) if end > 0 else best
    return _closed(upright, level, forehead, chin, best)


def _closed(upright: FloatArray, level: FloatArray, forehead: int, chin: int, best: float) -> float:
    """Return the mean support of the two weaker ones of two upright edges and the level one they meet.

    Frames that cannot be better than ``best`` are passed over: they are most of them.
    """
    left_end, right_end = _SIDE_PX // 2 - _FACE_PX // 2, _SIDE_PX // 2 + _FACE_PX // 2
    beside = _share(upright, _EVERYWHERE, forehead, chin)
    lefts, rights = _best(beside, 0, left_end), _best(beside, right_end + 1, _SIDE_PX)
    for top in _best(_share(level, _EVERYWHERE, left_end, right_end), 0, max(1, forehead)):
        at_left, at_right = (
            _share(upright, at, top, chin) - _past(upright, at, top - _PAST_PX, top - _GAP_PX)
            for at in (lefts, rights)
        )
        for i, j in np.argwhere(np.add.outer(at_left, at_right) > 2 * best):
            left, right = int(lefts[i]), int(rights[j])
            past = max(
                _past(level, top, left - _PAST_PX, left - _GAP_PX),
                _past(level, top, right + _GAP_PX, right + _PAST_PX),
            )
            edges = (float(at_left[i]), float(at_right[j]), float(_share(level, top, left, right) - past))
            best = max(best, (sum(edges) - max(edges)) / 2)
    return best


def _open(upright: FloatArray, end: int, chin: int) -> float:
    """Return the support of two upright edges that reach the picture's upper ``end``.

    To the fourth power: two edges prove less than three, so they have to be all but perfect.
    """
    support = _share(upright, _EVERYWHERE, end + 2, chin)
    left = support[4 : _SIDE_PX // 2 - _FACE_PX // 2].max()
    right = support[_SIDE_PX // 2 + _FACE_PX // 2 + 1 : -4].max()
    return float(min(left, right)) ** 4


def _edges(across: FloatArray, along: FloatArray) -> FloatArray:
    """Return running sums down the columns of how much each pixel is part of an upright edge, -1..1."""
    edge = np.clip(across / _FULL, -1, 1) * (np.abs(across) > 1.5 * np.abs(along))
    return np.vstack([np.zeros((1, edge.shape[1]), np.float32), np.cumsum(edge, axis=0, dtype=np.float32)])


def _share(sums: FloatArray, column: Any, first: float, last: float, parts: int = _PARTS) -> Any:
    """Return the share of rows ``first`` to ``last`` of ``column`` (or columns) that are one edge.

    Each of the ``parts`` has a direction of its own.
    """
    begin, end = max(0, int(first)), min(_SIDE_PX, int(last))
    if end <= begin:
        return 0.0 * np.asarray(column, np.float32)
    cuts = [begin + (end - begin) * part // parts for part in range(parts + 1)]
    steps = (sums[after, column] - sums[before, column] for before, after in pairwise(cuts))
    return sum(np.abs(step) for step in steps) / (end - begin)


def _past(sums: FloatArray, column: Any, first: float, last: float) -> Any:
    return _PAST_COUNTS * _share(sums, column, first, last, parts=1)


def _best(support: FloatArray, first: int, last: int) -> Any:
    """Return the places of the strongest lines between ``first`` and ``last``, none beside a stronger one."""
    part = support[first:last]
    peaks = np.flatnonzero((part >= np.roll(part, 1)) & (part >= np.roll(part, -1)))
    return first + peaks[np.argsort(-part[peaks])][:_TRIED]
