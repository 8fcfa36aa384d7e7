"""What surrounds a blended face: skull, ears, neck, hair and a pullover, drawn, so that nobody wore them."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
SIDE = 384
Points = list[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Style:
    """How somebody looks in every photograph: BGR colours 0..255, lengths in eye distances.

    ``hairline`` is the forehead's height over the eyes (above 1.6: bald), ``parting`` shifts its peak to
    the side, ``length`` is how far below the eyes the hair ends (up to 0.4: ears free), ``volume`` its
    thickness over the skull, ``jaw`` the width of the face at the mouth; ``cropped`` hair shows no strands.
    """

    hair: tuple[int, int, int]
    hairline: float = 0.95
    parting: float = 0.0
    length: float = 0.1
    volume: float = 0.12
    jaw: float = 0.98
    cropped: bool = False


@dataclass(frozen=True, slots=True)
class Head:
    """Where the head is on the canvas, in pixels."""

    x: float
    eyes: float
    chin: float
    unit: float

    @classmethod
    def of(cls, landmarks: FloatArray) -> "Head":
        """Read it from (5, 2) landmarks of an upright face."""
        eyes, mouth = landmarks[:2].mean(axis=0), landmarks[3:].mean(axis=0)
        unit = float(np.linalg.norm(landmarks[1] - landmarks[0]))
        return cls(float(eyes[0]), float(eyes[1]), float(mouth[1] + 0.68 * (mouth[1] - eyes[1])), unit)

    def at(self, across: float, down: float) -> tuple[float, float]:
        """Return the pixel so many eye distances from between the eyes."""
        return self.x + across * self.unit, self.eyes + down * self.unit


def face_cover(head: Head, style: Style, *, inset: float = 0.0, soft_px: float = 1.6) -> FloatArray:
    """Return where skin of the head is: round above, narrowing to the chin below."""
    wide = 1.13 - inset
    points: Points = []
    for angle in np.linspace(0, np.pi, 60):  # over the top, from the right ear to the left
        points.append(head.at(wide * np.cos(angle), -1.62 * np.sin(angle)))
    depth = (head.chin - head.eyes) / head.unit - inset / 3
    power = 2.5 * style.jaw
    for t in np.linspace(0, 2, 80)[1:-1]:
        down = 1 - abs(1 - t)
        width = wide * (1 - down**power) ** 0.55
        points.append(head.at(-width if t <= 1 else width, down * depth))
    return _filled([points], soft_px)


def ear_cover(head: Head) -> FloatArray:
    """Return where the ears are."""
    mask = np.zeros((SIDE, SIDE), np.float32)
    for sign in (-1, 1):
        centre = tuple(round(v * 16) for v in head.at(sign * 1.14, 0.22))
        axes = (round(0.17 * head.unit * 16), round(0.40 * head.unit * 16))
        cv2.ellipse(mask, centre, axes, -sign * -8, 0, 360, 1.0, -1, cv2.LINE_AA, 4)
    return cv2.GaussianBlur(mask, (0, 0), 1.3)


def neck_cover(head: Head) -> FloatArray:
    """Return where the neck is, down to the lower edge."""
    low = (head.chin - head.eyes) / head.unit
    shape = [
        (-0.82, low - 0.75),
        (0.82, low - 0.75),
        (0.80, low + 0.3),
        (1.2, low + 0.9),
        (-1.2, low + 0.9),
        (-0.80, low + 0.3),
    ]
    return _filled([[head.at(*point) for point in shape]], 2.5)


def hair_covers(head: Head, style: Style, noise: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Return where hair is behind the head and before it, each (SIDE, SIDE) 0..1."""
    if style.hairline > 1.6:
        empty = np.zeros((SIDE, SIDE), np.float32)
        return empty, empty
    outer = 1.13 + style.volume
    top = [
        head.at(outer * np.cos(a), -(1.62 + 1.3 * style.volume) * np.sin(a))
        for a in np.linspace(0, np.pi, 60)
    ]
    ends = style.length
    behind: Points = [
        *top,
        head.at(-outer * 1.04, ends * 0.6),
        head.at(-outer * 0.92, ends),
        head.at(outer * 0.92, ends),
        head.at(outer * 1.04, ends * 0.6),
    ]
    back = _filled([behind], 3.0) if ends > 0.5 else np.zeros((SIDE, SIDE), np.float32)
    front = _filled([[*top, *_inner_edge(head, style)]], 2.8)
    return _frayed(back, noise, 1.5), _frayed(front, noise, 1.5)


