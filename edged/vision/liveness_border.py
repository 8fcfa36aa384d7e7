"""The edge of a sheet of paper, or of a screen, around a face.

Two upright edges and a level one that joins them above the face are looked for; where the picture ends
before such a level edge could show, two upright ones that reach up to its end. An edge counts by the share
of its length on which the picture changes across it in one direction, so that hair, folds and blurred
backgrounds cancel out, and less where it runs on past the corner, as the lines of a wall or a door do.

A medium whose edges lie outside the picture shows none. Somebody who stands right before a picture frame,
or in the middle of a narrow door, shows some that are real.
"""

from itertools import pairwise
from math import ceil, cos, radians, sin
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edged.domain.types import Box, Image, IntArray

# Everything is looked at with faces this wide; a frame reaches two face widths to each side at most.
_FACE_PX = 40
_SIDE_PX = 4 * _FACE_PX
_LEFT_END, _RIGHT_END = _SIDE_PX // 2 - _FACE_PX // 2, _SIDE_PX // 2 + _FACE_PX // 2
# A hand holds a medium straight to some ten degrees; every second one is enough for edges this short.
_LEANS = range(-12, 13, 2)
_MOST_COS, _MOST_SIN = cos(radians(_LEANS[-1])), sin(radians(_LEANS[-1]))
# Grey levels a pixel at which an edge counts in full: half the step of white paper on a light wall. In the
# sums of Sobel, which are eight times as large and whole, so that everything added up from them is exact.
_FULL = 4 * 8
# So many lines on each side are tried as parts of a frame.
_TRIED = 4
# Hands cover what is below the chin, and some of what is above it: shares of the face's height.
_COVERED = 0.15
# Behind a medium it may be light in one half and dark in the other.
_PARTS = 2
# Lines of a room run on past the corner: looked at over half a face width.
_PAST_PX, _GAP_PX, _PAST_COUNTS = 20, 3, 0.5

# Whole numbers of all leans at once, since a call for one of them costs as much: the first axis is the lean.
_Levels = NDArray[np.int16]


def border_support(image: Image, box: Box) -> float:
    """Return how surely edges of one medium surround ``box`` in ``image``, 0..1.

    ``image`` is (H, W, 3) uint8 BGR. Raises ``ValueError`` for a face of no width.
    """
    if not (box.width >= 1 and box.height >= 1):  # written so that NaN fails
        raise ValueError(f"expected a face of one pixel at least, got {box.width} x {box.height}")
    factor = _FACE_PX / box.width
    tall = min(box.height * factor, _SIDE_PX / 2)
    forehead, chin = int(_SIDE_PX / 2 - tall / 2), int(_SIDE_PX / 2 + (0.5 - _COVERED) * tall)
    end = int(_SIDE_PX / 2 - box.centre[1] * factor)
    across, down = _gradients(_grey(image, box, factor, chin), box, factor, chin)
    support = max(0.0, _closed(across, down, forehead))
    return max(support, _open(across, down, end)) if 0 < end < chin - 2 else support


def _grey(image: Image, box: Box, factor: float, chin: int) -> Image:
    """Return ``image`` in grey where a view of any lean shows it; the rest is black.

    It stays as large as the picture, because a warp of a part rounds otherwise.
    """
    blur = 0.4 / factor if factor < 0.5 else 0.0  # a warp reads four pixels however many it skips
    spare = ceil(3 * blur) + 3  # a blur of eight bits reaches three sigma and a pixel, a warp one pixel
    aside = _SIDE_PX / 2 * (_MOST_COS + _MOST_SIN) / factor
    below = (chin + 1 - _SIDE_PX / 2 + _SIDE_PX / 2 * _MOST_SIN) / factor
    (x, y), (height, width) = box.centre, image.shape[:2]
    part = (_within(y - aside, y + below, spare, height), _within(x - aside, x + aside, spare, width))
    grey = np.zeros((height, width), np.uint8)
    shown = np.asarray(cv2.cvtColor(image[part], cv2.COLOR_BGR2GRAY), np.uint8)
    grey[part] = cv2.GaussianBlur(shown, (0, 0), blur) if blur else shown
    return grey


def _within(begin: float, end: float, spare: int, size: int) -> slice:
    """Return what of ``begin`` to ``end`` lies in the picture, or the nearest pixel, plus ``spare``."""
    first, last = (min(max(at, 0), size - 1) for at in (begin, end))
    return slice(max(0, int(first) - spare), min(size, ceil(last) + 1 + spare))


def _gradients(grey: Image, box: Box, factor: float, chin: int) -> tuple[_Levels, _Levels]:
    """Return the sums of Sobel to the right and downwards, (leans, ``chin``, side), of views of the face."""
    across, down = np.empty((2, len(_LEANS), chin + 1, _SIDE_PX), np.int16)
    view = np.empty((chin + 1, _SIDE_PX), np.uint8)
    for number, lean in enumerate(_LEANS):
        matrix = cv2.getRotationMatrix2D(box.centre, lean, factor)
        matrix[:, 2] += np.array([_SIDE_PX / 2, _SIDE_PX / 2]) - box.centre
        cv2.warpAffine(grey, matrix, (_SIDE_PX, chin + 1), view, borderMode=cv2.BORDER_REPLICATE)
        cv2.spatialGradient(view, across[number], down[number])
    # The row below is there for the gradient of the last one.
    return across[:, :chin], down[:, :chin]


