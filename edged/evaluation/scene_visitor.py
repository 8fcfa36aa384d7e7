"""A photograph of somebody, cut out and set before the corridor."""

from dataclasses import dataclass

import cv2
import numpy as np

from edged.domain.types import FloatArray, Image

# Rows of the reduced picture in which the person is looked for: 30 to 100 ms of one x86-64 core.
_LOOK_PX = 160
# Grey levels by which neighbouring pixels of the border differ in a picture reduced to 64 x 64: up to 6.6
# before a defocused room, above 9.8 in three of four press photographs, where a cut often goes wrong.
_PLAIN_BELOW = 7.0
# Shares of a picture that a head with shoulders takes up.
_PLAUSIBLE = (0.22, 0.8)


@dataclass(frozen=True, slots=True)
class Figure:
    """``picture`` (H, W, 3) uint8 BGR and ``cover`` (H, W) 0..1: where the person is in it."""

    picture: Image
    cover: FloatArray

    def colour_at(self, across: float, down: float) -> tuple[float, float, float]:
        """Return the BGR colour around a place given in shares of the picture."""
        height, width = self.picture.shape[:2]
        rows = slice(int((down - 0.03) * height), int((down + 0.03) * height) + 1)
        columns = slice(int((across - 0.05) * width), int((across + 0.05) * width) + 1)
        blue, green, red = np.median(self.picture[rows, columns].reshape(-1, 3), axis=0)
        return float(blue), float(green), float(red)


def figure(picture: Image) -> Figure:
    """Cut the person out where the picture allows it, else let its edges fade."""
    return cut_out(picture) or Figure(picture, _fading(picture))


def cut_out(picture: Image) -> Figure | None:
    """Cut the person out; None where the picture does not allow it."""
    cut = _cut(picture) if _plain(picture) else None
    return None if cut is None else Figure(picture, cut)


def _plain(picture: Image) -> bool:
    small = cv2.cvtColor(cv2.resize(picture, (64, 64), interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY)
    parts = (small[1:7], small[1:36, 1:8], small[1:36, -8:-1])
    steps = [np.abs(np.diff(part.astype(np.float32), axis=axis)).mean() for part in parts for axis in (0, 1)]
    return bool(max(steps) < _PLAIN_BELOW)


def _cut(picture: Image) -> FloatArray | None:
    """Return where the person is (GrabCut: Rother, Kolmogorov, Blake 2004), None if that is not plausible."""
    height, width = picture.shape[:2]
    size = (max(1, round(_LOOK_PX * width / height)), _LOOK_PX)
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    mask = _guess(size)
    surely = mask == cv2.GC_FGD
    cv2.setRNGSeed(1)
    cv2.grabCut(small, mask, None, np.zeros((1, 65)), np.zeros((1, 65)), 3, cv2.GC_INIT_WITH_MASK)
    person = ((mask == cv2.GC_FGD) | (mask == cv2.GC_PR_FGD)).astype(np.uint8)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7))
    person = cv2.morphologyEx(cv2.morphologyEx(person, cv2.MORPH_CLOSE, disc), cv2.MORPH_OPEN, disc)
    if not _PLAUSIBLE[0] < person.mean() < _PLAUSIBLE[1] or not person[surely].all():
        return None
    soft = cv2.GaussianBlur(person.astype(np.float32), (0, 0), 1.4)
    # A little inside the outline, so that no seam of the old background comes along.
    inner = np.clip((soft - 0.55) / 0.4, 0, 1)
    whole = cv2.resize(inner, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(whole, 0, 1) * _arms(picture), np.float32)


def _guess(size: tuple[int, int]) -> Image:
    """Return what GrabCut starts from: a head in the middle, shoulders below it, nothing above."""
    width, height = size
    mask = np.full((height, width), cv2.GC_PR_BGD, np.uint8)
    middle = (width // 2, round(0.46 * height))
    cv2.ellipse(mask, middle, (round(0.25 * width), round(0.36 * height)), 0, 0, 360, cv2.GC_PR_FGD, -1)
    mask[round(0.82 * height) :] = cv2.GC_PR_FGD
    cv2.ellipse(mask, middle, (round(0.13 * width), round(0.2 * height)), 0, 0, 360, cv2.GC_FGD, -1)
    mask[round(0.93 * height) :, round(0.3 * width) : round(0.7 * width)] = cv2.GC_FGD
    mask[: round(0.03 * height)] = cv2.GC_BGD
    mask[: round(0.6 * height), : round(0.06 * width)] = cv2.GC_BGD
    mask[: round(0.6 * height), -round(0.06 * width) :] = cv2.GC_BGD
    return mask


def _arms(picture: Image) -> FloatArray:
    """Round shoulders off that the picture's edge cut straight."""
    height, width = picture.shape[:2]
    mask = np.zeros((height, width), np.float32)
    axes = (round(0.485 * width), round(0.42 * height))
    cv2.ellipse(mask, (width // 2, round(1.06 * height)), axes, 0, 180, 360, 1.0, -1)
    mask[: round(0.7 * height)] = 1.0
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), 0.012 * width), np.float32)


def _fading(picture: Image) -> FloatArray:
    """Return a cover that fades within a tenth of the picture at its top and sides."""
    height, width = picture.shape[:2]
    rows = np.linspace(0, 10, height, dtype=np.float32)[:, None]
    columns = np.linspace(0, 10, width, dtype=np.float32)[None]
    near = np.minimum(np.minimum(columns, 10 - columns), rows)
    cover = np.clip(near, 0, 1)
    return np.asarray(cover * cover * (3 - 2 * cover), np.float32)


def placed(frame: Image, person: Figure, share: float, aside_px: float = 0.0, turn: float = 0.0) -> Image:
    """Set ``person`` into a copy of ``frame``, standing on its lower edge.

    The picture takes up ``share`` of the frame's height; ``turn`` is in degrees.
    """
    height, width = frame.shape[:2]
    factor = share * height / person.picture.shape[0]
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    small = cv2.resize(person.picture, None, fx=factor, fy=factor, interpolation=how)
    cover = cv2.resize(person.cover, small.shape[1::-1], interpolation=how)
    foot = (small.shape[1] / 2, float(small.shape[0]))
    matrix = cv2.getRotationMatrix2D(foot, turn, 1.0)
    # A little lower than the edge, so that no turn shows where the picture ends.
    matrix[:, 2] += np.array([width / 2 + aside_px, height * 1.01]) - foot
    moved = cv2.warpAffine(small, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
    seen = cv2.warpAffine(cover, matrix, (width, height))[..., None]
    return np.asarray(np.clip(moved * seen + frame * (1 - seen), 0, 255), np.uint8)
