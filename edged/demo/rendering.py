"""One picture of a whole demo: what the camera saw, what was decided, what the lock did."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2

from edged.demo.canvas import Canvas, Colour, fitted, text_width
from edged.demo.moments import Mark, Moment, Portrait
from edged.demo.palette import AMBER, BACK, DIM, FAINT, GREEN, INK, PANEL, RED
from edged.demo.stage import Role
from edged.demo.timeline import draw_timeline
from edged.domain.types import Image, Outcome
from edged.errors import StoreError

WIDTH = 1280
_MARGIN = 24
_VIEW = (395, 296)  # 4:3, three in a row
_TITLE_PX = 52
_CAPTION_PX = 62
_TIMELINE_PX = 190
_QUALITY = 88
_SUFFIXES = (".jpg", ".jpeg", ".png")
_ORDER = (Role.ENROLLED, Role.STRANGER, Role.PRINT)


@dataclass(frozen=True, slots=True, eq=False)
class Story:
    """What to tell: a moment a kind, all marks of the timeline, and a few figures as (value, label)."""

    title: str
    moments: Sequence[tuple[Role, Moment]]
    marks: Sequence[Mark]
    figures: Sequence[tuple[str, str]]


def check_place(path: Path) -> None:
    """Refuse a place that takes no picture before there is one. Raises ``StoreError``."""
    if path.suffix.lower() not in _SUFFIXES:
        raise StoreError(f"{path}: expected a name that ends in {', '.join(_SUFFIXES)}")
    if not path.absolute().parent.is_dir():
        raise StoreError(f"{path}: its folder is not there")
    try:
        str(path).encode()
    except UnicodeEncodeError:  # at which OpenCV 5.0.0 ends the process
        raise StoreError(f"{path}: OpenCV writes to no name that is not UTF-8") from None


def write_picture(story: Story, path: Path) -> None:
    """Write the picture; the ending of ``path`` names the format. Raises ``StoreError``."""
    check_place(path)
    if not cv2.imwrite(str(path), render(story), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]):
        raise StoreError(f"{path}: the picture cannot be written there")


def render(story: Story) -> Image:
    """Return (H, W, 3) uint8 BGR, ``WIDTH`` wide."""
    top = _TITLE_PX + _VIEW[1] + _CAPTION_PX + _MARGIN
    canvas = Canvas(WIDTH, top + _TIMELINE_PX + _MARGIN, BACK)
    canvas.text((_MARGIN, 34), "edged", INK, size=13, bold=True)
    canvas.text((_MARGIN + 78, 34), story.title, DIM, size=9.5)
    gap = (WIDTH - 2 * _MARGIN - 3 * _VIEW[0]) // 2
    left = (WIDTH - len(story.moments) * (_VIEW[0] + gap) + gap) // 2
    for role, moment in sorted(story.moments, key=lambda pair: _ORDER.index(pair[0])):
        _draw_view(canvas, left, role, moment)
        left += _VIEW[0] + gap
    _draw_figures(canvas, story.figures)
    canvas.box(_MARGIN, top, WIDTH - 2 * _MARGIN, _TIMELINE_PX, PANEL, radius=8)
    draw_timeline(canvas, story.marks, (_MARGIN, top, WIDTH - 2 * _MARGIN, _TIMELINE_PX))
    return canvas.finish()


def _draw_figures(canvas: Canvas, figures: Sequence[tuple[str, str]]) -> None:
    """Write the figures into the title line, from the right."""
    right = float(WIDTH - _MARGIN)
    for value, label in reversed(figures):
        canvas.text((right, 34), label, DIM, size=9, anchor="right")
        right -= text_width(label, 9) + 7
        canvas.text((right, 34), value, INK, size=11, anchor="right", bold=True)
        right -= text_width(value, 11) + 26


def _draw_view(canvas: Canvas, left: int, role: Role, moment: Moment) -> None:
    width, height = _VIEW
    top = _TITLE_PX
    canvas.box(left, top, width, height + _CAPTION_PX, PANEL, radius=8)
    canvas.picture(moment.image, left, top, width, height)
    colour = _colour(role, moment)
    rows, columns = moment.image.shape[:2]
    factor = max(width / columns, height / rows)
    shift = left + (width - columns * factor) / 2, top + (height - rows * factor) / 2
    for portrait in moment.portraits:
        _draw_face(canvas, portrait, factor, shift, colour)
    _draw_lock(canvas, (left + width - 12, top + 12), unlocked=moment.unlocked)
    canvas.box(left, top + height, 4, _CAPTION_PX, colour)
    heading, detail = _caption(role, moment)
    canvas.text((left + 18, top + height + 26), fitted(heading, 10.5, width - 30), INK, size=10.5, bold=True)
    canvas.text((left + 18, top + height + 47), fitted(detail, 8.5, width - 30), DIM, size=8.5)


def _caption(role: Role, moment: Moment) -> tuple[str, str]:
    """Return who and what became of it, and by which numbers."""
    decision = moment.decision
    granted = decision.outcome is Outcome.GRANT
    limit = "" if moment.threshold is None else f" ({moment.threshold:.2f} needed)"
    numbers = f"score {decision.score:.2f}{limit}" if decision.score > -1 else "compared with nobody"
    if granted:
        numbers = f"{numbers}, margin {decision.margin:.2f}, {decision.frames} pictures"
    else:
        numbers = f"{decision.reason.value.replace('_', ' ')}, {numbers}"
    if role is Role.PRINT and granted and decision.liveness is None:
        numbers = "no liveness check is in force"
    who = "a printed photograph" if role is Role.PRINT else moment.visitor
    return f"{who[:1].upper()}{who[1:]}: {'let in' if granted else 'denied'}", numbers


def _colour(role: Role, moment: Moment) -> Colour:
    granted = moment.decision.outcome is Outcome.GRANT
    if role is Role.PRINT:
        return AMBER if granted else RED
    return GREEN if granted else RED


def _draw_face(
    canvas: Canvas, portrait: Portrait, factor: float, shift: tuple[float, float], colour: Colour
) -> None:
    """Draw corners around the face, its five landmarks, and whom it was taken for."""
    box = portrait.face.box
    left, top = shift[0] + box.x * factor, shift[1] + box.y * factor
    right, bottom = left + box.width * factor, top + box.height * factor
    arm = 0.22 * min(right - left, bottom - top)
    for x, along in ((left, arm), (right, -arm)):
        for y, down in ((top, arm), (bottom, -arm)):
            canvas.line((x, y), (x + along, y), colour, width=2)
            canvas.line((x, y), (x, y + down), colour, width=2)
    for x, y in portrait.face.landmarks:
        at = shift[0] + float(x) * factor, shift[1] + float(y) * factor
        canvas.dot(at, 2.6, BACK)
        canvas.dot(at, 1.8, INK)
    label = portrait.name or "not let in"
    label = f"{label}  {portrait.score:.2f}" if portrait.score is not None else label
    _draw_label(canvas, ((left + right) / 2, top - 8), label, colour)


def _draw_label(canvas: Canvas, bottom: tuple[float, float], text: str, colour: Colour) -> None:
    width = text_width(text, 8.5) + 16
    canvas.box(bottom[0] - width / 2, bottom[1] - 20, width, 20, colour, radius=4)
    canvas.text((bottom[0], bottom[1] - 6), text, BACK, size=8.5, anchor="middle", bold=True)


def _draw_lock(canvas: Canvas, corner: tuple[float, float], *, unlocked: bool) -> None:
    """Draw a padlock with the state of the lock line; ``corner`` is upper right."""
    word, colour = ("UNLOCKED", GREEN) if unlocked else ("LOCKED", FAINT)
    width = text_width(word, 8.5) + 42
    left, top = corner[0] - width, corner[1]
    canvas.box(left, top, width, 24, BACK, radius=12)
    hinge = left + (21 if unlocked else 17), top + 11
    canvas.arc(hinge, 4, colour, width=1.6)
    canvas.line((hinge[0] - 4, hinge[1]), (hinge[0] - 4, hinge[1] + 2), colour, width=1.6)
    canvas.box(left + 11, top + 12, 12, 8, colour, radius=1.5)
    canvas.text((left + 29, top + 16.5), word, colour, size=8.5, bold=True)
