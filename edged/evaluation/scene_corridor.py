"""What a door's camera sees when nobody is there: a corridor, drawn in perspective."""

import cv2
import numpy as np

from edged.domain.types import FloatArray, Image

# Where the corridor ends, as shares of the picture: left, top, right, bottom of its far wall.
_FAR_WALL = (0.36, 0.24, 0.64, 0.60)
_CEILING, _FLOOR, _LEFT, _RIGHT, _END = (
    (206, 210, 212),
    (92, 98, 108),
    (168, 176, 178),
    (152, 160, 164),
    (184, 190, 190),
)


def corridor(size: tuple[int, int]) -> Image:
    """Return the empty corridor, (height, width, 3) uint8 BGR, for ``size`` (width, height)."""
    width, height = size
    frame = np.zeros((height, width, 3), np.float32)
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    left, top = _FAR_WALL[0] * width, _FAR_WALL[1] * height
    right, bottom = _FAR_WALL[2] * width, _FAR_WALL[3] * height
    far = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)
    for number, colour in enumerate((_CEILING, _RIGHT, _FLOOR, _LEFT)):
        after = (number + 1) % 4
        _fill(frame, np.array([corners[number], corners[after], far[after], far[number]], np.float32), colour)
    _fill(frame, far, _END)
    _doors(frame, corners, far)
    _lamps(frame, corners, far)
    soft = cv2.GaussianBlur(frame, (0, 0), 1.6)
    return np.asarray(np.clip(soft * _falloff(size), 0, 255), np.uint8)


def _fill(frame: FloatArray, corners: FloatArray, colour: tuple[int, int, int]) -> None:
    cv2.fillConvexPoly(frame, np.round(corners * 16).astype(np.int32), colour, cv2.LINE_AA, 4)


def _doors(frame: FloatArray, near: FloatArray, far: FloatArray) -> None:
    """Draw doors in the side walls and a dado along them."""
    for side, depths in ((0, (0.30, 0.62)), (1, (0.42, 0.78))):
        top_near, top_far = near[side], far[side]
        low_near, low_far = near[3 - side], far[3 - side]
        for first, last in (depths, (depths[1] + 0.14, depths[1] + 0.2)):
            lintel = [
                _between(_between(top_near, low_near, 0.22), _between(top_far, low_far, 0.22), at)
                for at in (first, last)
            ]
            sill = [_between(low_near, low_far, at) for at in (last, first)]
            _fill(frame, np.array([*lintel, *sill], np.float32), (104, 122, 138))
    skirting = [near[3], far[3], far[3] - (0, 8), near[3] - (0, 42)]
    _fill(frame, np.array(skirting, np.float32), (120, 128, 132))
    mirrored = [near[2], far[2], far[2] - (0, 8), near[2] - (0, 42)]
    _fill(frame, np.array(mirrored, np.float32), (112, 120, 124))


def _lamps(frame: FloatArray, near: FloatArray, far: FloatArray) -> None:
    """Draw three panels of light along the ceiling."""
    for first, last in ((0.08, 0.26), (0.48, 0.58), (0.74, 0.80)):
        corners = [
            _between(_between(near[0], near[1], across), _between(far[0], far[1], across), depth)
            for across, depth in ((0.38, first), (0.62, first), (0.62, last), (0.38, last))
        ]
        _fill(frame, np.array(corners, np.float32), (250, 252, 252))


def _between(start: FloatArray, end: FloatArray, share: float) -> FloatArray:
    return np.asarray(start + (end - start) * share, np.float32)


def _falloff(size: tuple[int, int]) -> FloatArray:
    """Return the factor (height, width, 1) by which a lens darkens the corners."""
    width, height = size
    rows, columns = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    return np.asarray((1 - 0.22 * (rows**2 + columns**2) / 2)[..., None], np.float32)