def _inner_edge(head: Head, style: Style) -> Points:
    """Return the hair's edge on the face, from the left side over the forehead to the right."""
    low = min(style.length, 1.55)
    side = 1.13 + style.volume
    peak = style.parting * 0.5
    inward = 0.98 if style.length <= 0.5 else 0.93
    # Long hair parts like a curtain, short hair leaves a broad forehead.
    fall, power = (0.5, 3.0) if style.length <= 0.5 else (0.9, 2.0)
    return [
        head.at(-side, low * 0.5),
        head.at(-side + 0.02, low),
        head.at(-inward - 0.1, low),
        head.at(-inward - 0.03, low * 0.45),
        head.at(-inward, -0.35),
        *[
            head.at(t, -style.hairline * (1 - fall * abs((t - peak) / (inward + abs(peak))) ** power))
            for t in np.linspace(-inward + 0.06, inward - 0.06, 40)
        ],
        head.at(inward, -0.35),
        head.at(inward + 0.03, low * 0.45),
        head.at(inward + 0.1, low),
        head.at(side - 0.02, low),
        head.at(side, low * 0.5),
    ]


def _filled(shapes: list[Points], soft_px: float) -> FloatArray:
    mask = np.zeros((SIDE, SIDE), np.float32)
    for shape in shapes:
        cv2.fillPoly(mask, [np.round(np.array(shape) * 16).astype(np.int32)], 1.0, cv2.LINE_AA, 4)
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), soft_px), np.float32)


def _frayed(cover: FloatArray, noise: np.random.Generator, by_px: float) -> FloatArray:
    """Let single hairs stand out of an edge."""
    fine = cv2.GaussianBlur(noise.normal(0, 1, (SIDE, SIDE, 2)).astype(np.float32), (0, 0), 1.4)
    coarse = cv2.GaussianBlur(noise.normal(0, 1, (SIDE, SIDE, 2)).astype(np.float32), (0, 0), 9)
    shift = by_px * (0.25 * fine / fine.std() + coarse / coarse.std())
    rows, columns = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    return np.asarray(
        cv2.remap(cover, columns + shift[..., 0], rows + shift[..., 1], cv2.INTER_LINEAR), np.float32
    )


def hair_picture(head: Head, style: Style, noise: np.random.Generator) -> FloatArray:
    """Return hair, (SIDE, SIDE, 3): strands or a crop, a sheen, darker where it is deep."""
    rows, columns = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    texture = _crop(noise) if style.cropped else _strands(head, style, noise)
    height = (rows - head.eyes) / head.unit
    across = (columns - head.x) / head.unit
    sheen = 0.22 * np.exp(-(((height + 1.3 - 0.25 * across**2) / 0.22) ** 2)) - 0.16 * np.clip(
        height + 0.4, 0, 1.5
    )
    depth = -0.30 * np.clip((np.abs(across) - 0.75) / 0.6, 0, 1) ** 2
    shade = np.clip(0.95 + texture + (sheen if not style.cropped else 0.1 * sheen) + depth, 0.3, 1.7)
    return np.asarray(np.clip(np.array(style.hair, np.float32) * shade[..., None] + 6, 0, 255), np.float32)


def _even(size: tuple[int, int], sigma: tuple[float, float], noise: np.random.Generator) -> FloatArray:
    """Return smooth noise of standard deviation 1; ``sigma`` is (across columns, across rows)."""
    smooth = cv2.GaussianBlur(noise.normal(0, 1, size).astype(np.float32), (0, 0), sigma[0], sigmaY=sigma[1])
    return np.asarray(smooth / smooth.std(), np.float32)


def _crop(noise: np.random.Generator) -> FloatArray:
    return 0.07 * _even((SIDE, SIDE), (1.0, 1.0), noise) + 0.06 * _even((SIDE, SIDE), (7, 7), noise)


