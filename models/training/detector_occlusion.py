"""Things before a face: those that leave it a face, and those that leave none."""

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from edged.domain.types import Image

Random = np.random.Generator
FloatArray = npt.NDArray[np.float32]
Texture = Callable[[Random, int, int], Image]


def occlude(image: Image, box: FloatArray, points: FloatArray, rng: Random, texture: Texture) -> Image:
    """Return a copy with sunglasses, a mask, a cap or a thing over part of the face."""
    image = image.copy()
    cover = np.zeros(image.shape[:2], np.uint8)
    (_sunglasses, _mask, _cap, _thing)[rng.integers(4)](cover, box, points, rng)
    if rng.random() < 0.6:
        filling = np.full_like(image, rng.integers(0, 256, 3) if rng.random() < 0.5 else rng.integers(0, 60))
    else:
        filling = texture(rng, image.shape[1], image.shape[0])
    share = cover[:, :, None].astype(np.float32) / 255 * rng.uniform(0.85, 1)
    return (image * (1 - share) + filling * share).astype(np.uint8)


def _sunglasses(cover: npt.NDArray[np.uint8], _box: FloatArray, points: FloatArray, rng: Random) -> None:
    left, right = points[0], points[1]
    apart = float(np.linalg.norm(right - left))
    angle = float(np.degrees(np.arctan2(*(right - left)[::-1])))
    axes = (int(apart * rng.uniform(0.3, 0.46)), int(apart * rng.uniform(0.2, 0.4)))
    for eye in (left, right):
        cv2.ellipse(cover, _at(eye), axes, angle, 0, 360, 255, -1, cv2.LINE_AA)
    cv2.line(cover, _at(left), _at(right), 255, max(1, int(apart * 0.08)), cv2.LINE_AA)


def _mask(cover: npt.NDArray[np.uint8], box: FloatArray, points: FloatArray, rng: Random) -> None:
    across = (points[1] - points[0]) * rng.uniform(0.7, 1.1)
    down = (points[3:].mean(axis=0) - points[:2].mean(axis=0)) * rng.uniform(1.5, 2.0)
    eyes = points[:2].mean(axis=0)
    top = eyes + (points[2] - eyes) * rng.uniform(0.5, 1.0)
    chin = eyes + down
    outline = [top - across, top + across, chin + across * 0.6, chin - across * 0.6]
    if box[2] > 0:
        cv2.fillPoly(cover, [np.array(outline, np.int32)], 255, cv2.LINE_AA)


def _cap(cover: npt.NDArray[np.uint8], box: FloatArray, points: FloatArray, rng: Random) -> None:
    x, y, width, height = box
    brow = points[:2, 1].min() - 0.12 * height * rng.uniform(0.3, 1.5)
    middle = (int(x + width / 2), int(brow - 0.25 * height))
    cv2.ellipse(cover, middle, (int(0.7 * width), int(0.25 * height)), 0, 0, 360, 255, -1, cv2.LINE_AA)
    cv2.rectangle(cover, (int(x - 0.2 * width), int(y - height)), (int(x + 1.2 * width), middle[1]), 255, -1)


def _thing(cover: npt.NDArray[np.uint8], box: FloatArray, _points: FloatArray, rng: Random) -> None:
    """Hold a hand, a phone, a shoulder: an ellipse or a bar over at most two fifths of the face."""
    x, y, width, height = box
    middle = _at(np.array([x, y]) + rng.uniform(-0.1, 1.1, 2) * (width, height))
    axes = (int(width * rng.uniform(0.1, 0.32)), int(height * rng.uniform(0.1, 0.32)))
    angle = float(rng.uniform(0, 180))
    if rng.random() < 0.5:
        cv2.ellipse(cover, middle, axes, angle, 0, 360, 255, -1, cv2.LINE_AA)
    else:
        corners = cv2.boxPoints((middle, (2.0 * axes[0], 2.0 * axes[1]), angle))
        cv2.fillPoly(cover, [corners.astype(np.int32)], 255, cv2.LINE_AA)


def destroy(image: Image, box: FloatArray, rng: Random, texture: Texture) -> Image:
    """Return a copy whose face is none any more: pieces in disorder, a few blocks, or covered."""
    image = image.copy()
    height, width = image.shape[:2]
    low = np.clip(box[:2] - 0.12 * box[2:], 0, (width, height)).astype(int)
    high = np.clip(box[:2] + 1.12 * box[2:], 0, (width, height)).astype(int)
    face = image[low[1] : high[1], low[0] : high[0]]
    if min(face.shape[:2]) < 16:
        return texture(rng, width, height)
    kind = rng.random()
    if kind < 0.45:
        face[:] = _shuffled(face, int(rng.integers(3, 10)), rng)
    elif kind < 0.6:
        few = cv2.resize(face, tuple(int(v) for v in rng.integers(2, 5, 2)), interpolation=cv2.INTER_AREA)
        method = cv2.INTER_NEAREST if rng.random() < 0.6 else cv2.INTER_CUBIC
        face[:] = cv2.resize(few, face.shape[1::-1], interpolation=method)
    else:
        cover = np.zeros(face.shape[:2], np.uint8)
        middle, axes = (face.shape[1] // 2, face.shape[0] // 2), (face.shape[1] // 2, face.shape[0] // 2)
        cv2.ellipse(cover, middle, axes, 0, 0, 360, 255, -1)
        plain = np.full_like(face, np.median(face.reshape(-1, 3), axis=0))
        filling = plain if rng.random() < 0.5 else texture(rng, face.shape[1], face.shape[0])
        face[cover > 0] = filling[cover > 0]
    return image


def _shuffled(face: Image, pieces: int, rng: Random) -> Image:
    """Exchange the cells of a grid; none keeps its place."""
    pieces = min(pieces, min(face.shape[:2]) // 4)
    high, wide = face.shape[0] // pieces, face.shape[1] // pieces
    cells = [
        np.s_[r * high : (r + 1) * high, c * wide : (c + 1) * wide] for r, c in np.ndindex(pieces, pieces)
    ]
    order = rng.permutation(len(cells))
    out = face.copy()
    for target, source in zip(order, np.roll(order, 1), strict=True):
        piece = face[cells[source]]
        turned = piece[:: int(rng.choice([-1, 1])), :: int(rng.choice([-1, 1]))]
        out[cells[target]] = turned if rng.random() < 0.5 else piece
    return out


def _at(point: FloatArray) -> tuple[int, int]:
    x, y = np.round(point)
    return int(x), int(y)
