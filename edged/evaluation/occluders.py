"""Photographs of people whose face is partly covered, drawn: masks, dark glasses, hands, scarves, the edge.

They are drawn into the whole picture before a detector looks, by the points that a detector found in it.
Drawn covers find mistakes and compare measures; how often a real door sees them, only that door can tell.
"""

from collections.abc import Callable
from enum import StrEnum

import cv2
import numpy as np
import numpy.typing as npt

from edged.domain.types import Face, FloatArray, Image

Chance = np.random.Generator
Cover = npt.NDArray[np.uint8]

# Blue, white, pink and black, as they are sold; BGR.
_MASKS = ((215, 190, 150), (232, 230, 228), (205, 180, 235), (38, 36, 35))
_SMOOTH = 6.0  # of the light that still falls on a mask, in eye distances / 40


class Occluder(StrEnum):
    """What covers the face; ``EDGE`` is that of the picture."""

    MASK = "mask"
    GLASSES = "glasses"
    HAND = "hand"
    SCARF = "scarf"
    EDGE = "edge"


def occluded(image: Image, face: Face, kind: Occluder, chance: Chance) -> Image:
    """Return a copy of ``image`` (H, W, 3) with ``face`` covered; for ``EDGE`` a smaller picture."""
    return _DRAW[kind](image, face, chance)


def _mask(image: Image, face: Face, chance: Chance) -> Image:
    across, down, middle = _axes(face)
    top = middle + down * chance.uniform(0.45, 0.75)
    low = middle + down * chance.uniform(1.55, 1.8)
    sides = [
        top - across * chance.uniform(0.95, 1.1),
        top + across * chance.uniform(0.95, 1.1),
        low + across * 0.55,
        low - across * 0.55,
    ]
    outline = [sides[0], top - down * 0.12, sides[1], sides[2], low + down * 0.1, sides[3]]
    cover = _polygon(image, outline)
    colour = np.array(_MASKS[chance.integers(len(_MASKS))], np.float32)
    return _laid(image, cover, _lit(image, face, colour) * _folds(image, down, chance))


def _scarf(image: Image, face: Face, chance: Chance) -> Image:
    across, down, middle = _axes(face)
    top, low = middle + down * chance.uniform(0.6, 0.9), middle + down * 3.0
    cover = _polygon(image, [top - across * 1.5, top + across * 1.5, low + across * 1.9, low - across * 1.9])
    height, width = image.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    pitch = face.eye_distance * chance.uniform(0.1, 0.5)
    slope = chance.uniform(-1, 1)
    stripes = np.sin((y + slope * x) * 2 * np.pi / pitch)[:, :, None] > chance.uniform(-0.5, 0.5)
    one, other = chance.uniform(20, 230, (2, 3)).astype(np.float32)
    return _laid(image, cover, np.where(stripes, one, other) * _folds(image, down, chance))


def _glasses(image: Image, face: Face, chance: Chance) -> Image:
    apart = face.eye_distance
    left, right = face.landmarks[:2]
    angle = float(np.degrees(np.arctan2(*(right - left)[::-1])))
    axes = (int(apart * chance.uniform(0.34, 0.44)), int(apart * chance.uniform(0.24, 0.34)))
    cover = np.zeros(image.shape[:2], np.uint8)
    for eye in (left, right):
        cv2.ellipse(cover, _at(eye), axes, angle, 0, 360, 255, -1, cv2.LINE_AA)
    cv2.line(cover, _at(left), _at(right), 255, max(1, int(apart * 0.08)), cv2.LINE_AA)
    tint = np.full_like(image, 0, np.float32) + chance.uniform(8, 45)
    # A lens lets a little through, and mirrors a little of what is in front.
    return _laid(image, cover, tint, chance.uniform(0.88, 1.0))


