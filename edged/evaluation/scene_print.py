"""A printed photograph, held up before a camera."""

from dataclasses import dataclass

import cv2
import numpy as np

from edged.domain.types import FloatArray, Image

Colour = tuple[float, float, float]

# The sheet before it is bent and tilted: pixels, with a border like a photograph from a shop.
_SHEET = (360, 440)
_BORDER_PX = 22
# Paper reflects a good part of the light everywhere: black is grey on it.
_PRINT_BLACK, _PRINT_RANGE = 20.0, 0.86
# Whoever prints a face to fool a door makes it large: the middle three quarters of the photograph.
_ZOOM = 1.33


@dataclass(frozen=True, slots=True)
class Grip:
    """How the sheet is held.

    Its ``top`` and ``height`` are shares of the frame, ``lean`` is in degrees; ``skin`` and ``sleeve``
    are the holder's colours, BGR. ``bend_px`` is how far paper bends, 0 for what is stiff.
    """

    top: float
    height: float
    lean: float
    aside_px: float
    skin: Colour
    sleeve: Colour
    bend_px: float = 8.0


def held_up(frame: Image, sheet: FloatArray, grip: Grip) -> Image:
    """Return ``frame`` with a ``sheet`` (see ``printed``) that two hands hold before whoever is in it."""
    paper, cover = _on_frame(sheet, frame, grip)
    aside = np.array([[1, 0, 7], [0, 1, 9]], np.float32)
    shadow = cv2.GaussianBlur(cv2.warpAffine(cover, aside, cover.shape[::-1]), (0, 0), 9)[..., None]
    picture = frame.astype(np.float32) * (1 - 0.45 * shadow)
    corners = corners_in(frame, grip, sheet.shape[1] / sheet.shape[0])
    for side in (-1, 1):
        _hand(picture, corners, side, grip)
    picture = paper * cover[..., None] + picture * (1 - cover[..., None])
    for side in (-1, 1):
        _thumb(picture, corners, side, grip)
    return np.asarray(np.clip(picture, 0, 255), np.uint8)


def printed(photo: Image, *, border_px: int = _BORDER_PX, zoom: float = _ZOOM) -> FloatArray:
    """Return a sheet of paper: the middle of ``photo`` within a white border, shaded as paper that bends.

    The sheet is (440, 360, 3) float32 BGR, 0 to 255, whatever the photograph's size is.
    ``zoom`` is how much of the photograph is left out: 1 fills the sheet with all that fits.
    """
    width, height = _SHEET
    inside = (width - 2 * border_px, height - 3 * border_px)
    sheet = np.full((height, width, 3), (236, 240, 242), np.float32)
    ink = middle(photo, inside, zoom).astype(np.float32) * _PRINT_RANGE + _PRINT_BLACK
    sheet[border_px : border_px + inside[1], border_px : border_px + inside[0]] = ink
    rows, columns = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    bend = 1 + 0.07 * np.cos(np.pi * (columns - 0.35) * 1.6) - 0.05 * columns
    gloss = 26 * np.exp(-(((columns + 0.45 * rows - 0.95) / 0.10) ** 2))
    return np.asarray(np.clip(sheet * bend[..., None] + gloss[..., None], 0, 255), np.float32)


def middle(photo: Image, size: tuple[int, int], zoom: float) -> Image:
    """Return the middle of ``photo``, enlarged, that fills ``size`` (width, height)."""
    factor = zoom * max(size[0] / photo.shape[1], size[1] / photo.shape[0])
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    large = cv2.resize(photo, None, fx=factor + 1e-6, fy=factor + 1e-6, interpolation=how)
    top, left = (large.shape[0] - size[1]) // 2, (large.shape[1] - size[0]) // 2
    return np.asarray(cv2.resize(large[top : top + size[1], left : left + size[0]], size), np.uint8)


def corners_in(frame: Image, grip: Grip, aspect: float) -> FloatArray:
    """Return where the sheet's corners are in the frame, (4, 2), clockwise from the upper left.

    ``aspect`` is the sheet's width by its height.
    """
    height, width = frame.shape[:2]
    tall = grip.height * height
    wide = tall * aspect
    middle = np.array([width / 2 + grip.aside_px, grip.top * height + tall / 2])
    # The upper edge leans away from the camera, one side is a little nearer.
    flat = np.array([[-0.48, -0.5], [0.47, -0.485], [0.5, 0.49], [-0.51, 0.5]]) * (wide, tall)
    angle = np.radians(grip.lean)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.asarray(flat @ turn.T + middle, np.float32)


