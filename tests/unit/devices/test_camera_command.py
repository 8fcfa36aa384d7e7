"""Frames that a hostile or broken camera program writes."""

import struct
from typing import cast

import cv2
import numpy as np
import pytest

from edged.config.sections import CommandSource
from edged.devices.camera import CameraFormatError
from edged.devices.camera_command import _JpegFrames
from edged.devices.camera_file import read_picture
from edged.devices.child import Child
from edged.errors import CameraError
from tests.fuzz.picture_targets import Pipe, encoded, png_claiming


def bomb(width: int, height: int) -> bytes:
    """A small JPEG whose frame header says that it is large."""
    content = bytearray(encoded(".jpg", (32, 24)))
    at = content.index(b"\xff\xc0")
    content[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(content)


def frames(**size: int) -> _JpegFrames:
    return _JpegFrames(CommandSource(argv=["c"], format="mjpeg", **size))


@pytest.fixture(autouse=True)
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """The shapes of all that OpenCV decodes meanwhile."""
    shapes: list[tuple[int, ...]] = []
    real = cv2.imdecode

    def imdecode(*arguments: object) -> object:
        image = real(*arguments)  # type: ignore[call-overload]
        shapes.append(() if image is None else image.shape)
        return image

    monkeypatch.setattr(cv2, "imdecode", imdecode)
    return shapes


@pytest.mark.parametrize(("width", "height"), [(20_000, 20_000), (65_500, 65_500), (7681, 4320)])
def test_a_frame_that_claims_to_be_huge_is_refused_undecoded(
    width: int, height: int, decoded: list[tuple[int, ...]]
) -> None:
    with pytest.raises(CameraFormatError, match=f"{width} x {height} pixels; at most"):
        frames().read(cast("Child", Pipe(bomb(width, height))), 0.0)
    assert decoded == []


def test_a_frame_of_another_size_than_stated_is_refused_undecoded(decoded: list[tuple[int, ...]]) -> None:
    stated = frames(width=32, height=24)
    stream = cast("Child", Pipe(encoded(".jpg", (32, 24)) + encoded(".jpg", (64, 48))))
    assert stated.read(stream, 0.0).shape == (24, 32, 3)
    with pytest.raises(CameraFormatError, match=r"64x48, expected 32x24"):
        stated.read(stream, 0.0)
    assert decoded == [(24, 32, 3)]


def test_a_picture_that_opencv_refuses_counts_as_damaged(monkeypatch: pytest.MonkeyPatch) -> None:
    def refusing(*_: object) -> None:
        raise cv2.error("too large")

    monkeypatch.setattr(cv2, "imdecode", refusing)
    with pytest.raises(CameraError, match="cannot be decoded"):
        frames().read(cast("Child", Pipe(encoded(".jpg") * 20)), 0.0)


def test_a_replay_passes_over_a_bomb(tmp_path, decoded: list[tuple[int, ...]]) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    path = tmp_path / "one.jpg"
    for content in (bomb(20_000, 20_000), png_claiming(2**31 - 1), b"v/1\x01" + bytes(60)):
        path.write_bytes(content)
        assert read_picture(path) is None
    assert decoded == []
    tiff = cv2.imencode(".tiff", np.zeros((6, 8, 3), np.uint8))[1]
    path.write_bytes(tiff.tobytes())
    shown = read_picture(path)
    assert shown is not None
    assert shown.shape == (6, 8, 3)