def _closed(across: _Levels, down: _Levels, forehead: int) -> float:
    """Return the mean support of the two weaker ones of two upright edges and the level one they meet."""
    chin = across.shape[1]
    beside = _halves(_edges(across[:, forehead:], down[:, forehead:]), axis=1)
    lefts, rights = _best(beside[:, :_LEFT_END]), _best(beside[:, _RIGHT_END + 1 :]) + _RIGHT_END + 1
    above = np.s_[:, :forehead, _LEFT_END:_RIGHT_END]
    tops = _best(_halves(_edges(down[above], across[above]), axis=2))
    lean, columns = np.arange(len(_LEANS))[:, None], np.hstack([lefts, rights])
    upright = _sums(_edges(across[lean, :, columns], down[lean, :, columns]))
    level = _sums(_edges(down[lean, tops], across[lean, tops]))
    # Every frame these lines can make: by lean, top, left and right.
    top, left, right = tops[:, :, None, None], lefts[:, None, :, None], rights[:, None, None, :]
    line = np.arange(2 * _TRIED)[:, None]
    sides = _share(upright, line, top, chin) - _past(upright, line, top - _PAST_PX, top - _GAP_PX)
    line = np.arange(_TRIED)[:, None, None]
    past = np.maximum(
        _past(level, line, left - _PAST_PX, left - _GAP_PX),
        _past(level, line, right + _GAP_PX, right + _PAST_PX),
    )
    edges = sides[:, :, :_TRIED], sides[:, :, None, _TRIED:, 0], _share(level, line, left, right) - past
    return float((sum(edges) - np.maximum.reduce(np.broadcast_arrays(*edges))).max() / 2)


def _open(across: _Levels, down: _Levels, end: int) -> float:
    """Return the support of two upright edges that reach the picture's upper ``end``, a row of the views.

    To the fourth power: two edges prove less than three, so they have to be all but perfect.
    """
    edges = _edges(across[:, end + 2 :], down[:, end + 2 :])
    support = _halves(edges, axis=1) / (_FULL * edges.shape[1])
    left, right = support[:, 4:_LEFT_END].max(axis=1), support[:, _RIGHT_END + 1 : -4].max(axis=1)
    return float(np.minimum(left, right).max()) ** 4


def _edges(across: _Levels, along: _Levels) -> _Levels:
    """Return how much each pixel is part of an edge, and in which direction it changes: up to ``_FULL``."""
    strength, bound = np.abs(across), np.abs(along)
    strength *= 2
    bound *= 3
    steep = strength > bound
    # In place: fresh arrays as large as these cost more than the sums.
    np.clip(across, -_FULL, _FULL, out=strength)
    strength *= steep
    return strength


def _halves(edges: _Levels, axis: int) -> _Levels:
    """Return how much of lines along ``axis`` is one edge, each half with a direction of its own."""
    middle = edges.shape[axis] // 2
    first, second = (half.sum(axis, np.int16) for half in np.split(edges, [middle], axis))
    return np.asarray(np.abs(first) + np.abs(second), np.int16)


def _sums(lines: _Levels) -> _Levels:
    """Return running sums along the last axis, from 0 on."""
    sums = np.zeros((*lines.shape[:-1], lines.shape[-1] + 1), np.int16)
    np.cumsum(lines, axis=-1, dtype=np.int16, out=sums[..., 1:])
    return sums


def _share(sums: _Levels, line: IntArray, first: Any, last: Any, parts: int = _PARTS) -> Any:
    """Return which share of ``first`` to ``last`` of each ``line`` is one edge; 0 where nothing is between.

    Each of the ``parts`` has a direction of its own. All are broadcast, with one axis for the leans.
    """
    most = sums.shape[-1] - 1
    begin = np.minimum(np.maximum(first, 0), most)
    size = np.maximum(np.minimum(last, most) - begin, 0)
    lean = np.arange(len(_LEANS))[:, None, None, None]
    cuts = [sums[lean, line, begin + size * part // parts] for part in range(parts + 1)]
    return sum(np.abs(after - before) for before, after in pairwise(cuts)) / (_FULL * np.maximum(size, 1))


def _past(sums: _Levels, line: IntArray, first: Any, last: Any) -> Any:
    return _PAST_COUNTS * _share(sums, line, first, last, parts=1)


def _best(support: _Levels) -> IntArray:
    """Return the places of the strongest lines of each lean, (leans, tried), none beside a stronger one.

    Where there are not so many, the strongest fills up. Among equal ones it is the sort that decides.
    """
    key = -support.astype(np.float32)
    ring = np.hstack([key[:, -1:], key, key[:, :1]])
    peak = (key <= ring[:, :-2]) & (key <= ring[:, 2:])
    places = np.empty((len(key), _TRIED), np.intp)
    for own, at, row in zip(places, peak, key, strict=True):
        peaks = at.nonzero()[0]
        found = peaks[row[peaks].argsort()[:_TRIED]]
        own[:], own[: len(found)] = found[0], found
    return places
