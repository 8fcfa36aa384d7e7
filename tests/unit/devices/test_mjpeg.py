"""Cutting a byte stream into JPEG pictures."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.devices.camera import CameraFormatError
from edged.devices.mjpeg import MjpegSplitter


def jpeg(seed: int, size: int = 24, *options: int) -> bytes:
    picture = np.random.default_rng(seed).integers(0, 255, (size, size, 3), np.uint8)
    return cv2.imencode(".jpg", picture, list(options))[1].tobytes()


PICTURES = [
    jpeg(1),
    jpeg(2, 40, cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
    jpeg(3, 64, cv2.IMWRITE_JPEG_RST_INTERVAL, 1),
]
STREAM = b"".join(PICTURES)


def split(stream: bytes, sizes: list[int], limit: int = 1 << 20) -> list[bytes]:
    splitter, found, at = MjpegSplitter(limit), [], 0
    for size in [*sizes, len(stream)]:
        splitter.feed(stream[at : at + size])
        at += size
        while (picture := splitter.next()) is not None:
            found.append(picture)
    return found


@given(st.lists(st.integers(1, 700), max_size=30))
def test_pictures_survive_any_cutting_of_the_stream(sizes: list[int]) -> None:
    assert split(STREAM, sizes) == PICTURES


def test_single_bytes_are_enough() -> None:
    assert split(STREAM, [1] * len(STREAM)) == PICTURES


@given(st.binary(max_size=200).filter(lambda data: b"\xff" not in data))
def test_bytes_between_pictures_are_skipped(garbage: bytes) -> None:
    assert split(garbage + PICTURES[0] + garbage + PICTURES[1], []) == PICTURES[:2]


def test_a_thumbnail_inside_a_segment_does_not_end_the_picture() -> None:
    thumbnail = jpeg(9, 16)
    segment = b"\xff\xe1" + (len(thumbnail) + 2).to_bytes(2, "big") + thumbnail
    picture = PICTURES[0][:2] + segment + PICTURES[0][2:]
    assert split(picture + PICTURES[1], [7] * 40) == [picture, PICTURES[1]]


def test_a_picture_cut_short_costs_only_itself() -> None:
    cut = PICTURES[2][: len(PICTURES[2]) * 3 // 4].rstrip(b"\xff")
    assert split(cut + PICTURES[0], []) == [PICTURES[0]]


def test_a_start_without_a_picture_behind_it_is_passed_over() -> None:
    assert split(b"\xff\xd8nonsense" + PICTURES[0], [3, 4]) == [PICTURES[0]]


def test_fill_bytes_between_segments_are_allowed() -> None:
    picture = PICTURES[0][:2] + b"\xff\xff" + PICTURES[0][2:-2] + b"\xff\xff\xff\xd9"
    assert split(picture, [1] * len(picture)) == [picture]


@pytest.mark.parametrize("flood", [b"\x00" * 5000, b"\xff\xd8\xff\xe0\xff\xff" + b"\x00" * 5000])
def test_a_flood_without_a_picture_is_bounded(flood: bytes) -> None:
    with pytest.raises(CameraFormatError, match="JPEG within 4096 bytes"):
        split(flood, [100] * 60, limit=4096)


@given(st.binary(max_size=3000))
def test_no_input_breaks_it(data: bytes) -> None:
    splitter = MjpegSplitter(1 << 16)
    splitter.feed(data)
    while (picture := splitter.next()) is not None:
        assert picture[:2] == b"\xff\xd8"
        assert picture[-2:] == b"\xff\xd9"