def _on_frame(sheet: FloatArray, frame: Image, grip: Grip) -> tuple[FloatArray, FloatArray]:
    """Bend the sheet and put it in perspective: its picture and cover in the frame."""
    height, width = frame.shape[:2]
    margin = 14
    padded = cv2.copyMakeBorder(sheet, margin, margin, margin, margin, cv2.BORDER_REPLICATE)
    cover = np.pad(np.ones(sheet.shape[:2], np.float32), margin)
    rows, columns = np.mgrid[: padded.shape[0], : padded.shape[1]].astype(np.float32)
    bent = rows + np.float32(grip.bend_px) * np.sin(np.pi * columns / padded.shape[1])
    padded, cover = (cv2.remap(one, columns, bent, cv2.INTER_LINEAR) for one in (padded, cover))
    wide, tall = sheet.shape[1::-1]
    edges = np.array([[0, 0], [wide, 0], [wide, tall], [0, tall]], np.float32) + margin
    matrix = cv2.getPerspectiveTransform(edges, corners_in(frame, grip, wide / tall))
    paper, seen = (
        cv2.warpPerspective(one, matrix, (width, height), flags=cv2.INTER_AREA) for one in (padded, cover)
    )
    return np.asarray(paper, np.float32), np.asarray(cv2.GaussianBlur(seen, (0, 0), 0.8), np.float32)


def _hand(picture: FloatArray, corners: FloatArray, side: int, grip: Grip) -> None:
    """Draw a sleeve, and the fist and fingers that reach behind the sheet, into ``picture``."""
    beside = _Hold.of(corners, side)
    sleeve_ends = np.array([beside.at(1.1, 0)[0], picture.shape[0] + beside.unit], np.float32)
    _stroke(picture, [beside.at(0.45, 0.9), sleeve_ends], 1.5 * beside.unit, grip.sleeve)
    _stroke(picture, [beside.at(0.25, 0.1), beside.at(0.4, 0.6)], 1.05 * beside.unit, grip.skin)
    for down in (-0.42, -0.10, 0.22):
        finger = [beside.at(0.42, down), beside.at(-0.08, down - 0.05)]
        _stroke(picture, finger, 0.34 * beside.unit, grip.skin)


def _thumb(picture: FloatArray, corners: FloatArray, side: int, grip: Grip) -> None:
    """Draw the thumb that lies on the sheet."""
    on = _Hold.of(corners, side)
    thumb = [on.at(0.3, 0.35), on.at(-0.05, -0.05), on.at(-0.55, -0.42)]
    _stroke(picture, thumb, 0.42 * on.unit, grip.skin)
    blue, green, red = (0.5 * value + 118 for value in grip.skin)
    _stroke(picture, [on.at(-0.59, -0.45), on.at(-0.49, -0.37)], 0.2 * on.unit, (blue, green, red))


@dataclass(frozen=True, slots=True)
class _Hold:
    """Where a hand holds the sheet, and the hand's size, in pixels; ``side`` is -1 left or 1 right."""

    x: float
    y: float
    unit: float
    side: int

    @classmethod
    def of(cls, corners: FloatArray, side: int) -> "_Hold":
        upper, lower = (corners[0], corners[3]) if side < 0 else (corners[1], corners[2])
        x, y = upper + (lower - upper) * 0.80
        return cls(float(x), float(y), float(np.linalg.norm(corners[1] - corners[0])) * 0.26, side)

    def at(self, outwards: float, down: float) -> FloatArray:
        """Return the pixel (2,) so many hand sizes away."""
        return np.array([self.x + self.side * outwards * self.unit, self.y + down * self.unit], np.float32)


def _stroke(picture: FloatArray, points: list[FloatArray], thick_px: float, colour: Colour) -> None:
    """Draw a round-ended limb, lit from above, with a soft dark rim."""
    margin = thick_px + 4
    low = np.maximum(np.floor(np.min(points, axis=0) - margin), 0).astype(int)
    high = np.ceil(np.max(points, axis=0) + margin).astype(int)
    part = picture[low[1] : high[1], low[0] : high[0]]
    if not part.size:
        return
    outline = np.round((np.array(points) - low) * 16).astype(np.int32)
    rim, core = (np.zeros(part.shape[:2], np.float32) for _ in range(2))
    cv2.polylines(rim, [outline], False, 1.0, max(1, round(thick_px)), cv2.LINE_AA, 4)
    lifted = (outline - (0, round(0.12 * thick_px * 16))).astype(np.int32)
    cv2.polylines(core, [lifted], False, 1.0, max(1, round(0.55 * thick_px)), cv2.LINE_AA, 4)
    core = cv2.GaussianBlur(core, (0, 0), max(1.0, 0.18 * thick_px))
    edge = cv2.GaussianBlur(rim, (0, 0), 0.9)[..., None]
    shade = (0.68 + 0.36 * core)[..., None]
    part[:] = np.array(colour, np.float32) * shade * edge + part * (1 - edge)
