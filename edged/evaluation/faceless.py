"""Pictures that have no face: drawn ones, and photographs whose faces were taken out."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import cv2
import numpy as np

from edged.domain.types import Face, Image

SIZE = (480, 640)
# Around a face this share of its box goes with it: the chin and the hairline.
_AROUND = 0.25
_LEAST_CROP_PX = 40
_PIECES = 6

Random = np.random.Generator


def noise(rng: Random) -> Image:
    """Draw noise whose power falls with frequency, from sand to clouds (Field 1987: scenes fall as 1/f)."""
    height, width = SIZE
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    frequency[0, 0] = 1
    layers = []
    for _ in range(3):
        spectrum = np.fft.rfft2(rng.normal(size=SIZE)) / frequency ** rng.uniform(0, 2)
        field = np.fft.irfft2(spectrum, SIZE)
        layers.append(field / field.std())
    mixed = np.stack([layers[0] + rng.uniform(0, 0.7) * layer for layer in layers], axis=-1)
    return _levels(rng.uniform(40, 200) + rng.uniform(10, 60) * mixed)


def wood(rng: Random) -> Image:
    """Draw rings and waves bent by each other, as in wood, marble and cloth."""
    ys, xs = (axis.astype(np.float32) for axis in np.mgrid[: SIZE[0], : SIZE[1]])
    bend = 30 * np.sin(xs / rng.uniform(30, 200)) + 20 * np.sin(ys / rng.uniform(20, 150))
    along = np.hypot(xs - rng.uniform(0, 640), ys - rng.uniform(0, 480)) if rng.random() < 0.5 else xs + ys
    wave = 0.5 + 0.5 * np.sin((along + bend) / rng.uniform(2, 20))
    first, second = rng.uniform(0, 255, 3), rng.uniform(0, 255, 3)
    return _levels(first + wave[:, :, None] * (second - first))


def notice(rng: Random) -> Image:
    """Draw a notice at a door: lines of letters, a frame, a few signs."""
    picture = np.full((*SIZE, 3), rng.integers(150, 256, 3), np.uint8)
    ink = tuple(int(value) for value in rng.integers(0, 120, 3))
    y = 0
    while y < SIZE[0]:
        size = float(rng.uniform(0.4, 2.0))
        y += int(32 * size)
        line = "".join(chr(code) for code in rng.choice([32, *range(65, 91), *range(97, 123)], 60))
        cv2.putText(picture, line, (20, y), cv2.FONT_HERSHEY_DUPLEX, size, ink, 1 + int(size), cv2.LINE_AA)
    for _ in range(int(rng.integers(0, 5))):
        at = (int(rng.integers(60, 580)), int(rng.integers(60, 420)))
        cv2.circle(picture, at, int(rng.integers(10, 80)), ink, int(rng.integers(2, 8)), cv2.LINE_AA)
    return picture


def shards(rng: Random) -> Image:
    """Draw polygons over each other under one light."""
    picture = np.full((*SIZE, 3), rng.integers(0, 256, 3), np.uint8)
    for _ in range(int(rng.integers(10, 120))):
        middle = rng.uniform(0, 1, 2) * (640, 480)
        angles = np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(3, 9))))
        reach = np.exp(rng.uniform(np.log(8), np.log(160)))
        corners = middle + reach * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        shade = tuple(int(value) for value in rng.integers(0, 256, 3))
        cv2.fillPoly(picture, [corners.astype(np.int32)], shade, cv2.LINE_AA)
    fall = np.linspace(rng.uniform(0.4, 1), rng.uniform(0.4, 1), 640)[None, :, None]
    return _levels(cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.3, 4)) * fall)


def cells(rng: Random) -> Image:
    """Draw patches around scattered points: pebbles, leaves, tiles, skin."""
    points = rng.uniform(0, 1, (int(rng.integers(20, 300)), 2)) * (160, 120)
    ys, xs = np.mgrid[:120, :160]
    away = np.hypot(xs[..., None] - points[:, 0], ys[..., None] - points[:, 1])
    nearest = away.argmin(axis=-1)
    tone = rng.uniform(0, 255, 3)
    shades = np.clip(tone + rng.normal(0, rng.uniform(5, 80), (len(points), 3)), 0, 255)
    shade = np.clip(1.1 - away.min(axis=-1) / rng.uniform(5, 40), 0.3, 1)
    small = _levels(shades[nearest] * shade[..., None])
    return np.asarray(cv2.resize(small, SIZE[::-1], interpolation=cv2.INTER_CUBIC), np.uint8)


def corridor(rng: Random) -> Image:
    """Draw an empty corridor: walls in perspective, doors, lamps, grain."""
    height, width = SIZE
    column = np.linspace(rng.uniform(100, 255), rng.uniform(30, 160), height)[:, None, None]
    picture = _levels(np.repeat(column, width, axis=1) * rng.uniform(0.7, 1, 3))
    vanish = np.array([rng.uniform(200, 440), rng.uniform(160, 320)])
    for _ in range(int(rng.integers(2, 10))):
        near, far = rng.uniform(0.2, 1), rng.uniform(0.05, 0.2)
        corner = np.array([rng.uniform(-100, 740), rng.uniform(0, 480)])
        other = corner + np.array([0, rng.uniform(60, 300)])
        inner = [vanish + (point - vanish) * far / near for point in (other, corner)]
        shade = tuple(int(value) for value in rng.integers(20, 230, 3))
        cv2.fillPoly(picture, [np.array([corner, other, *inner], np.int32)], shade, cv2.LINE_AA)
    for _ in range(int(rng.integers(0, 6))):
        at = (int(rng.integers(0, 640)), int(rng.integers(0, 200)))
        cv2.ellipse(
            picture, at, (int(rng.integers(5, 60)), int(rng.integers(3, 25))), 0, 0, 360, (250, 250, 245), -1
        )
    return _levels(picture + rng.normal(0, rng.uniform(1, 8), (*SIZE, 1)))


GENERATORS: Mapping[str, Callable[[Random], Image]] = {
    "noise": noise,
    "wood": wood,
    "notice": notice,
    "shards": shards,
    "cells": cells,
    "corridor": corridor,
}


def without_faces(image: Image, faces: Sequence[Face], rng: Random) -> Iterator[tuple[str, Image]]:
    """Yield what is left of a photograph without its ``faces``, each with the name of its source.

    The largest piece beside all faces; the photograph with its faces painted over; and with the places
    where they were cut into pieces and put together in disorder.
    """
    if not faces:
        return
    height, width = image.shape[:2]
    low = np.array([(face.box.x, face.box.y) for face in faces])
    far = low + [(face.box.width, face.box.height) for face in faces]
    around = _AROUND * (far - low)
    low = np.clip(low - around, 0, (width, height)).astype(int)
    far = np.clip(far + around, 0, (width, height)).astype(int)
    (left, top), (right, bottom) = low.min(axis=0), far.max(axis=0)
    beside = [image[:, :left], image[:, right:], image[:top], image[bottom:]]
    piece = max(beside, key=lambda one: min(one.shape[:2]))
    if min(piece.shape[:2]) >= _LEAST_CROP_PX:
        yield "beside", np.ascontiguousarray(piece)
    hidden = np.zeros((height, width), np.uint8)
    disorder = image.copy()
    for (x0, y0), (x1, y1) in zip(low, far, strict=True):
        hidden[y0:y1, x0:x1] = 255
        _disorder(disorder[y0:y1, x0:x1], rng)
    yield "painted over", np.asarray(cv2.inpaint(image, hidden, 3, cv2.INPAINT_TELEA), np.uint8)
    yield "in pieces", disorder


def _disorder(face: Image, rng: Random) -> None:
    """Exchange the cells of a grid over ``face`` in place, turned; no cell stays."""
    side = min(face.shape[:2]) // _PIECES
    if side == 0:
        face[:] = face.mean(axis=(0, 1)).astype(np.uint8)
        return
    rows, columns = face.shape[0] // side, face.shape[1] // side
    places = [
        np.s_[r * side : (r + 1) * side, c * side : (c + 1) * side] for r, c in np.ndindex(rows, columns)
    ]
    order = rng.permutation(len(places))
    pieces = [np.rot90(face[places[index]], int(rng.integers(4))).copy() for index in order]
    for index, piece in zip(np.roll(order, 1), pieces, strict=True):
        face[places[index]] = piece


def _levels(values: np.ndarray[tuple[int, ...], np.dtype[np.floating]]) -> Image:
    return np.asarray(np.clip(values, 0, 255), np.uint8)
