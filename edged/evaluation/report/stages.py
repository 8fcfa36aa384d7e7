"""The stages of a frame as bars: the median, its networks first; a thin line to what 19 of 20 stay below."""

from collections.abc import Mapping
from typing import Protocol
from xml.etree.ElementTree import Element, SubElement, tostring

from edged.evaluation.report.plot import Scale
from edged.evaluation.report.style import STYLE

_WIDTH, _LEFT, _RIGHT, _TOP, _ROW, _BAR = 760, 150, 120, 64, 26, 14
_AXIS = 44
# Their colours in the style sheet.
_NETWORK, _AROUND = 0, 2
# Of a figure that stands alone; the page has its own.
_GROUND = (
    "svg.plot { background: var(--back); } svg .bar { fill: var(--own); } "
    "svg .whisker { stroke: var(--text); stroke-width: 1.5; } "
    "svg .title { font-size: 15px; font-weight: 600; fill: var(--text); }"
)


class Timing(Protocol):
    """Milliseconds of one stage."""

    @property
    def p50_ms(self) -> float:
        """The median."""

    @property
    def p95_ms(self) -> float:
        """What 19 of 20 stay below."""


def stage_plot(
    stages: Mapping[str, Timing], networks: Mapping[str, Timing], *, title: str, subtitle: str
) -> str:
    """Return an SVG file: one row a stage in their order; ``networks`` is a stage's part in onnxruntime."""
    top = max((one.p95_ms for one in stages.values()), default=1.0)
    scale = Scale(0, max(top, 0.01) * 1.02)
    height = _TOP + _ROW * len(stages) + _AXIS
    figure = Element("svg", {
        "xmlns": "http://www.w3.org/2000/svg", "viewBox": f"0 0 {_WIDTH} {height}", "role": "img",
        "class": "plot", "aria-label": title, "width": str(_WIDTH), "height": str(height),
    })  # fmt: skip
    SubElement(figure, "style").text = STYLE + _GROUND
    SubElement(figure, "rect", {"width": "100%", "height": "100%", "style": "fill: var(--back)"})
    _text(figure, 16, 24, title, "title")
    _text(figure, 16, 44, subtitle, "tick")
    _grid(figure, scale, height)
    _legend(figure, height)
    for row, (stage, took) in enumerate(stages.items()):
        inside = networks[stage].p50_ms if stage in networks else 0.0
        _bar(figure, _TOP + _ROW * (row + 0.5), stage, (took, inside), scale)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(figure, encoding="unicode") + "\n"


def _grid(figure: Element, scale: Scale, height: int) -> None:
    bottom = height - _AXIS
    for value in scale.ticks():
        at = _place(scale, value)
        _line(figure, (at, _TOP - 6), (at, bottom), "grid")
        _text(figure, at, bottom + 16, f"{value:g}", "tick middle")
    _text(figure, (_LEFT + _WIDTH - _RIGHT) / 2, bottom + 36, "milliseconds", "label middle")


def _bar(figure: Element, middle: float, stage: str, times: tuple[Timing, float], scale: Scale) -> None:
    took, inside = times
    end, far = _place(scale, took.p50_ms), _place(scale, took.p95_ms)
    split = min(_place(scale, inside), end) if inside else float(_LEFT)
    for start, stop, series in ((_LEFT, split, _NETWORK), (split, max(end, split + 1), _AROUND)):
        if stop > start:
            _block(figure, (start, middle - _BAR / 2), (stop - start, _BAR), series)
    _line(figure, (end, middle), (far, middle), "whisker")
    _line(figure, (far, middle - 4), (far, middle + 4), "whisker")
    _text(figure, _LEFT - 10, middle + 4, stage, "label end")
    _text(figure, far + 8, middle + 4, f"{took.p50_ms:.2f} / {took.p95_ms:.2f}", "tick")


def _legend(figure: Element, height: int) -> None:
    for x, text, series in ((16, "networks", _NETWORK), (110, "around them", _AROUND)):
        _block(figure, (x, height - 18), (12, 10), series)
        _text(figure, x + 18, height - 9, text, "tick")


def _block(figure: Element, corner: tuple[float, float], size: tuple[float, int], series: int) -> None:
    place = {
        "x": f"{corner[0]:.1f}",
        "y": f"{corner[1]:.1f}",
        "width": f"{size[0]:.1f}",
        "height": f"{size[1]}",
    }
    SubElement(figure, "rect", {**place, "class": f"bar s{series}"})


def _line(figure: Element, start: tuple[float, float], end: tuple[float, float], kind: str) -> None:
    ends = {"x1": start[0], "y1": start[1], "x2": end[0], "y2": end[1]}
    SubElement(figure, "line", {name: f"{at:.1f}" for name, at in ends.items()} | {"class": kind})


def _text(figure: Element, x: float, y: float, text: str, kind: str) -> None:
    SubElement(figure, "text", {"x": f"{x:.1f}", "y": f"{y:.1f}", "class": kind}).text = text


def _place(scale: Scale, value: float) -> float:
    return _LEFT + scale.share(value) * (_WIDTH - _LEFT - _RIGHT)
