"""A face that moves in one piece with what is beside it: a picture that somebody moves.

A living head moves before its background, which is farther away or does not move at all. A photograph
carries its background along. Who holds it perfectly still gives no evidence either way, nor does a wall
without any texture.
"""

from collections import deque
from dataclasses import dataclass, field

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


@dataclass(slots=True)
class _Track:
    grey: FloatArray
    at: float
    box: Box
    ratios: deque[float] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))


class ParallaxWatch:
    """Compares each frame of a track with the one before. Not for several threads at once."""

    def __init__(self) -> None:
        self._tracks: dict[int, _Track] = {}

    def update(self, track_id: int, at: float, image: Image, face: Face) -> float | None:
        """Return how far the sides of the face stay behind when it moves, 0..1; None without evidence.

        0: they move as the face does, as in a picture that is moved; 1: they stay where they are. The
        value is the median over the frames that moved, of the side that stays behind more.
        """
        before = self._tracks.get(track_id)
        if before is None or not 0 < at - before.at <= _MAX_GAP_SECONDS:
            self._tracks[track_id] = _Track(_grey(image), at, face.box)
            return None
        grey = _grey(image)
        ratio = _left_behind(before.grey, grey, before.box, face.box)
        if ratio is not None:
            before.ratios.append(ratio)
        before.grey, before.at, before.box = grey, at, face.box
        return float(np.median(before.ratios)) if len(before.ratios) >= _ENOUGH else None

    def forget(self, track_id: int) -> None:
        """Drop a track."""
        self._tracks.pop(track_id, None)


def _grey(image: Image) -> FloatArray:
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.float32)


def _left_behind(before: FloatArray, now: FloatArray, was: Box, box: Box) -> float | None:
    """Return the share of the face's motion that its sides did not follow; None without evidence."""
    factor = _FACE_PX / was.width
    moved = (np.array(box.centre) - was.centre) * factor
    if not np.linalg.norm(moved) >= _MOVED_PX:
        return None
    x, y = was.centre
    shares = []
    for side in (-1, 1):
        centre = (x + side * _BESIDE * was.width, y - 0.2 * was.height)
        shift = _shift(before, now, centre, factor)
        if shift is not None:
            shares.append(float(np.clip(np.linalg.norm(moved - shift) / np.linalg.norm(moved), 0, 1)))
    return max(shares, default=None)


def _shift(
    before: FloatArray, now: FloatArray, centre: tuple[float, float], factor: float
) -> FloatArray | None:
    """Return how a patch moved between two frames, (2,) in reduced pixels; None where it cannot be told."""
    height, width = before.shape
    reach = _PATCH_PX / factor / 2
    if not (reach <= centre[0] < width - reach and reach <= centre[1] < height - reach):
        return None
    matrix = np.array(
        [[factor, 0, _PATCH_PX / 2 - factor * centre[0]], [0, factor, _PATCH_PX / 2 - factor * centre[1]]]
    )
    first, second = (
        cv2.warpAffine(one, matrix, (_PATCH_PX, _PATCH_PX), flags=cv2.INTER_AREA) for one in (before, now)
    )
    window = cv2.createHanningWindow((_PATCH_PX, _PATCH_PX), cv2.CV_32F)
    (dx, dy), response = cv2.phaseCorrelate(first - first.mean(), second - second.mean(), window)
    return np.array([dx, dy], np.float32) if response >= _RESPONSE else None
