"""What a camera does to a picture: light, colour, blur, noise, compression."""

import cv2
import numpy as np

from edged.domain.types import Image

Random = np.random.Generator


def light(image: Image, smallest_face_px: float, rng: Random) -> Image:
    """Return ``image`` as some camera at some hour gives it; blur leaves the smallest face a face."""
    if rng.random() < 0.25:
        image = _blurred(image, smallest_face_px, rng)
    image = _exposed(image, rng)
    if rng.random() < 0.1:
        grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        image = np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), np.uint8)
    if rng.random() < 0.4:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(20, 96))]
        image = np.asarray(cv2.imdecode(cv2.imencode(".jpg", image, quality)[1], cv2.IMREAD_COLOR), np.uint8)
    return image


def _blurred(image: Image, smallest_face_px: float, rng: Random) -> Image:
    """Out of focus, moved, or enlarged from fewer pixels."""
    most = 0.035 * smallest_face_px
    kind = rng.random()
    if kind < 0.5:
        return np.asarray(cv2.GaussianBlur(image, (0, 0), max(0.3, rng.uniform(0.3, 1) * most)), np.uint8)
    if kind < 0.75:
        length = int(max(2, rng.uniform(0.5, 3) * most)) | 1
        kernel = np.zeros((length, length), np.float32)
        ends = rng.integers(0, length, 2)
        cv2.line(kernel, (int(ends[0]), 0), (length - 1 - int(ends[0]), length - 1), 1.0)
        kernel = kernel.T if rng.random() < 0.5 else kernel
        return np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum()), np.uint8)
    factor = 1 / max(1.0, rng.uniform(0.5, 1) * 2 * most)
    small = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, image.shape[1::-1], interpolation=cv2.INTER_LINEAR), np.uint8)


def _exposed(image: Image, rng: Random) -> Image:
    """Gain, contrast, gamma and colour cast as one curve a channel, a shadow, then the sensor's noise."""
    levels = np.linspace(0, 1, 256)[:, None]
    gamma = np.exp(rng.normal(0, 0.25)) if rng.random() < 0.5 else 1.0
    cast = np.exp(rng.normal(0, 0.08, 3)) if rng.random() < 0.5 else np.ones(3)
    gain = np.exp(rng.normal(0, 0.2)) if rng.random() < 0.5 else 1.0
    dark = rng.random() < 0.14
    if dark:
        gain *= np.exp(rng.uniform(np.log(0.08), np.log(0.5)))
    lift = rng.uniform(-0.1, 0.2) if rng.random() < 0.2 else 0.0
    curve = np.clip(255 * (levels**gamma * gain * cast + lift * gain), 0, 255).astype(np.uint8)
    out = np.asarray(cv2.LUT(image, curve[:, None, :]), np.uint8)
    if rng.random() < 0.12:
        out = _shaded(out, rng)
    if dark or rng.random() < 0.2:
        spread = rng.uniform(0.5, 4) if dark else rng.uniform(1, 14)
        noise = rng.normal(0, spread, (*out.shape[:2], 3 if rng.random() < 0.6 else 1)).astype(np.float32)
        out = np.clip(out + noise, 0, 255).astype(np.uint8)
    return out


def _shaded(image: Image, rng: Random) -> Image:
    """Light from one side."""
    height, width = image.shape[:2]
    corners = rng.uniform(0.25, 1.3, (2, 2)).astype(np.float32)
    shade = cv2.resize(corners, (width, height), interpolation=cv2.INTER_LINEAR)[:, :, None]
    return np.asarray(np.clip(image * shade, 0, 255), np.uint8)
