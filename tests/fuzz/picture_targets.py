"""Photographs, and what a camera's command writes."""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import cv2
import numpy as np

from edged.config.sections import CommandSource
from edged.devices.camera_command import _JpegFrames, _RawFrames
from edged.devices.camera_file import read_picture
from edged.devices.child import Child
from edged.domain.picture_size import picture_size
from edged.enrolment.pictures import MAX_SIDE, decode_picture
from edged.errors import CameraError, EnrolmentError, EvaluationError
from edged.evaluation.embedding import read_image
from tests.fuzz.target import Target, UndeclaredError, put

FRAME = (32, 24)


class Pipe:
    """A command's output, handed out in uneven parts; it ends with the data."""

    name = "command"

    def __init__(self, data: bytes) -> None:
        self._left = data

    def read(self, limit: int, deadline: float) -> bytes:
        del deadline
        if not self._left:
            raise CameraError("the output ended")
        count = min(limit, 1 + len(self._left) // 2)
        part, self._left = self._left[:count], self._left[count:]
        return part

    def quoted(self) -> str:
        return ""


def _photograph(data: bytes, _folder: Path) -> None:
    image = decode_picture(data)
    size = picture_size(data)
    if max(size) <= MAX_SIDE and sorted(image.shape[:2]) != sorted(size):
        raise UndeclaredError(f"the header said {size}, decoding gave {image.shape}")


def _file(data: bytes, folder: Path) -> None:
    path = put(folder / "picture", data)
    image = read_picture(path)
    assert image is None or image.ndim == 3
    read_image(path)


def _mjpeg(data: bytes, _folder: Path) -> None:
    """The first byte says whether a size was stated."""
    stated = dict(zip(("width", "height"), FRAME, strict=True)) if data[:1] < b"\x80" else {}
    source = CommandSource(argv=["c"], format="mjpeg", **stated)
    frames = _JpegFrames(source)
    pipe = cast("Child", Pipe(data[1:]))
    while True:
        image = frames.read(pipe, 0.0)
        if stated and image.shape[1::-1] != FRAME:
            raise UndeclaredError(f"a frame of {image.shape}")


def _raw(data: bytes, _folder: Path) -> None:
    kind = "bgr" if data[:1] < b"\x80" else "i420"
    frames = _RawFrames(CommandSource(argv=["c"], format=kind, width=FRAME[0], height=FRAME[1]))
    pipe = cast("Child", Pipe(data[1:]))
    while True:
        assert frames.read(pipe, 0.0).shape == (FRAME[1], FRAME[0], 3)


def encoded(suffix: str, size: tuple[int, int] = FRAME, *options: int, dtype: type = np.uint8) -> bytes:
    """A picture of a few hundred bytes."""
    width, height = size
    ramp = np.linspace(0, np.iinfo(dtype).max, width * height * 3).astype(dtype).reshape(height, width, 3)
    return np.asarray(cv2.imencode(suffix, ramp, list(options))[1], np.uint8).tobytes()


def oriented(jpeg: bytes, orientation: int) -> bytes:
    """``jpeg`` with an EXIF block that holds the orientation alone."""
    tiff = b"II*\x00\x08\x00\x00\x00" + struct.pack("<HHHIHHI", 1, 0x0112, 3, 1, orientation, 0, 0)
    body = b"Exif\x00\x00" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


def png_claiming(length: int) -> bytes:
    """A PNG of a hundred bytes whose last part says that it has ``length``."""
    whole = encoded(".png", (8, 6))
    at = whole.index(b"IEND") - 4
    return whole[:at] + struct.pack(">I", length) + b"IDAT"


def pictures() -> Iterator[bytes]:
    """One of each kind, and some that are rare."""
    jpeg = encoded(".jpg")
    yield jpeg
    yield encoded(".jpg", FRAME, cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
    yield encoded(".jpg", FRAME, cv2.IMWRITE_JPEG_RST_INTERVAL, 1)
    yield oriented(jpeg, 6)
    yield encoded(".png")
    yield encoded(".png", dtype=np.uint16)
    yield encoded(".webp")
    yield encoded(".webp", FRAME, cv2.IMWRITE_WEBP_QUALITY, 101)
    yield encoded(".bmp", (8, 6))
    grey = cv2.imencode(".png", np.arange(64, dtype=np.uint8).reshape(8, 8))[1].tobytes()
    yield grey


def _foreign() -> Iterator[bytes]:
    for suffix in (".tiff", ".ppm", ".pgm", ".gif", ".hdr", ".jp2", ".avif", ".pbm", ".ras"):
        try:
            found = encoded(suffix, (8, 6))
        except cv2.error:  # not in this build
            continue
        if found:
            yield found


def _files(_folder: Path) -> Iterator[bytes]:
    yield from pictures()
    yield from _foreign()


def _streams(_folder: Path) -> Iterator[bytes]:
    frames = [one for one in pictures() if one.startswith(b"\xff\xd8")]
    yield b"\x00" + b"".join(frames)
    yield b"\xff--boundary\r\n\r\n" + frames[0] + b"\r\n" + frames[1]


TARGETS = (
    Target("photograph", _photograph, lambda _: pictures(), (EnrolmentError,), 16_384),
    Target("picture-file", _file, _files, (EvaluationError,), 16_384),
    Target("mjpeg", _mjpeg, _streams, (CameraError,), 16_384),
    Target("raw-frames", _raw, lambda _: (bytes(6000), b"\xff" + bytes(6000)), (CameraError,), 16_384),
)
