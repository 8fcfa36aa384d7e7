import struct

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edged.domain.picture_size import picture_size
from edged.enrolment.pictures import MAX_SIDE, decode_picture
from edged.errors import EnrolmentError

FORMATS = (".jpg", ".png", ".webp", ".bmp")


def encoded(suffix: str, width: int = 60, height: int = 40) -> bytes:
    ramp = np.linspace(0, 255, width * height * 3).astype(np.uint8).reshape(height, width, 3)
    done, content = cv2.imencode(suffix, ramp)
    assert done
    return content.tobytes()


def with_orientation(jpeg: bytes, orientation: int) -> bytes:
    """Put an EXIF block with nothing but the orientation behind the start marker."""
    tiff = b"II*\x00\x08\x00\x00\x00" + struct.pack("<HHHIHHI", 1, 0x0112, 3, 1, orientation, 0, 0)
    body = b"Exif\x00\x00" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


def reason_of(content: bytes) -> str:
    with pytest.raises(EnrolmentError) as caught:
        decode_picture(content)
    return caught.value.reason


def outcome(content: bytes) -> str:
    try:
        decode_picture(content)
    except EnrolmentError as exc:
        return exc.reason
    return "a picture"


@pytest.mark.parametrize("suffix", FORMATS)
@given(width=st.integers(1, 300), height=st.integers(1, 300))
@settings(max_examples=15, deadline=None)
def test_the_header_tells_the_size_that_decoding_gives(suffix: str, width: int, height: int) -> None:
    content = encoded(suffix, width, height)
    assert picture_size(content) == (width, height)
    assert decode_picture(content).shape == (height, width, 3)


def test_a_lossless_webp_tells_its_size() -> None:
    image = np.zeros((33, 70, 3), np.uint8)
    _, content = cv2.imencode(".webp", image, [cv2.IMWRITE_WEBP_QUALITY, 101])
    assert content.tobytes()[12:16] == b"VP8L"
    assert picture_size(content.tobytes()) == (70, 33)


def test_an_extended_webp_tells_its_size() -> None:
    header = b"RIFF\x00\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x00\x00\x00\x00"
    assert picture_size(header + (69).to_bytes(3, "little") + (32).to_bytes(3, "little")) == (70, 33)


def test_exif_orientation_turns_the_picture_upright() -> None:
    upright = np.zeros((40, 60, 3), np.uint8)
    upright[:, :30] = 255
    _, stored = cv2.imencode(".jpg", cv2.rotate(upright, cv2.ROTATE_90_COUNTERCLOCKWISE))
    shown = decode_picture(with_orientation(stored.tobytes(), 6))
    assert shown.shape == upright.shape
    assert np.abs(shown.astype(int) - upright).mean() < 5


def test_a_bomb_is_refused_by_its_header() -> None:
    small = bytearray(encoded(".png"))
    small[16:24] = struct.pack(">II", 60_000, 60_000)
    assert reason_of(bytes(small)) == "too_large"


def test_the_largest_frame_header_of_a_jpeg_counts() -> None:
    bomb = b"\xff\xc0\x00\x11\x08" + struct.pack(">HH", 50_000, 50_000) + b"\x03" + bytes(9)
    jpeg = encoded(".jpg")
    assert reason_of(jpeg[:2] + bomb + jpeg[2:]) == "too_large"


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_torn_picture_is_unreadable(suffix: str) -> None:
    content = encoded(suffix)
    assert reason_of(content[: len(content) // 2]) == "unreadable"


def test_an_embedded_thumbnail_does_not_hide_a_tear() -> None:
    thumbnail = encoded(".jpg", 16, 16)
    jpeg = encoded(".jpg")
    block = b"\xff\xe1" + struct.pack(">H", len(thumbnail) + 2) + thumbnail
    torn = jpeg[:2] + block + jpeg[2:-2]
    assert reason_of(torn) == "unreadable"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html>sign in</html>", "web page"),
        (b"\x00\x00\x00\x18ftypheic" + bytes(40), "HEIC"),
        (b"%PDF-1.7", "PDF"),
        (b"GIF89a" + bytes(40), "GIF"),
        (b"PK\x03\x04" + bytes(40), "zip"),
        (b"hello", "not a picture"),
    ],
)
def test_what_is_no_photograph_is_named(content: bytes, said: str) -> None:
    with pytest.raises(EnrolmentError, match=said) as caught:
        decode_picture(content)
    assert caught.value.reason == "unreadable"


def test_a_large_picture_is_shrunk_and_keeps_its_shape() -> None:
    shape = decode_picture(encoded(".bmp", 2 * MAX_SIDE, 100)).shape
    assert shape == (50, MAX_SIDE, 3)


@pytest.mark.parametrize("suffix", FORMATS)
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_damage_gives_a_picture_or_a_reason(suffix: str, data: st.DataObject) -> None:
    content = bytearray(encoded(suffix))
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    del content[data.draw(st.integers(1, len(content))) :]
    assert outcome(bytes(content)) in ("a picture", "unreadable", "too_large")
