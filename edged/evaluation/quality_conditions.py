"""Photographs made worse step by step, so that every part of the quality score has something to say.

Collections of photographs are all of one size and mostly sharp and light: what a score is worth at a dark
door cannot be seen in them alone.
"""

from collections.abc import Mapping

import cv2
import numpy as np

from edged.domain.types import Face, Image
from edged.evaluation.conditions import Condition, as_it_is, leant, masked, sized, sunglasses

_NOISE = 2.0  # of 255, as a sensor in a dim room has it


def blurred(sigma_px: float) -> Condition:
    """Return the condition of a lens out of focus, ``sigma_px`` of the picture's own pixels."""

    def condition(image: Image, face: Face, _rng: np.random.Generator) -> tuple[Image, Face]:
        return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma_px), np.uint8), face

    return condition


def smeared(length_px: int) -> Condition:
    """Return the condition of a head that moved ``length_px`` pixels in some direction while exposed."""

    def condition(image: Image, face: Face, rng: np.random.Generator) -> tuple[Image, Face]:
        angle, middle, side = rng.uniform(0, np.pi), length_px // 2 + 1, 2 * (length_px // 2) + 3
        kernel = np.zeros((side, side), np.float32)
        for step in np.linspace(-length_px / 2, length_px / 2, 8 * length_px):
            kernel[round(middle + step * np.sin(angle)), round(middle + step * np.cos(angle))] += 1
        return np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum()), np.uint8), face

    return condition


def lit(gain: float) -> Condition:
    """Return the condition of ``gain`` times the light, with a sensor's noise; too much of it is cut off."""

    def condition(image: Image, face: Face, rng: np.random.Generator) -> tuple[Image, Face]:
        noisy = image.astype(np.float32) * gain + rng.normal(0, _NOISE, image.shape)
        return np.asarray(np.clip(noisy, 0, 255), np.uint8), face

    return condition


WORSE: Mapping[str, Condition] = {
    "as it is": as_it_is,
    **{f"{px} px wide": sized(px) for px in (60, 50, 40, 30, 20)},
    **{f"blur {sigma:g} px": blurred(sigma) for sigma in (0.7, 1, 1.5, 2, 3, 4)},
    **{f"smear {px} px": smeared(px) for px in (4, 7, 11)},
    **{f"light x {gain:g}": lit(gain) for gain in (0.5, 0.35, 0.25, 0.18, 0.12, 0.08, 1.5, 2, 2.5)},
    **{f"leaning {degrees:g} deg": leant(degrees) for degrees in (15, 30, 45)},
    "sunglasses": sunglasses,
    "mask": masked,
}
