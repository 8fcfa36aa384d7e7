"""One word for a camera."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from edged.config.sections import CameraConfig, FolderSource, V4l2Source
from edged.demo.viewpoint import first_working, sources
from edged.errors import CameraError


@pytest.mark.parametrize("url", ["rtsp://10.0.0.7/stream", "https://cam/mjpeg", "http://cam/"])
def test_an_address_is_a_stream(url: str) -> None:
    assert sources(url) == ({"type": "url", "url": url},)


def test_a_file_is_a_recording(tmp_path: Path) -> None:
    clip = tmp_path / "clip.avi"
    clip.touch()
    assert sources(str(clip)) == ({"type": "file", "path": str(clip)},)


def test_a_device_is_tried_in_two_sizes() -> None:
    found = sources("/dev/null")  # a device file like any other
    assert [source["type"] for source in found] == ["v4l2", "v4l2"]
    assert [source["width"] for source in found] == [1280, 640]


@pytest.mark.parametrize("text", ["987", "/dev/video-of-nobody", "clip.mp4"])
def test_a_camera_that_is_not_there_is_told_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CameraError, match=rf"--camera {text}: .* is not there; this machine has"):
        sources(text)


def test_the_first_that_gives_a_picture_is_taken(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (48, 64, 3), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / "a.png"), noise)
    working = CameraConfig(source=FolderSource(path=tmp_path))
    assert first_working([working]) == 0


def test_where_none_works_the_reason_is_told(tmp_path: Path) -> None:
    gone = CameraConfig(source=V4l2Source(device=str(tmp_path / "video9")), first_frame_timeout_ms=100)
    with pytest.raises(CameraError, match=r"gives no picture: .*is not there"):
        first_working([gone], patience_seconds=1.0)
