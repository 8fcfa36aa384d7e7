"""Bytes of unknown origin to a picture, with its size known before anything is decoded.

Only JPEG, PNG, WebP and BMP reach the decoder. OpenCV can read two dozen more, none of which an
office's photographs come in; each would be another parser to feed hostile bytes to. OpenCV's own
limit is 2**30 pixels, 3 GB decoded, and is fixed when the library is loaded.
"""

import struct

import cv2
import numpy as np

from edged.domain.types import Image
from edged.errors import EnrolmentError

# Telephones make up to 50 megapixels without being asked twice; decoded this is 192 MB.
MAX_PIXELS = 64_000_000
# A 50-megapixel JPEG has about 20 MB.
MAX_BYTES = 32 * 1024 * 1024
# The detector sees a letterbox of some hundred pixels, so a face it can find in a larger picture
# still has more than 112 pixels here; and shrinking by area averages what alignment would skip.
MAX_SIDE = 2560

_KNOWN = "JPEG, PNG, WebP or BMP"
_FOREIGN = (
    (b"GIF8", "a GIF"),
    (b"II*\x00", "a TIFF"),
    (b"MM\x00*", "a TIFF"),
    (b"%PDF", "a PDF"),
    (b"PK\x03\x04", "a zip archive or office document"),
)


def decode_picture(content: bytes) -> Image:
    """Return the upright picture (EXIF obeyed), (H, W, 3) uint8 BGR, no side above ``MAX_SIDE``.

    Raises ``EnrolmentError``: ``unreadable`` for what is no whole picture, ``too_large`` for one of
    more than ``MAX_PIXELS`` by its own header, before memory is spent on it.
    """
    width, height = picture_size(content)
    if width * height > MAX_PIXELS:
        raise EnrolmentError(
            "too_large", f"{width} x {height} pixels; at most {MAX_PIXELS // 1_000_000} megapixels are read"
        )
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as exc:
        raise EnrolmentError("unreadable", "a picture by its header, but it cannot be decoded") from exc
    if image is None:
        raise EnrolmentError("unreadable", "a picture by its header, but torn or damaged")
    return _shrunk(np.asarray(image, np.uint8))


def picture_size(content: bytes) -> tuple[int, int]:
    """Return (width, height) in pixels from the header alone. Raises ``EnrolmentError`` (unreadable)."""
    try:
        if content.startswith(b"\xff\xd8\xff"):
            return _jpeg_size(content)
        if content.startswith(b"\x89PNG\r\n\x1a\n"):
            width, height = struct.unpack_from(">II", content, 16)
            return width, height
        if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
            return _webp_size(content)
        if content.startswith(b"BM"):
            return _bmp_size(content)
    except (struct.error, IndexError) as exc:
        raise EnrolmentError("unreadable", "the picture ends within its header") from exc
    raise EnrolmentError("unreadable", f"{_kind(content)}, expected {_KNOWN}")


def _jpeg_size(content: bytes) -> tuple[int, int]:
    """Walk the segments up to the first scan (ITU-T T.81, B.1); the largest frame header counts."""
    width = height = 0
    at = 2
    while True:
        if content[at] != 0xFF:
            raise EnrolmentError("unreadable", "a JPEG with a damaged header")
        marker = content[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
            continue
        (length,) = struct.unpack_from(">H", content, at + 2)
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            lines, samples = struct.unpack_from(">HH", content, at + 5)
            width, height = max(width, samples), max(height, lines)
        at += 2 + length
        if marker == 0xDA:
            break
    # Within the scans every 0xFF is followed by a stuffing zero or a marker. Older OpenCV returns a
    # picture that is grey below the tear, so the end marker is asked for here.
    if content.find(b"\xff\xd9", at) < 0:
        raise EnrolmentError("unreadable", "a torn JPEG: its end is missing")
    return width, height


def _webp_size(content: bytes) -> tuple[int, int]:
    """RFC 9649: extended, lossless or lossy header."""
    chunk = content[12:16]
    if chunk == b"VP8X":
        return (
            int.from_bytes(content[24:27], "little") + 1,
            int.from_bytes(content[27:30], "little") + 1,
        )
    if chunk == b"VP8L":
        (bits,) = struct.unpack_from("<I", content, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    width, height = struct.unpack_from("<HH", content, 26)
    return width & 0x3FFF, height & 0x3FFF


def _bmp_size(content: bytes) -> tuple[int, int]:
    (header,) = struct.unpack_from("<I", content, 14)
    layout = "<HH" if header == 12 else "<ii"
    width, height = struct.unpack_from(layout, content, 18)
    return abs(width), abs(height)  # a negative height is a picture stored top row first


def _kind(content: bytes) -> str:
    """Say what the bytes are, in words for somebody who thought it was a photograph."""
    if not content:
        return "an empty file"
    if content[4:8] == b"ftyp":
        return "a HEIC or AVIF picture (save it as JPEG)"
    head = content[:512].lstrip().lower()
    if head.startswith((b"<!doctype", b"<html", b"<?xml", b"<head", b"<script")):
        return "a web page (a share page instead of the picture itself?)"
    for prefix, kind in _FOREIGN:
        if content.startswith(prefix):
            return kind
    return "not a picture"


def _shrunk(image: Image) -> Image:
    height, width = image.shape[:2]
    ratio = MAX_SIDE / max(height, width)
    if ratio >= 1:
        return image
    size = (max(1, round(width * ratio)), max(1, round(height * ratio)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
