"""A photograph of somebody whose head turns: what a still picture cannot show, drawn from one.

The head is taken for an ellipsoid and the nose for a hill on it, both placed by the five landmarks. Each
pixel has a depth before the axis of the neck, and a turn moves it by what that depth projects to, as an
orthographic camera sees it. Only what the photograph shows can be seen: good for some twenty-five degrees,
where the far cheek begins to hide. What it cannot show is a real head, with skin that folds and light that
changes.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from edged.domain.types import FloatArray, Image

# In eye distances (63 mm): half the head's width, height and depth, as an ellipsoid has them (some 150 mm
# wide, 230 mm high, 190 mm deep), and how far before the eyes' plane the tip of a nose stands (35 mm, as in
# ``vision.quality``).
_HALF_WIDTH, _HALF_HEIGHT, _HALF_DEPTH = 1.2, 1.85, 1.5
_NOSE, _NOSE_WIDE, _NOSE_HIGH = 0.38, 0.22, 0.42
# The neck turns and nods about an axis through the head's middle, a little behind the eyes' plane.
_SETTLING_STEPS = 6


@dataclass(frozen=True, slots=True)
class Turn:
    """Degrees: ``yaw`` positive to the picture's right, ``pitch`` positive chin up; as in ``Quality``."""

    yaw: float = 0.0
    pitch: float = 0.0


def turned(picture: Image, landmarks: FloatArray, turn: Turn) -> Image:
    """Return ``picture`` (H, W, 3) uint8 BGR with the head of ``landmarks`` (5, 2) turned, shoulders left.

    The head in the picture should look at the camera.
    """
    across, down = _sources(picture.shape[:2], landmarks, turn)
    return np.asarray(
        cv2.remap(picture, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8
    )


def _sources(size: tuple[int, int], landmarks: FloatArray, turn: Turn) -> tuple[FloatArray, FloatArray]:
    """Return where each pixel of the turned picture comes from, two (H, W) float32.

    A point at depth z moves by z sin(yaw) to the right and z sin(pitch) upwards, and towards the middle by
    the cosine. That is the way forth; the way back is settled by iteration, since depth changes slowly.
    """
    height, width = size
    eye_px = max(1.0, float(np.linalg.norm(landmarks[1] - landmarks[0])))
    eyes, mouth = landmarks[:2].mean(axis=0), landmarks[3:].mean(axis=0)
    middle = eyes + 0.25 * (mouth - eyes)
    yaw, pitch = np.radians(turn.yaw), np.radians(turn.pitch)
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    across, down = columns.copy(), rows.copy()
    for _ in range(_SETTLING_STEPS):
        depth, share = _depth(across, down, middle, landmarks[2], eye_px)
        moved_x = depth * eye_px * np.sin(yaw) + (across - middle[0]) * (np.cos(yaw) - 1)
        moved_y = -depth * eye_px * np.sin(pitch) + (down - middle[1]) * (np.cos(pitch) - 1)
        across, down = columns - share * moved_x, rows - share * moved_y
    return np.asarray(across, np.float32), np.asarray(down, np.float32)


def _depth(
    across: FloatArray, down: FloatArray, middle: FloatArray, nose: FloatArray, eye_px: float
) -> tuple[FloatArray, FloatArray]:
    """Return each pixel's depth before the neck's axis in eye distances, and its share in the head's turn."""
    x, y = (across - middle[0]) / eye_px, (down - middle[1]) / eye_px
    inside = 1 - (x / _HALF_WIDTH) ** 2 - (y / _HALF_HEIGHT) ** 2
    depth = _HALF_DEPTH * np.sqrt(np.maximum(inside, 0))
    hill = ((across - nose[0]) / eye_px / _NOSE_WIDE) ** 2 + ((down - nose[1]) / eye_px / _NOSE_HIGH) ** 2
    # From the outline on it stays more and more behind, so that nothing tears.
    share = np.clip(1 + inside / 0.9, 0, 1)
    return np.asarray(depth + _NOSE * np.exp(-hill), np.float32), np.asarray(share, np.float32)
