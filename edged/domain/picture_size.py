"""What a picture will cost, by its own headers, before a decoder sees it.

JPEG, PNG, WebP and BMP alone: a decoder reads two dozen more, none of which an office's photographs or
cameras come in, and each would be another parser to feed hostile bytes to. Neither a size, nor the length
of a part, nor how often the whole is gone over is left for the decoder to find out.
"""

import struct

from edged.errors import PictureError

# Telephones make up to 50 megapixels without being asked twice. Decoding so many took 370 MB of a JPEG or PNG
# (OpenCV 5.0), a lone file of 51 bytes that claims more than it has 2 GB.
MAX_PIXELS = 64_000_000
# A progressive JPEG has some ten scans. Each goes over the whole picture, 0.1 s for 64 megapixels on a
# desktop, and may be a few bytes long: a file of 32 MiB could keep a core busy for a day.
MAX_SCANS = 64

_KNOWN = "JPEG, PNG, WebP or BMP"
_FOREIGN = (
    (b"GIF8", "a GIF"),
    (b"II*\x00", "a TIFF"),
    (b"MM\x00*", "a TIFF"),
    (b"%PDF", "a PDF"),
    (b"PK\x03\x04", "a zip archive or office document"),
)


def check_picture(content: bytes, *, max_pixels: int = MAX_PIXELS) -> tuple[int, int]:
    """Return (width, height) in pixels of what may be decoded; EXIF may turn it yet.

    Raises ``PictureError``: ``unreadable`` for what is no whole picture, ``too_large`` for one of more than
    ``max_pixels`` or ``MAX_SCANS``.
    """
    width, height = picture_size(content)
    if width * height > max_pixels:
        megapixels = max_pixels / 1_000_000
        raise PictureError(
            "too_large", f"{width} x {height} pixels; at most {megapixels:.3g} megapixels are read"
        )
    # Within the coded data every 0xFF is followed by a zero or a restart marker.
    if content.startswith(b"\xff\xd8") and (scans := content.count(b"\xff\xda")) > MAX_SCANS:
        raise PictureError("too_large", f"a JPEG of {scans} scans; at most {MAX_SCANS} are read")
    return width, height


def picture_size(content: bytes) -> tuple[int, int]:
    """Return (width, height) in pixels from the header alone. Raises ``PictureError`` (unreadable)."""
    try:
        if content.startswith(b"\xff\xd8\xff"):
            return _jpeg_size(content)
        if content.startswith(b"\x89PNG\r\n\x1a\n"):
            return _png_size(content)
        if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
            return _webp_size(content)
        if content.startswith(b"BM"):
            return _bmp_size(content)
    except (struct.error, IndexError) as exc:
        raise PictureError("unreadable", "the picture ends within its header") from exc
    raise PictureError("unreadable", f"{_kind(content)}, expected {_KNOWN}")


def _jpeg_size(content: bytes) -> tuple[int, int]:
    """Walk the segments up to the first scan (ITU-T T.81, B.1); the largest frame header counts."""
    width = height = 0
    at = 2
    while True:
        if content[at] != 0xFF:
            raise PictureError("unreadable", "a JPEG with a damaged header")
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
        raise PictureError("unreadable", "a torn JPEG: its end is missing")
    return width, height


def _png_size(content: bytes) -> tuple[int, int]:
    """Walk the chunks (PNG, third edition, 5.3) up to the last: no length may exceed what is there."""
    width = height = at = 0
    at = 8
    while True:
        length, kind = struct.unpack_from(">I4s", content, at)
        if at == 8:
            if kind != b"IHDR" or length != 13:
                raise PictureError("unreadable", "a PNG with a damaged header")
            width, height = struct.unpack_from(">II", content, at + 8)
        at += 12 + length
        if at > len(content):
            raise PictureError("unreadable", "a torn PNG: a part of it is longer than the rest of the file")
        if kind == b"IEND":
            return width, height


def _webp_size(content: bytes) -> tuple[int, int]:
    """RFC 9649: extended, lossless or lossy header."""
    chunk = content[12:16]
    if len(content) < 30:
        raise IndexError
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
