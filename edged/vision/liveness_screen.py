"""The beat of a screen's pixels against the camera's: moire.

A screen is a grid. Seen by another grid it leaves stripes of one spatial frequency, which stand out from
the smooth spectrum of a face as single peaks. Screens that are far away, out of focus or very fine leave
none. A camera that compresses hard leaves peaks of its own, at every eighth of the sampling rate.
"""

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from edged.domain.types import Box, Image, IntArray

# Cycles a pixel below which a face has structure of its own: its outline, brows and lips.
_LOWEST = 0.08
_SMOOTH_PX = 3.0
_MOST_PX, _LEAST_PX = 160, 32
# Every ring of the spectrum holds so many pixels across at least: a peak is held against its own ring.
_RING_PX = 4
# What depends on a patch's side alone is kept for so many of them, 0.4 MB each at most: faces at a door are
# often larger than a patch can be, and those that are not change little from frame to frame.
_REMEMBERED = 8
# White noise of one grey level has a windowed spectrum of 0.375 times the side (sum of squared Hann weights).
_FLOOR = 0.5 * 0.375


def screen_peak(image: Image, box: Box) -> float:
    """Return by how many times the strongest fine stripe in the face exceeds the others as fine; at least 1.

    ``image`` is (H, W, 3) uint8 BGR, not resized: scaling would take the beat away. A face below 32 pixels
    gives 1, as one without stripes would.
    """
    patch = _middle(image, box)
    if patch is None:
        return 1.0
    grey = np.asarray(cv2.cvtColor(patch, cv2.COLOR_BGR2GRAY), np.float32)
    side = len(grey)
    window, ring, sizes, held = _rings(side)
    spectrum = np.abs(np.fft.rfft2((grey - cv2.GaussianBlur(grey, (0, 0), _SMOOTH_PX)) * window)).ravel()
    usual = np.bincount(ring, spectrum) / sizes
    # Half a grey level of noise: what JPEG leaves of a smooth patch must not look like a stripe.
    usual += _FLOOR * side
    # Beside infinity, what is not fine is no peak.
    return max(1.0, float((spectrum / np.append(usual, np.inf).take(held)).max()))


@lru_cache(maxsize=_REMEMBERED)
def _rings(side: int) -> tuple[NDArray[np.float64], IntArray, IntArray, IntArray]:
    """Return a patch's Hann window; the ring of each value of its spectrum; the rings' sizes; what is fine.

    The last are rings once more: what is not fine is of one after the last.
    (side, side) float64; (side * (side // 2 + 1),) intp; (rings,) intp; as the first rings. Read-only.
    """
    window = np.outer(np.hanning(side), np.hanning(side))
    radius = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None]).ravel()
    ring = (radius * side / _RING_PX).astype(np.intp)
    sizes = np.bincount(ring)
    found = window, ring, np.maximum(1, sizes), np.where(radius > _LOWEST, ring, len(sizes))
    for one in found:
        one.setflags(write=False)
    return found


def _middle(image: Image, box: Box) -> Image | None:
    """Return the largest even square in the middle of the face, None where it is too small."""
    height, width = image.shape[:2]
    x, y = box.centre
    room = min(x, y, width - x, height - y)
    side = int(min(box.width, box.height, 2 * room, _MOST_PX)) // 2 * 2
    if side < _LEAST_PX:
        return None
    left, top = int(x - side / 2), int(y - side / 2)
    return image[top : top + side, left : left + side]
