"""A flame graph as SVG, the outermost call on top: as wide as the share of the time it was seen in."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element, SubElement, tostring

from edged.evaluation.report.style import STYLE

_WIDTH, _MARGIN, _TOP, _ROW = 1180, 16, 56, 18
# Narrower ones hold no letter, and are told by the ones around them.
_LEAST_PX, _LETTER_PX = 1.0, 6.6
_SERIES = 6
_OWN_STYLE = (
    "svg.plot { background: var(--back); } "
    "svg .call { fill: var(--own); fill-opacity: .35; stroke: var(--back); } "
    "svg .title { font-size: 15px; font-weight: 600; fill: var(--text); } "
    "svg .name { font-size: 11px; fill: var(--text); }"
)


@dataclass(slots=True)
class _Call:
    count: int = 0
    inner: dict[str, "_Call"] = field(default_factory=dict)


def flame_graph(stacks: Mapping[tuple[str, ...], int], *, title: str) -> str:
    """Return an SVG file of ``stacks``: calls from the outermost inward, and how often each was seen."""
    root = _Call()
    for names, count in stacks.items():
        at = root
        at.count += count
        for name in names:
            at = at.inner.setdefault(name, _Call())
            at.count += count
    height = _TOP + _ROW * max((len(names) for names in stacks), default=0) + _MARGIN
    figure = Element("svg", {
        "xmlns": "http://www.w3.org/2000/svg", "viewBox": f"0 0 {_WIDTH} {height}", "role": "img",
        "class": "plot", "aria-label": title, "width": str(_WIDTH), "height": str(height),
    })  # fmt: skip
    SubElement(figure, "style").text = STYLE + _OWN_STYLE
    SubElement(figure, "rect", {"width": "100%", "height": "100%", "style": "fill: var(--back)"})
    _text(figure, _MARGIN, 24, title, "title")
    _text(figure, _MARGIN, 44, f"{root.count} looks; a call is as wide as its share of them", "tick")
    if root.count:
        _draw(figure, root, (float(_MARGIN), _TOP), (_WIDTH - 2 * _MARGIN) / root.count)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(figure, encoding="unicode") + "\n"


def _draw(figure: Element, call: _Call, corner: tuple[float, float], scale: float) -> None:
    """Draw the calls within ``call`` below it, the most frequent first; ``scale`` is pixels a look."""
    left, top = corner
    for name, inner in sorted(call.inner.items(), key=lambda item: (-item[1].count, item[0])):
        width = inner.count * scale
        if width < _LEAST_PX:
            continue
        kind = f"call s{sum(name.rpartition('.')[0].encode()) % _SERIES}"
        place = {"x": f"{left:.1f}", "y": f"{top:.1f}", "width": f"{width:.1f}", "height": f"{_ROW - 1}"}
        SubElement(
            SubElement(figure, "rect", {**place, "class": kind}), "title"
        ).text = f"{name}: {inner.count}"
        letters = int((width - 6) / _LETTER_PX)
        if letters > 2:
            _text(figure, left + 3, top + 13, _shortened(name.removeprefix("edged."), letters), "name")
        _draw(figure, inner, (left, top + _ROW), scale)
        left += width


def _shortened(name: str, letters: int) -> str:
    """Leave out packages and modules until ``name`` fits, then cut the function's own."""
    while len(name) > letters and "." in name:
        name = name.partition(".")[2]
    return name[:letters]


def _text(figure: Element, x: float, y: float, text: str, kind: str) -> None:
    SubElement(figure, "text", {"x": f"{x:.1f}", "y": f"{y:.1f}", "class": kind}).text = text