def _strands(head: Head, style: Style, noise: np.random.Generator) -> FloatArray:
    """Return streaks that fall from the parting, or of short hair brushed away from the forehead."""
    turns = 420
    polar = 0.10 * _even((turns, SIDE), (34, 0.9), noise)
    polar += 0.09 * _even((turns, SIDE), (46, 3.0), noise) + 0.07 * _even((turns, SIDE), (60, 10), noise)
    rows, columns = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    long = style.length > 0.5
    x, y = head.at(style.parting, -1.75 - style.volume) if long else head.at(0.6 * style.parting, -0.2)
    # Waves, so that strands are no rays.
    swing = (6 if long else 2) * np.sin(rows / 21 + columns / 47)
    across, down = columns - x + swing, rows - y
    # Cut where no hair is: the noise does not join up there.
    angle = np.arctan2(across, -down) if not long else np.arctan2(across, down)
    turn = (angle / (2 * np.pi) + 0.5) * (turns - 1)
    radius = np.hypot(across, down)
    maps = (radius.astype(np.float32), turn.astype(np.float32))
    streaks = cv2.remap(polar, *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(streaks * np.clip(radius / (1.6 * head.unit), 0, 1), np.float32)


def garment_cover(head: Head) -> FloatArray:
    """Return where a pullover is: shoulders under a round collar."""
    top = head.chin + 14
    points: Points = []
    for t in np.linspace(-1, 1, 81):
        if abs(t) < 0.2:
            y = top + 34 * float(np.sqrt(1 - (t / 0.2) ** 2)) - 4
        else:
            y = top - 4 + 30 * (abs(t) - 0.2) + 62 * float(np.clip((abs(t) - 0.45) / 0.55, 0, 1)) ** 2
        points.append((head.x + t * SIDE * 0.62, y))
    return _filled([[*points, (head.x + SIDE, SIDE * 1.2), (head.x - SIDE, SIDE * 1.2)]], 1.1)


def garment_picture(head: Head, colour: tuple[int, int, int], noise: np.random.Generator) -> FloatArray:
    """Return a pullover, (SIDE, SIDE, 3): folds, a knit and a collar."""
    folds = cv2.GaussianBlur(noise.normal(0, 1, (SIDE, SIDE)).astype(np.float32), (0, 0), 18, sigmaY=34)
    knit = cv2.GaussianBlur(noise.normal(0, 1, (SIDE, SIDE)).astype(np.float32), (0, 0), 0.9)
    rows, columns = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    distance = np.hypot((columns - head.x) / 76, (rows - head.chin - 10) / 38)
    collar = np.exp(-(((distance - 1.12) / 0.09) ** 2)) - 1.3 * np.exp(-(((distance - 1.3) / 0.04) ** 2))
    round_off = 1 - 0.25 * ((columns - head.x) / (SIDE / 2)) ** 2
    shade = round_off * (1 + 0.10 * folds / folds.std() + 0.05 * knit / knit.std() + 0.10 * collar)
    return np.asarray(np.clip(np.array(colour, np.float32) * shade[..., None], 0, 255), np.float32)


def skin_picture(face: FloatArray, head: Head) -> FloatArray:
    """Return skin of the tone of ``face``'s cheeks, darker under the chin."""
    tone = np.median(np.concatenate([_patch(face, head, sign) for sign in (-1, 1)]), axis=0)
    rows, columns = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    below = (rows - head.chin) / head.unit
    shade = (
        0.86 - 0.30 * np.exp(-(((below - 0.02) / 0.30) ** 2)) - 0.22 * ((columns - head.x) / head.unit) ** 2
    )
    return np.asarray(np.clip(tone * np.clip(shade, 0.35, 1)[..., None], 0, 255), np.float32)


def _patch(face: FloatArray, head: Head, sign: int) -> FloatArray:
    x, y = head.at(sign * 0.62, 0.75)
    size = int(0.15 * head.unit)
    return face[int(y) - size : int(y) + size, int(x) - size : int(x) + size].reshape(-1, 3)
