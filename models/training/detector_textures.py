"""Pictures without a face, drawn from a random generator: what a detector must learn to pass over."""

from collections.abc import Callable

import cv2
import numpy as np

from edged.domain.types import Image

Random = np.random.Generator


def texture(rng: Random, width: int, height: int) -> Image:
    """Return one (height, width, 3) uint8 picture of a random kind."""
    kinds: tuple[Callable[[Random, int, int], Image], ...] = (
        plain,
        gradient,
        clouds,
        grain,
        stripes,
        checkers,
        strokes,
        blobs,
        boxes,
        rings,
    )
    picture = kinds[rng.integers(len(kinds))](rng, width, height)
    if rng.random() < 0.3:
        other = kinds[rng.integers(len(kinds))](rng, width, height)
        share = float(rng.uniform(0.3, 0.8))
        picture = np.asarray(cv2.addWeighted(picture, share, other, 1 - share, 0), np.uint8)
    return picture


def colour(rng: Random) -> tuple[int, int, int]:
    """Return a colour: any, or one of skin's, on which an eye-like spot would be most like a face."""
    if rng.random() < 0.3:
        bright = rng.uniform(60, 255)
        blue, green, red = bright * rng.uniform(0.5, 0.8), bright * rng.uniform(0.65, 0.9), bright
        return int(blue), int(green), int(red)
    blue, green, red = rng.integers(0, 256, 3)
    return int(blue), int(green), int(red)


def plain(rng: Random, width: int, height: int) -> Image:
    """Fill with one colour."""
    return np.full((height, width, 3), colour(rng), np.uint8)


