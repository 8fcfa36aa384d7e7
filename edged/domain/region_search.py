"""Which part of a picture is searched for faces while somebody is in view.

A face that was there a tenth of a second ago is there still, or right beside. Between two searches of the
whole picture only the surroundings of the faces that are followed are looked at, as a smaller picture: a
third of the time. That decides nothing about anybody, and what is in doubt is answered by searching the
whole picture, at once: a face that is not where it was, one that reaches out of what was searched, a track
without a face in the picture before. Whoever comes into view elsewhere is found with the next whole picture,
``whole_every`` pictures or ``WHOLE_SECONDS`` later at most.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from edged.domain.types import Box, Face

# However few pictures come: what a door at ten pictures a second waits with every third of them whole.
WHOLE_SECONDS = 0.3
# Of the longer side of a face, on each side of it. From one picture to the next a face moves by less, at a
# door, than a third of its size; what moves farther starts a new track anyway (``tracking``).
_MARGIN = 0.5
# As ``sampling`` has it: below this overlap a track may have changed hands.
_SAME_PLACE_IOU = 0.5
# What faces measure at least, in pixels of the network's input. Down to half of that nothing is lost:
# YuNet and SCRFD find all faces of 28 pixels.
_LEAST_FACE_PX = 40.0
# A face this near to the edge of the region may go on beyond it.
_EDGE_PX = 1.0


@dataclass(frozen=True, slots=True)
class Region:
    """Part of a picture, in whole pixels of it."""

    left: int
    top: int
    width: int
    height: int


class RegionPlan:
    """Says of each picture whether it is searched as a whole, or where.

    ``whole_every`` 1 searches every picture as a whole; ``side`` is the width and height of the input of the
    network that searches a region.
    """

    def __init__(self, whole_every: int, side: int) -> None:
        self._whole_every = whole_every
        self._side = side
        self._since_whole = 0
        self._whole_at = float("-inf")

    def region(self, size: tuple[int, int], followed: Sequence[Box], at: float) -> Region | None:
        """Return what to search of a picture of ``size`` (width, height); None for all of it.

        ``followed`` are the faces of all tracks, empty where one of them is lost; ``at`` monotonic seconds.
        """
        recently = 0 <= at - self._whole_at < WHOLE_SECONDS
        if not followed or not recently or self._since_whole + 1 >= self._whole_every:
            return None
        region = _around(followed, size, self._side)
        scale = self._side / max(region.width, region.height)
        smallest = min(min(box.width, box.height) for box in followed)
        return region if smallest * scale >= _LEAST_FACE_PX else None

    def searched(self, at: float, region: Region | None) -> None:
        """Take down that a picture was searched, and that its faces were taken for what is there."""
        if region is None:
            self._since_whole, self._whole_at = 0, at
        else:
            self._since_whole += 1


def nothing_missed(
    followed: Sequence[Box], faces: Sequence[Face], region: Region, size: tuple[int, int]
) -> bool:
    """Tell whether ``faces`` of a region are each of those ``followed``, and lie well within it.

    ``size`` is that of the whole picture: nothing goes on beyond its edges.
    """
    left = list(faces)
    for box in followed:
        nearest = max(left, key=lambda face: box.iou(face.box), default=None)
        if nearest is None or box.iou(nearest.box) < _SAME_PLACE_IOU:
            return False
        left.remove(nearest)
    return all(_within(face.box, region, size) for face in faces)


def _around(boxes: Sequence[Box], size: tuple[int, int], least: int) -> Region:
    margin = _MARGIN * max(max(box.width, box.height) for box in boxes)
    left = min(box.x for box in boxes) - margin
    top = min(box.y for box in boxes) - margin
    right = max(box.x + box.width for box in boxes) + margin
    bottom = max(box.y + box.height for box in boxes) + margin
    # Square, as the network's input is: what is searched beyond the faces costs nothing.
    side = max(right - left, bottom - top, least)
    left_px, width = _span((left + right) / 2, side, size[0])
    top_px, height = _span((top + bottom) / 2, side, size[1])
    return Region(left_px, top_px, width, height)


def _span(middle: float, length: float, limit: int) -> tuple[int, int]:
    """Return start and length, in whole pixels, of what lies about ``middle``; moved inwards at the ends."""
    pixels = min(limit, math.ceil(length))
    return min(max(0, round(middle - pixels / 2)), limit - pixels), pixels


def _within(box: Box, region: Region, size: tuple[int, int]) -> bool:
    """Tell whether ``box`` keeps off those edges of the region that are not the picture's."""
    right, bottom = region.left + region.width, region.top + region.height
    return (
        (region.left == 0 or box.x >= region.left + _EDGE_PX)
        and (region.top == 0 or box.y >= region.top + _EDGE_PX)
        and (right == size[0] or box.x + box.width <= right - _EDGE_PX)
        and (bottom == size[1] or box.y + box.height <= bottom - _EDGE_PX)
    )
