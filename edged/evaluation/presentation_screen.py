"""A photograph on a screen: bezel, light, and the grid of pixels as a camera samples it."""

from dataclasses import dataclass

import cv2
import numpy as np

from edged.domain.types import FloatArray, Image
from edged.evaluation.scene_print import middle

# Offsets of a pixel's blue, green and red stripes, in pixels.
_STRIPES = (2 / 3, 1 / 3, 0.0)


@dataclass(frozen=True, slots=True)
class Screen:
    """A device held upright or across.

    ``size`` (width, height) are the pixels it is drawn with, ``bezel`` the margins (side, top and bottom)
    in those, ``columns`` the pixels that the real one has from side to side; ``zoom`` is how much of the
    photograph is left out.
    """

    size: tuple[int, int]
    bezel: tuple[int, int]
    columns: int
    zoom: tuple[float, float]


# A phone of 1080 x 2340 pixels, a tablet of 1620 x 2160, a laptop of 1920 x 1200 that plays a recorded visit.
PHONE = Screen((240, 500), (8, 14), 1080, (0.62, 0.80))
TABLET = Screen((390, 500), (22, 26), 1620, (0.95, 1.35))
REPLAY = Screen((600, 390), (14, 18), 1920, (0.75, 0.95))


def lit_screen(photo: Image, screen: Screen, chance: np.random.Generator) -> FloatArray:
    """Return the device, (H, W, 3) float32, with ``photo`` on it.

    A screen has its own gamma and white, shines brighter than its surroundings, and mirrors the room: a
    veil over its black and a streak of light.
    """
    (width, height), (side, end) = screen.size, screen.bezel
    inside = (width - 2 * side, height - 2 * end)
    shown = _fitted(photo, inside, float(chance.uniform(*screen.zoom))).astype(np.float32) / 255
    gamma, gain = chance.uniform(0.85, 1.25), chance.uniform(0.95, 1.3)
    white = np.array([chance.uniform(1.0, 1.1), 1.0, chance.uniform(0.9, 1.0)])
    veil = chance.uniform(6, 28)
    light = np.clip(shown**gamma * gain * white, 0, 1) * (255 - veil) + veil
    body = np.full((height, width, 3), chance.choice([14.0, 24.0, 40.0]) + veil / 2, np.float32)
    body[end : end + inside[1], side : side + inside[0]] = light
    rows, columns = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    streak = np.exp(-(((columns + chance.uniform(0.2, 0.6) * rows - chance.uniform(0.2, 1.4)) / 0.12) ** 2))
    glare = chance.uniform(0, 30) * streak
    return np.asarray(np.clip(body + glare[..., None], 0, 255), np.float32)


def grid(picture: Image, screen: Screen, corners: FloatArray, depth: float) -> Image:
    """Beat the screen's pixels against the camera's, within ``corners`` (4, 2) of ``picture``.

    The grid is evaluated at each camera pixel's middle: where it is finer than those it aliases to the
    coloured fringes that are known as moire. ``depth`` is the share of light that is left to it by the
    lens and the camera's own pixels, which both blur it.
    """
    height, width = picture.shape[:2]
    rows_of = screen.columns * screen.size[1] / screen.size[0]
    target = np.array([[0, 0], [screen.columns, 0], [screen.columns, rows_of], [0, rows_of]], np.float32)
    inverse = cv2.getPerspectiveTransform(corners, target)
    y, x = np.mgrid[:height, :width].astype(np.float64)
    u, v, w = (row[0] * x + row[1] * y + row[2] for row in inverse)
    u, v = u / w, v / w
    (side, end), scale = screen.bezel, screen.columns / screen.size[0]
    lit = (
        (u > side * scale)
        & (u < screen.columns - side * scale)
        & (v > end * scale)
        & (v < rows_of - end * scale)
    )
    lines = np.cos(2 * np.pi * v)
    stripes = [np.cos(2 * np.pi * (u + offset)) for offset in _STRIPES]
    factor = 1 + depth * lit[..., None] * (np.stack(stripes, axis=-1) + 0.5 * lines[..., None])
    return np.asarray(np.clip(picture * factor, 0, 255), np.uint8)


def _fitted(photo: Image, size: tuple[int, int], zoom: float) -> Image:
    """Return ``photo`` on a screen of ``size``: filling it, or with black above and below if ``zoom`` < 1."""
    if zoom >= 1:
        return middle(photo, size, zoom)
    canvas = np.zeros((size[1], size[0], 3), np.uint8)
    cover = max(size[0] / photo.shape[1], size[1] / photo.shape[0]) * zoom
    large = cv2.resize(photo, None, fx=cover, fy=cover, interpolation=cv2.INTER_CUBIC)
    top, left = (large.shape[0] - size[1]) // 2, (large.shape[1] - size[0]) // 2
    cut = large[max(0, top) : max(0, top) + size[1], max(0, left) : max(0, left) + size[0]]
    y, x = (size[1] - cut.shape[0]) // 2, (size[0] - cut.shape[1]) // 2
    canvas[y : y + cut.shape[0], x : x + cut.shape[1]] = cut
    return canvas
