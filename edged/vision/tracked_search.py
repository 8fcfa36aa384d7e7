"""Faces of one picture after the other: the whole of it, or where those are who are followed."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from edged.domain.region_search import Region, RegionPlan, nothing_missed
from edged.domain.types import Box, Face, Image


class Detector(Protocol):
    """Finds faces; ``vision.detector.FaceDetector`` is the real one."""

    def detect(self, image: Image) -> list[Face]:
        """Return the faces of ``image`` (H, W, 3) uint8 BGR in its own pixels, best score first."""
        ...


class TrackedSearch:
    """Searches pictures in the order of time. Not for several threads at once.

    ``whole`` searches all of a picture, ``part`` a region of it; None where the network takes one size alone,
    and every picture is searched as a whole.
    """

    def __init__(self, whole: Detector, part: Detector | None = None, plan: RegionPlan | None = None) -> None:
        self._whole = whole
        self._part = part
        self._plan = plan or RegionPlan(1, 1)

    def find(self, image: Image, followed: Sequence[Box], at: float) -> list[Face]:
        """Return the faces of ``image`` (H, W, 3) uint8 BGR, best score first.

        ``followed`` and ``at``: see ``RegionPlan.region``. Raises as ``FaceDetector.detect``.
        """
        if self._part is not None:
            size = image.shape[1], image.shape[0]
            region = self._plan.region(size, followed, at)
            if region is not None:
                faces = _faces_of(self._part, image, region)
                if nothing_missed(followed, faces, region, size):
                    self._plan.searched(at, region)
                    return faces
        faces = self._whole.detect(image)
        self._plan.searched(at, None)
        return faces


def _faces_of(detector: Detector, image: Image, region: Region) -> list[Face]:
    right, bottom = region.left + region.width, region.top + region.height
    # A view: what lies outside is not copied, and not looked at.
    faces = detector.detect(image[region.top : bottom, region.left : right])
    return [_moved(face, region.left, region.top) for face in faces]


def _moved(face: Face, across: int, down: int) -> Face:
    box = face.box
    marks = face.landmarks + np.array([across, down], np.float32)
    marks.flags.writeable = False
    return Face(Box(box.x + across, box.y + down, box.width, box.height), marks, face.score)
