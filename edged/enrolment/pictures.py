"""Bytes of unknown origin to a picture, with its size known before anything is decoded."""

import cv2
import numpy as np

from edged.domain.picture_size import check_picture
from edged.domain.types import Image
from edged.errors import EnrolmentError, PictureError

# A 50-megapixel JPEG has about 20 MB.
MAX_BYTES = 32 * 1024 * 1024
# The detector sees a letterbox of some hundred pixels, so a face it can find in a larger picture
# still has more than 112 pixels here; and shrinking by area averages what alignment would skip.
MAX_SIDE = 2560


def decode_picture(content: bytes) -> Image:
    """Return the upright picture (EXIF obeyed), (H, W, 3) uint8 BGR, no side above ``MAX_SIDE``.

    Raises ``EnrolmentError`` with the reasons of ``check_picture``, before memory is spent on it.
    """
    try:
        check_picture(content)
    except PictureError as exc:
        raise EnrolmentError(exc.reason, str(exc)) from exc
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as exc:
        raise EnrolmentError("unreadable", "a picture by its header, but it cannot be decoded") from exc
    if image is None:
        raise EnrolmentError("unreadable", "a picture by its header, but torn or damaged")
    return _shrunk(np.asarray(image, np.uint8))


def _shrunk(image: Image) -> Image:
    height, width = image.shape[:2]
    ratio = MAX_SIDE / max(height, width)
    if ratio >= 1:
        return image
    size = (max(1, round(width * ratio)), max(1, round(height * ratio)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
