"""A photograph of a blended face: put onto a figure, before a background, in a light."""

from dataclasses import dataclass

import cv2
import numpy as np
from figure import (
    SIDE,
    FloatArray,
    Head,
    Style,
    ear_cover,
    face_cover,
    garment_cover,
    garment_picture,
    hair_covers,
    hair_picture,
    neck_cover,
    skin_picture,
)

from edged.domain.types import Image


@dataclass(frozen=True, slots=True)
class Look:
    """How one photograph is taken: colours are BGR 0..255.

    ``garment`` and ``wall`` are colours, ``light`` from -1 (from the left) to 1, ``exposure`` a factor,
    ``warmth`` from -1 (bluish) to 1, ``crop`` the share of the canvas that is kept, ``side`` pixels.
    """

    garment: tuple[int, int, int]
    wall: tuple[int, int, int]
    light: float
    exposure: float
    warmth: float
    crop: float
    side: int
    roll: float
    seed: int


def photographed(face: FloatArray, landmarks: FloatArray, style: Style, look: Look) -> Image:
    """Return a photograph of ``face`` (SIDE, SIDE, 3), (look.side, look.side, 3) uint8 BGR."""
    noise = np.random.default_rng(look.seed)
    head = Head.of(landmarks)
    strands = hair_picture(head, style, noise)
    behind, before = hair_covers(head, style, noise)
    skin = skin_picture(face, head)
    picture = _background(look, noise)
    picture = _over(picture, strands * 0.62, behind)
    neck = neck_cover(head)
    picture = _over(picture, skin, neck)
    garment = garment_cover(head)
    picture = _over(
        picture * _shadow(garment, 6)[..., None], garment_picture(head, look.garment, noise), garment
    )
    picture = _over(picture, skin * 1.06, ear_cover(head))
    whole = face_cover(head, style)
    picture = _over(picture * _shadow(whole, 5)[..., None], skin * 1.1, whole)
    # Where photographs end in ears and hair of their own they do not agree: skin fades in before.
    picture = _over(picture, face, face_cover(head, style, inset=0.09, soft_px=5))
    picture = _over(picture * _shadow(before, 4)[..., None], strands, before)
    return _taken_by_phone(_lit(picture, look), look, noise)


def _over(below: FloatArray, above: FloatArray, cover: FloatArray) -> FloatArray:
    return np.asarray(above * cover[..., None] + below * (1 - cover[..., None]), np.float32)


def _shadow(cover: FloatArray, soft_px: float) -> FloatArray:
    """Return the factor (SIDE, SIDE) by which what lies above darkens what lies beside it."""
    return np.asarray(1 - 0.4 * np.clip(cv2.GaussianBlur(cover, (0, 0), soft_px) - cover, 0, 1), np.float32)


def _background(look: Look, noise: np.random.Generator) -> FloatArray:
    """Return a room out of focus: a wall, a brighter window or a darker doorway in it."""
    picture = np.full((SIDE, SIDE, 3), look.wall, np.float32)
    for _ in range(7):
        left, top = noise.integers(-60, SIDE, 2)
        width, height = noise.integers(50, 170), noise.integers(90, 320)
        factor = float(noise.uniform(0.6, 1.35))
        tint = noise.uniform(0.9, 1.1, 3).astype(np.float32)
        picture[max(0, top) : max(0, top + height), max(0, left) : max(0, left + width)] *= factor * tint
    blurred = cv2.GaussianBlur(picture, (0, 0), float(noise.uniform(13, 24)))
    return np.asarray(np.clip(blurred, 12, 245), np.float32)


def _lit(picture: FloatArray, look: Look) -> FloatArray:
    """Give the picture a light from one side, an exposure and a white balance."""
    across = np.linspace(-1, 1, SIDE, dtype=np.float32)[None, :, None]
    balance = np.array([1 - 0.07 * look.warmth, 1.0, 1 + 0.07 * look.warmth], np.float32)
    return np.asarray(picture * (1 + 0.22 * look.light * across) * look.exposure * balance, np.float32)


def _taken_by_phone(picture: FloatArray, look: Look, noise: np.random.Generator) -> Image:
    """Crop, turn and reduce the canvas, and add a sensor's grain."""
    middle = (SIDE / 2, SIDE / 2)
    matrix = cv2.getRotationMatrix2D(middle, look.roll, look.side / (SIDE * look.crop))
    matrix[:, 2] += look.side / 2 - np.array(middle)
    small = cv2.warpAffine(
        picture, matrix, (look.side, look.side), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    soft = cv2.GaussianBlur(small, (0, 0), 1.2)
    crisp = small + 0.5 * (small - soft)
    grain = cv2.GaussianBlur(noise.normal(0, 3.2, small.shape).astype(np.float32), (0, 0), 0.6)
    return np.asarray(np.clip(crisp + grain, 0, 255), np.uint8)
