"""A photograph as a door may show it: far away, dark, leaning, very near, half covered.

Each condition takes a picture, its face and a random generator, and returns the altered picture with
the face where it is now.
"""

from collections.abc import Callable, Mapping

import cv2
import numpy as np

from edged.domain.types import Box, Face, FloatArray, Image

# The input of the detectors: sizes in these frames are sizes in the network's eyes.
FRAME_SIDE = 320
_GREY = 110
# A street lamp's share of office light, and the noise of a sensor at full gain.
_DARK_GAIN, _DARK_NOISE = 0.15, 2.0

Condition = Callable[[Image, Face, np.random.Generator], tuple[Image, Face]]


def as_it_is(image: Image, face: Face, _rng: np.random.Generator) -> tuple[Image, Face]:
    """Leave the photograph as it is."""
    return image, face


def sized(width_px: float) -> Condition:
    """Return the condition of a face ``width_px`` wide in the middle of a frame of 320 x 320 pixels."""

    def condition(image: Image, face: Face, _rng: np.random.Generator) -> tuple[Image, Face]:
        factor = width_px / face.box.width
        if factor < 0.5:
            # A warp reads four pixels however many it skips.
            image = np.asarray(cv2.GaussianBlur(image, (0, 0), 0.4 / factor), np.uint8)
        linear = np.eye(2) * factor
        shift = FRAME_SIDE / 2 - linear @ face.box.centre
        return _warped(image, face, np.hstack([linear, shift[:, None]]), (FRAME_SIDE, FRAME_SIDE))

    return condition


def dark(image: Image, face: Face, rng: np.random.Generator) -> tuple[Image, Face]:
    """Make it night: a gain of 0.15, and noise."""
    noise = rng.normal(0, _DARK_NOISE, image.shape)
    return np.clip(image * _DARK_GAIN + noise, 0, 255).astype(np.uint8), face


def leant(degrees: float) -> Condition:
    """Return the condition of a head that leans so many degrees to either side."""

    def condition(image: Image, face: Face, rng: np.random.Generator) -> tuple[Image, Face]:
        angle = degrees if rng.random() < 0.5 else -degrees
        matrix = cv2.getRotationMatrix2D(face.box.centre, angle, 1.0)
        return _warped(image, face, matrix, (image.shape[1], image.shape[0]))

    return condition


rolled = leant(30)


def sunglasses(image: Image, face: Face, _rng: np.random.Generator) -> tuple[Image, Face]:
    """Put dark glasses on."""
    picture = image.copy()
    left, right = face.landmarks[0], face.landmarks[1]
    angle = float(np.degrees(np.arctan2(right[1] - left[1], right[0] - left[0])))
    axes = (round(0.4 * face.eye_distance), round(0.3 * face.eye_distance))
    for eye in (left, right):
        cv2.ellipse(picture, _pixel(eye), axes, angle, 0, 360, (25, 20, 20), -1, cv2.LINE_AA)
    thickness = max(1, round(0.1 * face.eye_distance))
    cv2.line(picture, _pixel(left), _pixel(right), (25, 20, 20), thickness, cv2.LINE_AA)
    return picture, face


def masked(image: Image, face: Face, _rng: np.random.Generator) -> tuple[Image, Face]:
    """Put a surgical mask over everything below the bridge of the nose."""
    picture = image.copy()
    eyes = face.landmarks[:2].mean(axis=0)
    across = 0.95 * (face.landmarks[1] - face.landmarks[0])
    down = face.landmarks[3:].mean(axis=0) - eyes
    top, chin = eyes + 0.35 * down, eyes + 1.75 * down
    outline = np.array([top - across, top + across, chin + 0.5 * across, chin - 0.5 * across], np.int32)
    cv2.fillPoly(picture, [outline], (205, 195, 160), cv2.LINE_AA)
    return picture, face


CONDITIONS: Mapping[str, Condition] = {
    "photograph": as_it_is,
    "40 px": sized(40),
    "28 px": sized(28),
    "20 px": sized(20),
    "260 px": sized(260),
    "dark": dark,
    "rolled": rolled,
    "sunglasses": sunglasses,
    "mask": masked,
}


def _warped(image: Image, face: Face, matrix: FloatArray, size: tuple[int, int]) -> tuple[Image, Face]:
    """Bring picture and face along; what was outside the picture is grey.

    The box becomes the one around the turned oval of the face.
    """
    border = (_GREY, _GREY, _GREY)
    picture = cv2.warpAffine(image, matrix, size, borderMode=cv2.BORDER_CONSTANT, borderValue=border)
    linear, shift = matrix[:, :2], matrix[:, 2]
    centre = linear @ face.box.centre + shift
    half = np.hypot(linear[:, 0] * face.box.width / 2, linear[:, 1] * face.box.height / 2)
    (x, y), (width, height) = centre - half, 2 * half
    points = (face.landmarks @ linear.T + shift).astype(np.float32)
    box = Box(float(x), float(y), float(width), float(height))
    return np.asarray(picture, np.uint8), Face(box, points, face.score)


def _pixel(point: FloatArray) -> tuple[int, int]:
    return round(float(point[0])), round(float(point[1]))
