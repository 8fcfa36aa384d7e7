"""Pictures whose faces are coloured squares, and a pipeline that reads them.

The colour of a square says whose face it is (blue), which photograph of theirs (green), and what is
wrong with it or how far it is turned (red). Vectors follow from the colour alone: two photographs of
one person have a cosine of 0.9, strangers 0, ``LOOK_ALIKE + n`` has 0.6 to person n.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from edged.domain.calibration import CalibrationPoint
from edged.domain.types import Box, Face, FloatArray, Image, Quality

SPACE = "squares/1"
DIMENSION = 64
LOOK_ALIKE = 100
SHORTFALLS = {1: "too_small", 2: "blurred", 3: "too_dark", 4: "too_bright", 5: "extreme_pose"}
STRAIGHT = 128
CALIBRATION = (
    CalibrationPoint(1e-3, 0.318, 1_000_000),
    CalibrationPoint(1e-4, 0.392, 1_000_000),
    CalibrationPoint(1e-5, 0.458, 1_000_000),
)
_PEOPLE = 24
_TOP = 10


@dataclass(frozen=True)
class Square:
    who: int
    photo: int = 0
    red: int = STRAIGHT
    side: int = 60


def picture(*squares: Square, height: int = 80) -> Image:
    """A black picture with the squares side by side."""
    width = 20 + sum(square.side + 20 for square in squares)
    image = np.zeros((height, width, 3), np.uint8)
    x = 20
    for square in squares:
        image[_TOP : _TOP + square.side, x : x + square.side] = (square.who, square.photo, square.red)
        x += square.side + 20
    return image


def png(image: Image) -> bytes:
    done, content = cv2.imencode(".png", image)
    assert done
    return content.tobytes()


def photo(path: Path, *squares: Square) -> Path:
    """Write a picture of the squares to ``path``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(png(picture(*squares)))
    return path


def vector_of(who: int, number: int) -> FloatArray:
    """The unit vector of a person's photograph."""
    vector = np.zeros(DIMENSION, np.float32)
    if who >= LOOK_ALIKE:
        vector[who - LOOK_ALIKE] = 0.6
        vector[_PEOPLE - 1] = 0.8
    else:
        vector[who] = 1.0
    vector *= np.sqrt(0.9)
    vector[_PEOPLE + (who * 11 + number) % (DIMENSION - _PEOPLE)] = np.sqrt(0.1)
    return vector


class SquarePipeline:
    """Sees squares; obeys the contract of the real pipeline."""

    space = SPACE
    dimension = DIMENSION
    calibration = CALIBRATION

    def detect(self, image: Image) -> list[Face]:
        edges = np.flatnonzero(np.diff(image[_TOP].any(axis=1).astype(int)))
        found = []
        for left, right in edges.reshape(-1, 2):
            x, y, side = float(left + 1), float(_TOP), float(right - left)
            corners = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]], np.float32)
            found.append(Face(Box(x, y, side, side), corners * side + (x, y), 0.9))
        return found

    def align(self, image: Image, face: Face) -> Image:
        x, y = (int(value) for value in face.box.centre)
        return np.full((112, 112, 3), image[y, x], np.uint8)

    def assess(self, face: Face, aligned: Image) -> Quality:
        red = int(aligned[0, 0, 2])
        score = 0.1 if red in SHORTFALLS else 0.9
        yaw = 0.0 if red in SHORTFALLS else float(red - STRAIGHT)
        flaw = SHORTFALLS.get(red, "extreme_pose" if yaw else "")
        return Quality(score, face.box.width, face.eye_distance, float(red), 120.0, yaw, 0.0, 0.0, flaw)

    def shortfall(self, quality: Quality) -> str | None:
        return SHORTFALLS.get(int(quality.sharpness))

    def embed(self, aligned: Sequence[Image]) -> FloatArray:
        rows = [vector_of(int(face[0, 0, 0]), int(face[0, 0, 1])) for face in aligned]
        return np.stack(rows) if rows else np.zeros((0, DIMENSION), np.float32)
