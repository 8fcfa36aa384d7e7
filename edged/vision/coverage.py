"""What covers a face: dark glasses, a mask, the edge of the picture.

Nothing here refuses a face: most covered ones still match. With yunet and arcface-y1 (1,044 photographs of
lfw-dev, covers drawn on) the mean cosine to the centroid of the person's other photographs is 0.72 bare,
0.54 at the picture's edge, 0.52 with dark glasses and 0.46 with a mask. A hand or a scarf is mostly missed.
"""

import math

import cv2
import numpy as np
import numpy.typing as npt

from edged.domain.types import Image

# (112, 112) int16
Detail = npt.NDArray[np.int16]

# Rows and columns of the aligned face (112, 112), by the landmarks' places in the ArcFace template.
_EYES = (np.s_[44:58, 26:50], np.s_[44:58, 62:86])
_SKIN = (np.s_[20:34, 32:80], np.s_[56:76, 48:64], np.s_[64:84, 22:40], np.s_[64:84, 72:90])
_MOUTH, _FACE = np.s_[84:100, 40:72], np.s_[16:108, 20:92]
_CORE = cv2.ellipse(np.zeros((112, 112), np.uint8), (56, 66), (34, 44), 0, 0, 360, 255, -1)
_CORE_PIXELS = cv2.countNonZero(_CORE)
_NOTHING = (0, 0, 0)
# From where a cover is certain nowhere to where it is certain: 99 of 100 bare faces lie at or before the
# first of each pair, half of the drawn glasses, masks and edges at or beyond the second.
_DARK_EYES = (-1.02, -1.37)
_SMOOTH_MOUTH = (-0.6, -3.1)
_OUTSIDE = (0.01, 0.21)
# The share of the cosine that is left where the cover is certain; of eyes and mouth 0.64 and 0.61 with the
# starter pack.
_EYES_COVERED, _MOUTH_COVERED, _CUT_OFF = 0.68, 0.59, 0.75


def variance(detail: Detail) -> float:
    """Return the variance of all numbers of ``detail``."""
    _, deviation = cv2.meanStdDev(detail)
    return float(deviation[0, 0]) ** 2


def cover(aligned: Image, grey: Image, detail: Detail) -> tuple[str, float]:
    """Name what covers an aligned face (112, 112, 3) uint8 BGR, and the share of its likeness that is left.

    ``grey`` (112, 112) uint8 is the same in grey, ``detail`` the Laplacian of that. One of
    ``covered_eyes``, ``covered_mouth``, ``cut_off``; 1 where the face is bare.
    """
    parts = (
        ("covered_eyes", _left(_eye_light(grey), _DARK_EYES, _EYES_COVERED)),
        ("covered_mouth", _left(_mouth_detail(detail), _SMOOTH_MOUTH, _MOUTH_COVERED)),
        ("cut_off", _left(_outside(aligned, grey), _OUTSIDE, _CUT_OFF)),
    )
    return min(parts, key=lambda part: part[1])


def _eye_light(grey: Image) -> float:
    """Log of how light the lighter eye is against forehead, nose and cheeks."""
    _, darker, lighter, _ = sorted(_median(grey[part]) for part in _SKIN)
    eyes = max(_median(grey[part]) for part in _EYES)
    # 8 of 255: noise of a dark picture is no contrast.
    return math.log((eyes + 8) / ((darker + lighter) / 2 + 8))


def _median(part: Image) -> float:
    """Return the median of an even number of pixels: a sort of int16 takes a fifth of NumPy's."""
    ordered = part.astype(np.int16).ravel()
    ordered.sort()
    middle = ordered.size // 2
    return (int(ordered[middle - 1]) + int(ordered[middle])) / 2


def _mouth_detail(detail: Detail) -> float:
    """Log of how much detail the mouth has against the whole face."""
    return math.log((1 + variance(detail[_MOUTH])) / (1 + variance(detail[_FACE])))


def _outside(aligned: Image, grey: Image) -> float:
    """Share of the face that lies outside the picture, where alignment leaves nothing at all."""
    if cv2.countNonZero(grey) == grey.size:
        return 0.0
    nothing = cv2.inRange(aligned, _NOTHING, _NOTHING)
    return cv2.countNonZero(cv2.bitwise_and(nothing, _CORE)) / _CORE_PIXELS


def _left(value: float, limits: tuple[float, float], least: float) -> float:
    bare, covered = limits
    share = min(1.0, max(0.0, (value - bare) / (covered - bare)))
    return 1 - (1 - least) * share
