"""The show on one axis: who came, what was decided, and the state of the lock all the while."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from edged.demo.canvas import Canvas, fitted
from edged.demo.moments import Mark
from edged.demo.palette import AMBER, BACK, DIM, FAINT, GREEN, INK, LINE, RED
from edged.demo.stage import Role

Area = tuple[float, float, float, float]

_LABELS_PX = 92.0
_VISITOR_Y, _DECISION_Y, _LOCK_Y, _AXIS_Y = 36.0, 76.0, 124.0, 158.0
_PULSE_PX = 22.0
_TICK_SECONDS = 5
_NICKNAMES = {Role.STRANGER: "stranger", Role.PRINT: "a print"}
_VISIT_COLOURS = {Role.ENROLLED: INK, Role.STRANGER: FAINT, Role.PRINT: AMBER}


@dataclass(frozen=True, slots=True)
class _Scale:
    """From seconds to pixels."""

    start: float
    end: float
    left: float
    right: float

    def x(self, at: float) -> float:
        return self.left + (at - self.start) / (self.end - self.start) * (self.right - self.left)


def draw_timeline(canvas: Canvas, marks: Sequence[Mark], area: Area) -> None:
    """Draw ``marks``, oldest first, into ``area`` (left, top, width, height)."""
    left, top, width, _ = area
    times = [mark.at for mark in marks] or [0.0]
    scale = _Scale(times[0] - 0.5, times[-1] + 1.8, left + _LABELS_PX, left + width - 20)
    for word, y in (("visitor", _VISITOR_Y), ("decision", _DECISION_Y), ("lock", _LOCK_Y)):
        canvas.text((left + 18, top + y + 4), word, DIM, size=8.5)
    _draw_axis(canvas, scale, top)
    _draw_visits(canvas, scale, marks, top + _VISITOR_Y)
    _draw_decisions(canvas, scale, marks, top + _DECISION_Y)
    _draw_lock(canvas, scale, marks, top + _LOCK_Y)


def _draw_axis(canvas: Canvas, scale: _Scale, top: float) -> None:
    y = top + _AXIS_Y
    canvas.line((scale.left, y), (scale.right, y), LINE)
    step = _TICK_SECONDS * max(1, math.ceil((scale.end - scale.start) / (_TICK_SECONDS * 15)))
    for second in range(max(0, math.ceil(scale.start / step)) * step, int(scale.end) + 1, step):
        x = scale.x(second)
        canvas.line((x, top + 18), (x, y), LINE, width=0.5)
        canvas.text((x, y + 19), f"{second} s", DIM, size=7.5, anchor="middle")


def _draw_visits(canvas: Canvas, scale: _Scale, marks: Sequence[Mark], y: float) -> None:
    """Write each visitor's name where the visit begins; it has room up to the next one."""
    visits = [mark for mark in marks if mark.kind == "visit"]
    ends = [scale.x(mark.at) for mark in visits[1:]] + [scale.right]
    for mark, end in zip(visits, ends, strict=False):
        x, colour = scale.x(mark.at), _VISIT_COLOURS[mark.role or Role.STRANGER]
        canvas.line((x, y - 14), (x, y + 10), colour, width=1.5)
        name = _NICKNAMES.get(mark.role or Role.STRANGER) or mark.text.split(" ")[0]
        canvas.text((x + 7, y + 4), fitted(name, 8, end - x - 10), colour, size=8)


def _draw_decisions(canvas: Canvas, scale: _Scale, marks: Sequence[Mark], y: float) -> None:
    role = None
    for mark in marks:
        role = mark.role if mark.kind == "visit" else role
        if mark.kind not in ("granted", "denied"):
            continue
        colour = RED if mark.kind == "denied" else AMBER if role is Role.PRINT else GREEN
        x = scale.x(mark.at)
        if mark.kind == "granted":
            canvas.dot((x, y), 6, colour)
            canvas.dot((x, y), 2, BACK)
        else:
            canvas.line((x - 4.5, y - 4.5), (x + 4.5, y + 4.5), colour, width=2)
            canvas.line((x - 4.5, y + 4.5), (x + 4.5, y - 4.5), colour, width=2)


def _draw_lock(canvas: Canvas, scale: _Scale, marks: Sequence[Mark], y: float) -> None:
    """Draw the line of the lock: low is locked, a pulse stands up."""
    low, at, opened = y + _PULSE_PX / 2, scale.left, None
    for mark in marks:
        if mark.kind == "unlocked" and opened is None:
            opened = scale.x(mark.at)
            canvas.line((at, low), (opened, low), FAINT, width=1.5)
        elif mark.kind == "locked" and opened is not None:
            at = scale.x(mark.at)
            canvas.box(opened, low - _PULSE_PX, at - opened, _PULSE_PX + 0.5, GREEN, radius=2)
            opened = None
    canvas.line((at, low), (scale.right, low), FAINT, width=1.5)
