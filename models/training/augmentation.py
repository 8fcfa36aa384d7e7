"""Views of aligned faces: mixed, moved, lit, worn down and covered, as a door camera may see them.

Teacher and student see the same view, so a view need not keep anybody's identity: it only has to be
something like a face. That is what makes new inputs endless (Beyer et al. 2022, "Knowledge
distillation: a good teacher is patient and consistent").
"""

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from edged.domain.types import Image

SIDE = 112  # pixels of a view
PLAIN_SHARE, MIXED_SHARE = 0.6, 0.4
FloatArray = npt.NDArray[np.float32]
Chance = np.random.Generator
Change = Callable[[FloatArray, Chance], FloatArray]


def view(first: Image, second: Image, chance: Chance) -> Image:
    """Return one (112, 112, 3) uint8 view of ``first``, now and then mixed with ``second``.

    Both are aligned faces with a margin, (144, 144, 3) uint8 BGR, of the same side.
    """
    face = first.astype(np.float32)
    # More than half of the views are what the camera of a well-lit door sees: only moved and toned.
    plain = chance.random() < PLAIN_SHARE
    if chance.random() < (MIXED_SHARE / 2 if plain else MIXED_SHARE):
        face = _mixed(face, second.astype(np.float32), chance)
    picture = _placed(face, chance)
    for probability, change in _PLAIN_CHANGES if plain else _CHANGES:
        if chance.random() < probability:
            picture = change(picture, chance)
    return np.asarray(np.clip(picture, 0, 255), np.uint8)


def _mixed(first: FloatArray, second: FloatArray, chance: Chance) -> FloatArray:
    """Blend two faces, evenly or one part from each with a soft seam."""
    if chance.random() < 0.5:
        share = np.float32(chance.uniform(0.15, 0.85))
        return first * share + second * (1 - share)
    side = first.shape[0]
    angle, offset = chance.uniform(0, 2 * np.pi), chance.uniform(-0.2, 0.2) * side
    y, x = np.mgrid[0:side, 0:side].astype(np.float32) - side / 2
    across = np.cos(angle) * x + np.sin(angle) * y - offset
    mask = (1 / (1 + np.exp(-across / chance.uniform(2, 12))))[:, :, None].astype(np.float32)
    mixed: FloatArray = first * mask + second * (1 - mask)
    return mixed


def _placed(face: FloatArray, chance: Chance) -> FloatArray:
    """Cut 112 pixels out: turned, scaled, shifted as landmarks err, more so for one view in four."""
    strength = 2.2 if chance.random() < 0.25 else 1.0
    angle = chance.normal(0, 4 * strength)
    scale = np.exp(chance.normal(0, 0.04 * strength))
    middle = face.shape[0] / 2
    matrix = cv2.getRotationMatrix2D((middle, middle), float(angle), float(scale))
    if chance.random() < 0.3:  # a face that turns looks narrower
        squeeze = chance.uniform(0.85, 1.1)
        matrix[0] *= squeeze
        matrix[0, 2] += middle * (1 - squeeze)
    matrix[:, 2] += SIDE / 2 - middle + chance.normal(0, 1.5 * strength, 2)
    border = cv2.BORDER_REPLICATE
    placed = cv2.warpAffine(face, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR, borderMode=border)
    return np.asarray(placed, np.float32)


def _tone(picture: FloatArray, chance: Chance) -> FloatArray:
    gain, offset = chance.uniform(0.6, 1.35), chance.normal(0, 14)
    colour = chance.normal(0, 7, 3).astype(np.float32)
    return np.asarray(picture * np.float32(gain) + np.float32(offset) + colour, np.float32)


def _gamma(picture: FloatArray, chance: Chance) -> FloatArray:
    exponent = np.float32(np.exp(chance.normal(0, 0.35)))
    return np.asarray((np.clip(picture, 0, 255) / 255) ** exponent * 255, np.float32)


