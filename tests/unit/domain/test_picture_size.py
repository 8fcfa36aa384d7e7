"""What would cost more than it is, refused by its header; the decoder is never asked."""

import os
import struct
import subprocess
import sys
import zlib

import cv2
import numpy as np
import pytest

from edged.domain.picture_size import MAX_PIXELS, MAX_SCANS, check_picture, picture_size
from edged.errors import PictureError


def png(width: int, height: int, *, claimed: int | None = None) -> bytes:
    """A PNG by its chunks; ``claimed`` is the length that its last one states."""
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(bytes(64))),
    ]
    chunks = [struct.pack(">I", len(body)) + kind + body + bytes(4) for kind, body in parts]
    end = (
        struct.pack(">I", 0 if claimed is None else claimed)
        + (b"IEND" if claimed is None else b"IDAT")
        + bytes(4)
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks) + end


def jpeg(width: int, height: int) -> bytes:
    return (
        b"\xff\xd8\xff\xc0\x00\x11\x08" + struct.pack(">HH", height, width) + b"\x03" + bytes(9)
        + b"\xff\xda\x00\x02" + bytes(8) + b"\xff\xd9"
    )  # fmt: skip


def webp(width: int, height: int) -> bytes:
    return (
        b"RIFF\x00\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x02\x00\x00\x00"
        + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    )  # fmt: skip


def bmp(width: int, height: int) -> bytes:
    return b"BM" + bytes(12) + struct.pack("<Iii", 40, width, -height) + bytes(40)


def animated(width: int, height: int) -> bytes:
    """The head of an APNG of two frames."""
    still = png(width, height)
    control = struct.pack(">I", 8) + b"acTL" + struct.pack(">II", 2, 0) + bytes(4)
    return still[:33] + control + still[33:]


def reason_of(content: bytes, **limit: int) -> tuple[str, str]:
    with pytest.raises(PictureError) as caught:
        check_picture(content, **limit)
    return caught.value.reason, str(caught.value)


@pytest.mark.parametrize("kind", [png, jpeg, webp, bmp, animated])
@pytest.mark.parametrize("size", [(20_000, 20_000), (8001, 8000)])
def test_a_bomb_is_refused_by_its_header_with_what_was_got_and_the_limit(kind, size) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    reason, text = reason_of(kind(*size))
    assert reason == "too_large"
    assert text == f"{size[0]} x {size[1]} pixels; at most 64 megapixels are read"


@pytest.mark.parametrize("kind", [png, jpeg, webp, bmp, animated])
def test_what_is_just_within_the_limit_may_be_decoded(kind) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    assert check_picture(kind(8000, 8000)) == (8000, 8000)
    assert reason_of(kind(101, 100), max_pixels=10_000)[0] == "too_large"


@pytest.mark.parametrize(
    ("head", "told"),
    [
        (b"GIF89a" + struct.pack("<HH", 20_000, 20_000), "a GIF"),
        (b"II*\x00\x08\x00\x00\x00", "a TIFF"),
        (b"MM\x00*", "a TIFF"),
        (b"\x00\x00\x00\x20ftypavif", "AVIF"),
        (b"P6 20000 20000 255\n", "not a picture"),
        (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "not a picture"),
        (b"#?RADIANCE\n-Y 20000 +X 20000\n", "not a picture"),
        (b"\x59\xa6\x6a\x95", "not a picture"),
        (b"v/1\x01", "not a picture"),
    ],
)
def test_what_no_camera_writes_reaches_no_decoder(head: bytes, told: str) -> None:
    reason, text = reason_of(head + bytes(100))
    assert reason == "unreadable"
    assert told in text


def test_a_png_that_claims_more_than_it_has_is_torn() -> None:
    """OpenCV 5.0 makes room for what a chunk claims: 2 GB for a file of a hundred bytes."""
    for claimed in (1000, 2**31 - 1, 2**32 - 1):
        reason, text = reason_of(png(8, 8, claimed=claimed))
        assert reason == "unreadable"
        assert "torn PNG" in text


def test_a_png_whose_first_chunk_is_no_header_is_damaged() -> None:
    assert reason_of(png(8, 8).replace(b"IHDR", b"tEXt"))[0] == "unreadable"


def test_a_jpeg_that_would_be_gone_over_a_thousand_times_is_refused() -> None:
    picture = np.zeros((16, 16, 3), np.uint8)
    content = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    assert check_picture(content) == (16, 16)
    last = content[content.rindex(b"\xff\xda") : -2]
    reason, text = reason_of(content[:-2] + last * 1000 + content[-2:])
    assert reason == "too_large"
    assert f"at most {MAX_SCANS}" in text


def test_the_decoder_has_the_same_limit_of_its_own() -> None:
    """OpenCV reads it when it is loaded, so another process has to."""
    code = (
        "import edged, cv2, numpy as np, os\n"
        "head = b'P5 9000 9000 255\\n'\n"
        "try: print(cv2.imdecode(np.frombuffer(head + bytes(100), np.uint8), cv2.IMREAD_COLOR))\n"
        "except cv2.error: print('refused', os.environ['OPENCV_IO_MAX_IMAGE_PIXELS'])\n"
    )
    bare = {name: value for name, value in os.environ.items() if name != "OPENCV_IO_MAX_IMAGE_PIXELS"}
    done = subprocess.run([sys.executable, "-c", code], env=bare, capture_output=True, text=True, check=True)
    assert done.stdout.split() in (["refused", str(MAX_PIXELS)], ["None"])
    assert os.environ["OPENCV_IO_MAX_IMAGE_PIXELS"] == str(MAX_PIXELS)


@pytest.mark.parametrize("kind", [png, jpeg, webp, bmp])
def test_a_header_cut_short_anywhere_is_unreadable(kind) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    whole = kind(30, 20)
    for cut in range(24):
        with pytest.raises(PictureError):
            picture_size(whole[:cut])
