"""A face that moves in one piece with what is beside it: a picture that somebody moves.

A living head moves before its background, which is farther away or does not move at all. A photograph
carries its background along. Who holds it perfectly still gives no evidence either way, nor does a wall
without any texture.
"""

from collections import deque
from dataclasses import dataclass, field
from math import ceil

import cv2
import numpy as np

from edged.domain.types import Box, Face, FloatArray, Image

# Everything is looked at with faces this wide: small enough for speed, large enough for a quarter pixel.
_FACE_PX = 48
# Beside the head: from 0.65 to 1.25 face widths off its middle, at the height of eyes and forehead.
_PATCH_PX = 30
_BESIDE = 0.95
# Frames further apart than this show two different things, and nearer ones no motion.
_MAX_GAP_SECONDS = 0.5
_MOVED_PX = 0.8
# Peak of the phase correlation below which two patches are not the same thing moved.
_RESPONSE = 0.12
_REMEMBERED = 12
_ENOUGH = 3
_WINDOW = cv2.createHanningWindow((_PATCH_PX, _PATCH_PX), cv2.CV_32F)


# What is on the left and on the right of a face, None where the picture does not reach so far.
_Patches = tuple[FloatArray | None, FloatArray | None]


@dataclass(slots=True)
class _Track:
    beside: _Patches
    at: float
    box: Box
    ratios: deque[float] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))


class ParallaxWatch:
    """Compares each frame of a track with the one before. Not for several threads at once."""

    def __init__(self) -> None:
        self._tracks: dict[int, _Track] = {}
        # In grey what of a picture was looked at last, in its place; the rest is of earlier ones. To have
        # fresh zeros for each patch took longer than the patch.
        self._canvas: FloatArray = np.zeros((0, 0), np.float32)

    def update(self, track_id: int, at: float, image: Image, face: Face) -> float | None:
        """Return how far the sides of the face stay behind when it moves, 0..1; None without evidence.

        0: they move as the face does, as in a picture that is moved; 1: they stay where they are. The
        value is the median over the frames that moved, of the side that stays behind more.
        """
        if self._canvas.shape != image.shape[:2]:
            self._canvas = np.zeros(image.shape[:2], np.float32)
        before = self._tracks.get(track_id)
        if before is None or not 0 < at - before.at <= _MAX_GAP_SECONDS:
            self._tracks[track_id] = _Track(_beside(image, face.box, self._canvas), at, face.box)
            return None
        ratio = _left_behind(before, image, face.box, self._canvas)
        if ratio is not None:
            before.ratios.append(ratio)
        before.beside, before.at, before.box = _beside(image, face.box, self._canvas), at, face.box
        return float(np.median(before.ratios)) if len(before.ratios) >= _ENOUGH else None

    def forget(self, track_id: int) -> None:
        """Drop a track."""
        self._tracks.pop(track_id, None)


def _left_behind(before: _Track, image: Image, box: Box, canvas: FloatArray) -> float | None:
    """Return the share of the face's motion that its sides did not follow; None without evidence."""
    was = before.box
    moved = (np.array(box.centre) - was.centre) * (_FACE_PX / was.width)
    if not np.linalg.norm(moved) >= _MOVED_PX:
        return None
    shares = []
    for first, second in zip(before.beside, _beside(image, was, canvas), strict=True):
        shift = None if first is None or second is None else _shift(first, second)
        if shift is not None:
            shares.append(float(np.clip(np.linalg.norm(moved - shift) / np.linalg.norm(moved), 0, 1)))
    return max(shares, default=None)


def _beside(image: Image, box: Box, canvas: FloatArray) -> _Patches:
    """Return the two patches beside the face ``box``."""
    (x, y), aside = box.centre, _BESIDE * box.width
    left, right = ((at, y - 0.2 * box.height) for at in (x - aside, x + aside))
    return _patch(image, left, box.width, canvas), _patch(image, right, box.width, canvas)


def _patch(
    image: Image, centre: tuple[float, float], face_width: float, canvas: FloatArray
) -> FloatArray | None:
    """Return the patch around ``centre`` in grey, 30 x 30; None where it is not all in the picture.

    ``canvas``, as large as the picture, is what the grey is drawn into.
    """
    height, width = image.shape[:2]
    reach = _PATCH_PX * face_width / _FACE_PX / 2
    x, y = centre
    if not (0 < reach <= x < width - reach and reach <= y < height - reach):
        return None
    # Only what the warp reads is turned grey; where it lies stays, since the warp rounds otherwise.
    left, top = max(0, int(x - reach) - 1), max(0, int(y - reach) - 1)
    shown = cv2.cvtColor(image[top : ceil(y + reach) + 2, left : ceil(x + reach) + 2], cv2.COLOR_BGR2GRAY)
    canvas[top : top + shown.shape[0], left : left + shown.shape[1]] = shown
    factor, half = _FACE_PX / face_width, _PATCH_PX / 2
    matrix = np.array([[factor, 0, half - factor * x], [0, factor, half - factor * y]])
    size = (_PATCH_PX, _PATCH_PX)
    return np.asarray(cv2.warpAffine(canvas, matrix, size, flags=cv2.INTER_AREA), np.float32)


def _shift(first: FloatArray, second: FloatArray) -> FloatArray | None:
    """Return how a patch moved between two frames, (2,) in reduced pixels; None where it cannot be told."""
    (dx, dy), response = cv2.phaseCorrelate(first - first.mean(), second - second.mean(), _WINDOW)
    return np.array([dx, dy], np.float32) if response >= _RESPONSE else None
