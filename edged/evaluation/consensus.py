"""A detector's opinion of one face from several views of the same photograph.

A detector's points move by a few percent of the eye distance when the picture is mirrored or shrunk: YuNet's
by 6. Held against one view, even a perfect detector would be wrong by that much. The mean of several views is
steadier than any of them.
"""

from collections.abc import Callable

import cv2
import numpy as np

from edged.domain.types import Box, Face, FloatArray, Image

# Scale and whether mirrored; the first is the photograph itself.
VIEWS = tuple((scale, mirrored) for scale in (1.0, 0.8, 0.65, 0.5) for mirrored in (False, True))
# The left eye of the mirror image is the right one.
_MIRRORED = [1, 0, 2, 4, 3]
_SAME_FACE_IOU = 0.5

Detect = Callable[[Image], list[Face]]


def consensus(detect: Detect, image: Image, face: Face, views: int = len(VIEWS)) -> tuple[Face, float | None]:
    """Return ``face`` with its points averaged over the first ``views`` of ``VIEWS``.

    Also how far the points of ``face`` are from the mean of the other views, in eye distances; None where no
    other view shows the face.
    """
    others = [
        seen
        for scale, mirrored in VIEWS[1:views]
        if (seen := _seen(detect, image, face, scale, mirrored)) is not None
    ]
    if not others:
        return face, None
    points = np.asarray(np.mean([face.landmarks, *others], axis=0), np.float32)
    away = np.linalg.norm(face.landmarks - np.mean(others, axis=0), axis=1).mean()
    return Face(face.box, points, face.score), float(away) / face.eye_distance


def _seen(detect: Detect, image: Image, face: Face, scale: float, mirrored: bool) -> FloatArray | None:
    """Return the points (5, 2) of ``face`` in one view, in pixels of ``image``; None where it is missed."""
    height, width = image.shape[:2]
    # Smaller in a frame of the same size, at its top left, as a letterbox has it.
    matrix = np.array([[scale, 0, 0], [0, scale, 0]], np.float32)
    view = cv2.warpAffine(cv2.GaussianBlur(image, (0, 0), 0.4 / scale), matrix, (width, height))
    picture = np.asarray(view if scale < 1 else image, np.uint8)
    if mirrored:
        picture = np.ascontiguousarray(picture[:, ::-1])
    for one in detect(picture):
        box, points = one.box, one.landmarks
        if mirrored:
            box = Box(width - box.x - box.width, box.y, box.width, box.height)
            turned = np.array([-1, 1], np.float32), np.array([width - 1, 0], np.float32)
            points = points[_MIRRORED] * turned[0] + turned[1]
        there = Box(box.x / scale, box.y / scale, box.width / scale, box.height / scale)
        if there.iou(face.box) >= _SAME_FACE_IOU:
            return np.asarray(points / np.float32(scale), np.float32)
    return None
