"""The camera that the configuration asks for."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from edged.config.sections import (
    CameraConfig,
    CameraSource,
    CommandSource,
    FileSource,
    FolderSource,
    UrlSource,
    V4l2Source,
)
from edged.devices.camera_factory import open_camera


@pytest.mark.parametrize(
    ("source", "live"),
    [
        (V4l2Source(device="/dev/video0"), True),
        (UrlSource(url="rtsp://cam/x"), True),
        (CommandSource(argv=["cat"], format="mjpeg"), True),
        (FileSource(path=Path("a.mp4")), False),
        (FolderSource(path=Path("photos")), False),
    ],
)
@pytest.mark.parametrize("rotate", [0, 180])
def test_live_sources_are_told_from_replays(source: CameraSource, live: bool, rotate: int) -> None:
    assert open_camera(CameraConfig(source=source, rotate=rotate)).live is live


@pytest.mark.parametrize(("degrees", "corner"), [(0, (0, 0)), (90, (0, -1)), (180, (-1, -1)), (270, (-1, 0))])
def test_pictures_are_turned_clockwise(tmp_path: Path, degrees: int, corner: tuple[int, int]) -> None:
    picture = np.zeros((20, 30, 3), np.uint8)
    picture[0, 0] = 255
    cv2.imwrite(str(tmp_path / "a.png"), picture)
    camera = open_camera(CameraConfig(source=FolderSource(path=tmp_path), rotate=degrees))
    camera.open()
    turned = camera.read()
    camera.close()
    assert turned.shape == ((20, 30, 3) if degrees in {0, 180} else (30, 20, 3))
    assert turned[corner].tolist() == [255, 255, 255]