def _grey(picture: FloatArray, chance: Chance) -> FloatArray:
    grey = picture @ np.array([0.114, 0.587, 0.299], np.float32)
    share = np.float32(chance.uniform(0.3, 1.0))
    return np.asarray(picture * (1 - share) + grey[:, :, None] * share, np.float32)


def _side_light(picture: FloatArray, chance: Chance) -> FloatArray:
    angle, depth = chance.uniform(0, 2 * np.pi), chance.uniform(0.2, 0.75)
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32) / (SIDE / 2) - 1
    ramp = 1 + depth * (np.cos(angle) * x + np.sin(angle) * y)
    return np.asarray(picture * np.clip(ramp, 0.1, 2.0)[:, :, None], np.float32)


def _coarse(picture: FloatArray, chance: Chance) -> FloatArray:
    side = int(chance.uniform(24, 90))
    small = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR), np.float32)


def _blurred(picture: FloatArray, chance: Chance) -> FloatArray:
    if chance.random() < 0.5:
        return np.asarray(cv2.GaussianBlur(picture, (0, 0), float(chance.uniform(0.5, 2.2))), np.float32)
    length = int(chance.integers(3, 10))
    kernel = np.zeros((length, length), np.float32)
    kernel[length // 2] = 1.0 / length
    turn = cv2.getRotationMatrix2D((length / 2 - 0.5, length / 2 - 0.5), float(chance.uniform(0, 180)), 1.0)
    return np.asarray(cv2.filter2D(picture, -1, cv2.warpAffine(kernel, turn, (length, length))), np.float32)


def _noisy(picture: FloatArray, chance: Chance) -> FloatArray:
    noise = chance.standard_normal((SIDE, SIDE, 3), np.float32) * np.float32(chance.uniform(2, 18))
    if chance.random() < 0.5:
        noise = np.repeat(noise[:, :, :1], 3, axis=2)
    return np.asarray(picture + noise, np.float32)


def _compressed(picture: FloatArray, chance: Chance) -> FloatArray:
    quality = int(chance.integers(15, 75))
    whole = np.clip(picture, 0, 255).astype(np.uint8)
    _, data = cv2.imencode(".jpg", whole, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.float32)


def _covered(picture: FloatArray, chance: Chance) -> FloatArray:
    """Cover a part: a hand's or a lamp post's worth anywhere, a mask below, glasses above."""
    kind, covered = chance.random(), np.ascontiguousarray(picture)
    colour = tuple(float(value) for value in chance.uniform(0, 255, 3))
    if kind < 0.35:
        top = int(chance.uniform(60, 80))
        points = np.array([[14, top], [56, top - 10], [98, top], [92, 111], [20, 111]], np.float32)
        points += chance.normal(0, 3, points.shape)
        cv2.fillPoly(covered, [points.astype(np.int32)], colour)
    elif kind < 0.55:
        dark = tuple(float(value) for value in chance.uniform(0, 60, 3))
        size = (int(chance.uniform(11, 18)), int(chance.uniform(7, 12)))
        for x in (38, 74):
            cv2.ellipse(covered, (x, 52), size, 0, 0, 360, dark, -1)
        cv2.line(covered, (38, 50), (74, 50), dark, 2)
    else:
        centre = tuple(int(value) for value in chance.uniform(0, SIDE, 2))
        axes = tuple(int(value) for value in chance.uniform(8, 34, 2))
        cv2.ellipse(covered, centre, axes, float(chance.uniform(0, 180)), 0, 360, colour, -1)
    return covered


_PLAIN_CHANGES: tuple[tuple[float, Change], ...] = ((0.5, _tone), (0.2, _gamma), (0.1, _grey))
_CHANGES: tuple[tuple[float, Change], ...] = (
    (0.15, _covered),
    (0.25, _side_light),
    (0.70, _tone),
    (0.40, _gamma),
    (0.15, _grey),
    (0.20, _blurred),
    (0.25, _coarse),
    (0.25, _noisy),
    (0.25, _compressed),
)
