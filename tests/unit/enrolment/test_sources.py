from pathlib import Path

import numpy as np
import pytest

from edged.enrolment import sources
from edged.enrolment.fetching import Fetcher
from edged.enrolment.pictures import MAX_BYTES
from edged.enrolment.sources import FilePhoto, FramePhoto, UrlPhoto, photo_at
from edged.errors import EnrolmentError


def test_text_is_an_address_or_a_path() -> None:
    with Fetcher() as fetcher:
        assert isinstance(photo_at("HTTPS://host/a.jpg", Path("/base"), fetcher), UrlPhoto)
        assert photo_at("a.jpg", Path("/base"), fetcher) == FilePhoto(Path("/base/a.jpg"))
        assert photo_at("/else/a.jpg", Path("/base"), fetcher) == FilePhoto(Path("/else/a.jpg"))


@pytest.mark.parametrize(
    ("url", "label"),
    [
        ("https://user:secret@host/a.jpg?key=1#x", "https://host/a.jpg"),
        ("http://[broken/a.jpg?key=1", "http://[broken/a.jpg"),
    ],
)
def test_a_label_has_no_secrets(url: str, label: str) -> None:
    with Fetcher() as fetcher:
        assert UrlPhoto(url, fetcher).label == label


def test_files_that_cannot_be_read_have_reasons(tmp_path: Path) -> None:
    large = tmp_path / "large.jpg"
    with large.open("wb") as stream:
        stream.truncate(MAX_BYTES + 1)
    expected = {
        tmp_path / "missing.jpg": "not_found",
        tmp_path: "not_found",
        large: "too_large",
        Path("a\x00b"): "not_found",
    }
    for path, reason in expected.items():
        with pytest.raises(EnrolmentError) as caught:
            FilePhoto(path).content()
        assert caught.value.reason == reason


def test_a_frame_is_told_apart_by_its_pixels() -> None:
    one, other = (FramePhoto("frame", np.full((4, 4, 3), value, np.uint8)) for value in (1, 2))
    assert one.content() != other.content()
    assert one.decode(b"") is one.image
    assert sources.is_url("http://x")
