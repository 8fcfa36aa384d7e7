"""Axes, lines and bars as SVG elements.

Colours and fonts come from the page's style sheet by class: the same plot reads on light and dark.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement

_LEFT, _RIGHT, _TOP, _BOTTOM = 84, 16, 12, 44
WIDTH, HEIGHT = 560, 340
_FEW_DECADES = 2.5

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Scale:
    """Values from ``low`` to ``high`` along an axis; ``log`` for powers of ten, both then above 0."""

    low: float
    high: float
    log: bool = False

    def share(self, value: float) -> float:
        """Return where ``value`` lies, 0 at ``low`` and 1 at ``high``, never outside."""
        low, high, at = self.low, self.high, value
        if self.log:
            low, high, at = math.log10(low), math.log10(high), math.log10(max(value, self.low))
        return min(1.0, max(0.0, (at - low) / (high - low)))

    def ticks(self) -> list[float]:
        """Return round values: the powers of ten, with 2 and 5 where they are few; or steps of 1, 2 or 5."""
        if self.log:
            first, last = math.floor(math.log10(self.low)), math.floor(math.log10(self.high) + 1e-9)
            between = (1, 2, 5) if math.log10(self.high / self.low) < _FEW_DECADES else (1,)
            every = [part * 10.0**power for power in range(first, last + 1) for part in between]
            return [value for value in every if self.low * (1 - 1e-9) <= value <= self.high * (1 + 1e-9)]
        step = _round_step((self.high - self.low) / 5)
        first = math.ceil(self.low / step - 1e-9)
        return [step * row for row in range(first, math.floor(self.high / step + 1e-9) + 1)]


class Plot:
    """One chart. Its parts are drawn in the order of the calls."""

    def __init__(self, x: Scale, y: Scale, *, title: str, x_label: str, y_label: str) -> None:
        """Begin with the axes; ``title`` is what a screen reader says."""
        self.element = Element(
            "svg", {"viewBox": f"0 0 {WIDTH} {HEIGHT}", "role": "img", "class": "plot", "aria-label": title}
        )
        self._x, self._y = x, y
        self._axis_labels(x_label, y_label)

    def grid(self, x_text: Callable[[float], str], y_text: Callable[[float], str]) -> None:
        """Draw the lines of the ticks with their texts."""
        for value in self._x.ticks():
            at = self._place_x(value)
            self._line((at, _TOP), (at, HEIGHT - _BOTTOM), "grid")
            self._text(at, HEIGHT - _BOTTOM + 16, x_text(value), "tick middle")
        for value in self._y.ticks():
            at = self._place_y(value)
            self._line((_LEFT, at), (WIDTH - _RIGHT, at), "grid")
            self._text(_LEFT - 8, at + 4, y_text(value), "tick end")

    def line(self, points: Points, series: int, *, dashed: bool = False, dots: bool = False) -> None:
        """Draw ``points`` (x, y) in the colour of ``series``, from 0."""
        kind = f"line s{series}{' dashed' if dashed else ''}"
        if len(points) > 1:
            placed = " ".join(f"{self._place_x(x):.1f},{self._place_y(y):.1f}" for x, y in points)
            SubElement(self.element, "polyline", {"points": placed, "class": kind})
        for x, y in points if dots else ():
            place = {"cx": f"{self._place_x(x):.1f}", "cy": f"{self._place_y(y):.1f}", "r": "3.5"}
            SubElement(self.element, "circle", {**place, "class": f"dot s{series}"})

    def area(self, points: Points, series: int) -> None:
        """Fill below ``points`` (x, y) down to the axis."""
        if not points:
            return
        corners = [(points[0][0], self._y.low), *points, (points[-1][0], self._y.low)]
        placed = " ".join(f"{self._place_x(x):.1f},{self._place_y(y):.1f}" for x, y in corners)
        SubElement(self.element, "polygon", {"points": placed, "class": f"area s{series}"})

    def mark(self, x: float, text: str, row: int = 0) -> None:
        """Draw a line from top to bottom at ``x`` with ``text`` at its head, or so many rows below it."""
        at = self._place_x(x)
        self._line((at, _TOP), (at, HEIGHT - _BOTTOM), "mark")
        end = at > WIDTH * 0.75
        self._text(at + (-4 if end else 4), _TOP + 12 + 15 * row, text, "tick end" if end else "tick")

    def _axis_labels(self, x_label: str, y_label: str) -> None:
        self._text((_LEFT + WIDTH - _RIGHT) / 2, HEIGHT - 8, x_label, "label middle")
        middle = (_TOP + HEIGHT - _BOTTOM) / 2
        turned = self._text(14, middle, y_label, "label middle")
        turned.set("transform", f"rotate(-90 14 {middle:.1f})")

    def _line(self, start: tuple[float, float], end: tuple[float, float], kind: str) -> None:
        ends = {"x1": start[0], "y1": start[1], "x2": end[0], "y2": end[1]}
        SubElement(self.element, "line", {name: f"{at:.1f}" for name, at in ends.items()} | {"class": kind})

    def _text(self, x: float, y: float, text: str, kind: str) -> Element:
        placed = SubElement(self.element, "text", {"x": f"{x:.1f}", "y": f"{y:.1f}", "class": kind})
        placed.text = text
        return placed

    def _place_x(self, value: float) -> float:
        return _LEFT + self._x.share(value) * (WIDTH - _LEFT - _RIGHT)

    def _place_y(self, value: float) -> float:
        return HEIGHT - _BOTTOM - self._y.share(value) * (HEIGHT - _TOP - _BOTTOM)


def legend(entries: Iterable[tuple[str, int, bool]]) -> Element:
    """Return a list of (text, series, dashed) with a sample of each line."""
    listed = Element("ul", {"class": "legend"})
    for text, series, dashed in entries:
        item = SubElement(listed, "li")
        sample = SubElement(item, "svg", {"viewBox": "0 0 28 10", "class": "sample", "aria-hidden": "true"})
        kind = f"line s{series}{' dashed' if dashed else ''}"
        SubElement(sample, "line", {"x1": "1", "y1": "5", "x2": "27", "y2": "5", "class": kind})
        SubElement(item, "span").text = text
    return listed


def _round_step(rough: float) -> float:
    power = 10.0 ** math.floor(math.log10(rough))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= rough * (1 - 1e-9))
