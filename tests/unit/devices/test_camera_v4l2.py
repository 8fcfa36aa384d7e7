"""Cameras of Video4Linux, as far as a machine without one can tell."""

import logging
from pathlib import Path

import pytest

from edged.config.sections import V4l2Source
from edged.devices.camera import CameraFormatError
from edged.devices.camera_v4l2 import V4l2Camera, VideoMode, check_mode
from edged.errors import CameraError

ASKED = VideoMode(1280, 720, 15.0, "MJPG")


def test_a_missing_device_is_named() -> None:
    with pytest.raises(CameraError, match="/dev/v4l/by-id/none is not there"):
        V4l2Camera(V4l2Source(device="/dev/v4l/by-id/none")).open()


def test_a_file_that_is_no_camera_is_refused_and_can_be_tried_again(tmp_path: Path) -> None:
    path = tmp_path / "video0"
    path.touch()
    camera = V4l2Camera(V4l2Source(device=str(path)))
    for _ in range(3):
        with pytest.raises(CameraError, match="cannot be opened"):
            camera.open()
        with pytest.raises(CameraError):
            camera.read()
        camera.close()


def test_another_size_is_an_error_that_names_both() -> None:
    with pytest.raises(CameraFormatError, match=r"got 640x480 MJPG at 15 fps, expected 1280x720 MJPG"):
        check_mode(VideoMode(640, 480, 15.0, "MJPG"), ASKED)


@pytest.mark.parametrize("got", [VideoMode(1280, 720, 7.5, "MJPG"), VideoMode(1280, 720, 15.0, "YUYV")])
def test_another_rate_or_format_is_logged(got: VideoMode, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        check_mode(got, ASKED)
    assert str(got) in caplog.text
    assert str(ASKED) in caplog.text


def test_a_rounded_rate_is_the_same_rate(caplog: pytest.LogCaptureFixture) -> None:
    check_mode(VideoMode(1280, 720, 14.99, "MJPG"), ASKED)
    assert caplog.text == ""