def gradient(rng: Random, width: int, height: int) -> Image:
    """Blend four colours at the corners."""
    corners = np.array([[colour(rng), colour(rng)], [colour(rng), colour(rng)]], np.float32)
    return np.asarray(cv2.resize(corners, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def clouds(rng: Random, width: int, height: int) -> Image:
    """Add smooth noise in octaves."""
    picture = np.zeros((height, width, 3), np.float32)
    cells, weight = int(rng.integers(2, 9)), 1.0
    for _ in range(int(rng.integers(1, 5))):
        noise = rng.normal(0, 1, (cells, cells, 3 if rng.random() < 0.5 else 1)).astype(np.float32)
        smooth = cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
        picture += weight * smooth.reshape(height, width, -1)
        cells, weight = cells * 2, weight * rng.uniform(0.4, 0.8)
    scaled = np.array(colour(rng)) + picture * rng.uniform(10, 70)
    return np.asarray(np.clip(scaled, 0, 255), np.uint8)


def grain(rng: Random, width: int, height: int) -> Image:
    """Draw noise of one grain size."""
    size = int(rng.integers(1, 9))
    noise = rng.integers(0, 256, (height // size + 1, width // size + 1, 3), np.uint8)
    if rng.random() < 0.5:
        noise = np.repeat(noise[:, :, :1], 3, axis=2)
    method = cv2.INTER_NEAREST if rng.random() < 0.5 else cv2.INTER_LINEAR
    picture = cv2.resize(noise, (width, height), interpolation=method)
    share = float(rng.uniform(0.1, 1))
    return np.asarray(cv2.addWeighted(picture, share, plain(rng, width, height), 1 - share, 0), np.uint8)


def stripes(rng: Random, width: int, height: int) -> Image:
    """Draw a wave in one direction, smooth or hard."""
    ys, xs = np.mgrid[:height, :width].astype(np.float32)
    angle, period = rng.uniform(0, np.pi), rng.uniform(4, 80)
    wave = np.sin((xs * np.cos(angle) + ys * np.sin(angle)) * 2 * np.pi / period)
    if rng.random() < 0.5:
        wave = np.sign(wave)
    share = (wave[:, :, None] + 1) / 2
    return np.asarray(share * colour(rng) + (1 - share) * np.array(colour(rng)), np.uint8)


def checkers(rng: Random, width: int, height: int) -> Image:
    """Lay two colours in squares or bricks, or a grid of lines as on tiles and windows."""
    ys, xs = np.mgrid[:height, :width]
    high, wide = int(rng.integers(4, 70)), int(rng.integers(4, 70))
    shifted = xs + (ys // high % 2) * (wide // 2 if rng.random() < 0.5 else 0)
    on = (ys // high + shifted // wide) % 2 == 0
    if rng.random() < 0.5:
        line = int(rng.integers(1, 5))
        on = (ys % high < line) | (shifted % wide < line)
    return np.where(on[:, :, None], colour(rng), colour(rng)).astype(np.uint8)


def strokes(rng: Random, width: int, height: int) -> Image:
    """Draw writing, lines and curves."""
    picture = plain(rng, width, height)
    for _ in range(int(rng.integers(5, 60))):
        thick, shade = int(rng.integers(1, 6)), colour(rng)
        start = (int(rng.integers(-20, width)), int(rng.integers(0, height)))
        if rng.random() < 0.5:
            word = "".join(chr(rng.integers(33, 127)) for _ in range(rng.integers(2, 16)))
            font, size = int(rng.integers(0, 8)), float(rng.uniform(0.3, 2.5))
            cv2.putText(picture, word, start, font, size, shade, thick, cv2.LINE_AA)
        else:
            bend = rng.normal(0, width / 6, (5, 2)).cumsum(axis=0) + start
            cv2.polylines(picture, [bend.astype(np.int32)], rng.random() < 0.3, shade, thick, cv2.LINE_AA)
    return picture


def blobs(rng: Random, width: int, height: int) -> Image:
    """Strew ellipses about, pairs of dark ones among them."""
    picture = (clouds if rng.random() < 0.5 else gradient)(rng, width, height)
    for _ in range(int(rng.integers(2, 40))):
        at = (int(rng.integers(0, width)), int(rng.integers(0, height)))
        size = float(np.exp(rng.uniform(np.log(3), np.log(width / 3))))
        axes = (int(size), max(1, int(size * rng.uniform(0.3, 1))))
        angle = float(rng.uniform(0, 180))
        cv2.ellipse(
            picture, at, axes, angle, 0, 360, colour(rng), -1 if rng.random() < 0.7 else 2, cv2.LINE_AA
        )
        if rng.random() < 0.3:
            apart = int(size * rng.uniform(2.2, 5))
            cv2.ellipse(picture, (at[0] + apart, at[1]), axes, angle, 0, 360, colour(rng), -1, cv2.LINE_AA)
    blur = float(rng.uniform(0.3, 6))
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), blur), np.uint8) if rng.random() < 0.5 else picture


def boxes(rng: Random, width: int, height: int) -> Image:
    """Draw rectangles over each other: doors, shelves, screens."""
    picture = gradient(rng, width, height)
    for _ in range(int(rng.integers(3, 40))):
        x, y = int(rng.integers(-30, width)), int(rng.integers(-30, height))
        wide, high = (int(np.exp(rng.uniform(np.log(4), np.log(width)))) for _ in range(2))
        thick = -1 if rng.random() < 0.7 else int(rng.integers(1, 6))
        cv2.rectangle(picture, (x, y), (x + wide, y + high), colour(rng), thick)
    return picture


def rings(rng: Random, width: int, height: int) -> Image:
    """Draw circles within circles: lamps, clocks, wheels, balls."""
    picture = (clouds if rng.random() < 0.5 else plain)(rng, width, height)
    for _ in range(int(rng.integers(1, 8))):
        at = (int(rng.integers(0, width)), int(rng.integers(0, height)))
        radius = float(np.exp(rng.uniform(np.log(6), np.log(width / 2))))
        while radius > 2:
            cv2.circle(picture, at, int(radius), colour(rng), -1, cv2.LINE_AA)
            radius *= rng.uniform(0.4, 0.95)
        for _ in range(int(rng.integers(0, 6))):
            spot = (int(at[0] + rng.normal(0, 12)), int(at[1] + rng.normal(0, 12)))
            cv2.circle(picture, spot, int(rng.integers(1, 8)), colour(rng), -1, cv2.LINE_AA)
    return picture
