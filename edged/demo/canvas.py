"""A sheet to draw on: shapes and text at twice the size, shrunk at the end, which smooths every edge."""

import unicodedata
from typing import Literal

import cv2
import numpy as np

from edged.domain.types import Image

Colour = tuple[int, int, int]  # blue, green, red
Anchor = Literal["left", "middle", "right"]

_FACTOR = 2
# OpenCV's scale 1 draws capitals 21 pixels high.
_CAPITAL_PX = 21.0
_FONT = cv2.FONT_HERSHEY_DUPLEX
# Sixteenths of a pixel, for shapes that do not begin on a whole one.
_SHIFT = 4


class Canvas:
    """``width`` x ``height`` pixels of ``colour``; all coordinates and sizes are pixels of the result."""

    def __init__(self, width: int, height: int, colour: Colour) -> None:
        self.width, self.height = width, height
        self._pixels: Image = np.full((height * _FACTOR, width * _FACTOR, 3), colour, np.uint8)

    def text(
        self,
        at: tuple[float, float],
        text: str,
        colour: Colour,
        *,
        size: float = 10.0,
        anchor: Anchor = "left",
        bold: bool = False,
    ) -> None:
        """Write with the baseline at ``at``; ``size`` is the height of a capital."""
        x = at[0] - {"left": 0.0, "middle": 0.5, "right": 1.0}[anchor] * text_width(text, size)
        place = (round(x * _FACTOR), round(at[1] * _FACTOR))
        thickness = 3 if bold else 2
        cv2.putText(
            self._pixels, plain(text), place, _FONT, _scale(size), colour, thickness, cv2.LINE_AA
        )  # fmt: skip

    def box(
        self, left: float, top: float, width: float, height: float, colour: Colour, *, radius: float = 0.0
    ) -> None:
        """Fill a rectangle with round corners."""
        r = min(radius, width / 2, height / 2)
        self._fill(left + r, top, width - 2 * r, height, colour)
        self._fill(left, top + r, width, height - 2 * r, colour)
        for x in (left + r, left + width - r):
            for y in (top + r, top + height - r):
                self.dot((x, y), r, colour)

    def line(
        self, start: tuple[float, float], end: tuple[float, float], colour: Colour, *, width: float = 1.0
    ) -> None:
        """Draw a straight line."""
        cv2.line(
            self._pixels,
            _fine(start),
            _fine(end),
            colour,
            max(1, round(width * _FACTOR)),
            cv2.LINE_AA,
            _SHIFT,
        )

    def dot(self, at: tuple[float, float], radius: float, colour: Colour) -> None:
        """Fill a circle."""
        if radius > 0:
            cv2.circle(
                self._pixels,
                _fine(at),
                round(radius * _FACTOR * (1 << _SHIFT)),
                colour,
                -1,
                cv2.LINE_AA,
                _SHIFT,
            )

    def arc(self, at: tuple[float, float], radius: float, colour: Colour, *, width: float = 1.0) -> None:
        """Draw the upper half of a circle."""
        axes = (round(radius * _FACTOR * (1 << _SHIFT)),) * 2
        cv2.ellipse(
            self._pixels,
            _fine(at),
            axes,
            0,
            180,
            360,
            colour,
            max(1, round(width * _FACTOR)),
            cv2.LINE_AA,
            _SHIFT,
        )

    def picture(self, image: Image, left: int, top: int, width: int, height: int) -> None:
        """Place ``image`` into a rectangle, cut at two sides where its shape is another one."""
        rows, columns = image.shape[:2]
        factor = max(width * _FACTOR / columns, height * _FACTOR / rows)
        resized = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
        y, x = (resized.shape[0] - height * _FACTOR) // 2, (resized.shape[1] - width * _FACTOR) // 2
        self._pixels[top * _FACTOR : (top + height) * _FACTOR, left * _FACTOR : (left + width) * _FACTOR] = (
            resized[y : y + height * _FACTOR, x : x + width * _FACTOR]
        )

    def finish(self) -> Image:
        """Return what was drawn, (height, width, 3) uint8 BGR."""
        small = cv2.resize(self._pixels, (self.width, self.height), interpolation=cv2.INTER_AREA)
        return np.asarray(small, np.uint8)

    def _fill(self, left: float, top: float, width: float, height: float, colour: Colour) -> None:
        start = round(left * _FACTOR), round(top * _FACTOR)
        end = round((left + width) * _FACTOR) - 1, round((top + height) * _FACTOR) - 1
        if end[0] >= start[0] and end[1] >= start[1]:
            cv2.rectangle(self._pixels, start, end, colour, -1)


def text_width(text: str, size: float) -> float:
    """Return how wide ``text`` is drawn."""
    (width, _), _ = cv2.getTextSize(plain(text), _FONT, _scale(size), 2)
    return float(width) / _FACTOR


def fitted(text: str, size: float, width: float) -> str:
    """Return ``text``, cut short so that it is drawn no wider than ``width``."""
    if text_width(text, size) <= width:
        return text
    while text and text_width(f"{text}...", size) > width:
        text = text[:-1].rstrip()
    return f"{text}..."


def plain(text: str) -> str:
    """Return ``text`` in the letters that OpenCV's font has: without accents, and ``?`` for the rest."""
    flat = unicodedata.normalize("NFKD", text)
    letters = "".join(letter for letter in flat if not unicodedata.combining(letter))
    return letters.encode("ascii", "replace").decode()


def _scale(size: float) -> float:
    return size * _FACTOR / _CAPITAL_PX


def _fine(at: tuple[float, float]) -> tuple[int, int]:
    return round(at[0] * _FACTOR * (1 << _SHIFT)), round(at[1] * _FACTOR * (1 << _SHIFT))