def _hand(image: Image, face: Face, chance: Chance) -> Image:
    """Draw four fingers and a palm, in the face's own colour but lit otherwise, over mouth, cheek or eye."""
    across, down, middle = _axes(face)
    place = middle + across * chance.uniform(-0.7, 0.7) + down * chance.uniform(0.1, 1.2)
    turn = chance.uniform(0, 2 * np.pi)
    along = np.array([np.cos(turn), np.sin(turn)]) * face.eye_distance
    beside = np.array([-along[1], along[0]])
    cover = np.zeros(image.shape[:2], np.uint8)
    thick = max(2, int(face.eye_distance * 0.26))
    for finger in range(4):
        root = place + beside * 0.27 * (finger - 1.5)
        tip = root + along * chance.uniform(0.8, 1.1)
        cv2.line(cover, _at(root - along * 0.9), _at(tip), 255, thick, cv2.LINE_AA)
    skin = np.median(image[_inside(image, face)].reshape(-1, 3), axis=0).astype(np.float32)
    colour = skin * np.float32(chance.uniform(0.75, 1.2)) + chance.normal(0, 6, 3).astype(np.float32)
    edges = cv2.GaussianBlur(cover, (0, 0), thick * 0.2).astype(np.float32)[:, :, None] / 255
    return _laid(image, cover, colour * (0.6 + 0.4 * edges) + np.zeros_like(image, np.float32))


def _edge(image: Image, face: Face, chance: Chance) -> Image:
    """Cut the picture so that a quarter to half of the face lies outside of it."""
    box, share = face.box, chance.uniform(0.25, 0.5)
    height, width = image.shape[:2]
    side = chance.integers(4)
    left, top = max(0, int(box.x + box.width * share)), max(0, int(box.y + box.height * share * 0.8))
    right = min(width, int(box.x + box.width * (1 - share)))
    bottom = min(height, int(box.y + box.height * (1 - share * 0.8)))
    if side == 0:
        return image[:, left:].copy()
    if side == 1:
        return image[:, :right].copy()
    return (image[top:] if side == 2 else image[:bottom]).copy()


_DRAW: dict[Occluder, Callable[[Image, Face, Chance], Image]] = {
    Occluder.MASK: _mask,
    Occluder.GLASSES: _glasses,
    Occluder.HAND: _hand,
    Occluder.SCARF: _scarf,
    Occluder.EDGE: _edge,
}


def _axes(face: Face) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the way between the eyes, the way down to the mouth, and the middle of the eyes."""
    eyes = face.landmarks[:2]
    middle = eyes.mean(axis=0)
    return eyes[1] - eyes[0], face.landmarks[3:].mean(axis=0) - middle, middle


def _inside(image: Image, face: Face) -> tuple[slice, slice]:
    """Return the middle of the box, rows and columns, at least one pixel of the picture."""
    (x, y), height, width = face.box.centre, image.shape[0], image.shape[1]
    half = max(1, int(face.box.width * 0.25))
    row, column = int(np.clip(y, 0, height - 1)), int(np.clip(x, 0, width - 1))
    return (
        slice(max(0, row - half), min(height, row + half)),
        slice(max(0, column - half), min(width, column + half)),
    )


def _lit(image: Image, face: Face, colour: FloatArray) -> FloatArray:
    """Return ``colour`` under the light that falls on the face."""
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype(np.float32)
    light = cv2.GaussianBlur(grey, (0, 0), max(1.0, face.eye_distance / 40 * _SMOOTH))
    usual = float(np.median(light[_inside(image, face)])) or 1.0
    return np.asarray(colour * np.clip(light / usual, 0.5, 1.5)[:, :, None], np.float32)


def _folds(image: Image, down: FloatArray, chance: Chance) -> FloatArray:
    """Return (H, W, 1) shades of some creases across a cloth."""
    height, width = image.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    length = float(np.linalg.norm(down)) or 1.0
    along = (x * down[0] + y * down[1]) / length
    waves = np.sin(along * 2 * np.pi / (length * chance.uniform(0.25, 0.5)) + chance.uniform(0, 6))
    return np.asarray(1 + chance.uniform(0.02, 0.1) * waves[:, :, None], np.float32)


def _polygon(image: Image, corners: list[FloatArray]) -> Cover:
    cover = np.zeros(image.shape[:2], np.uint8)
    cv2.fillPoly(cover, [np.round(corners).astype(np.int32)], 255, cv2.LINE_AA)
    return cover


def _laid(image: Image, cover: Cover, filling: FloatArray, opacity: float = 1.0) -> Image:
    """Return ``image`` with ``filling`` over it where ``cover`` is; its edge as soft as the picture's own."""
    soft = cv2.GaussianBlur(cover, (0, 0), 0.8).astype(np.float32)[:, :, None] / 255 * opacity
    return np.asarray(np.clip(image * (1 - soft) + filling * soft, 0, 255), np.uint8)


def _at(point: FloatArray) -> tuple[int, int]:
    x, y = np.round(point)
    return int(x), int(y)
