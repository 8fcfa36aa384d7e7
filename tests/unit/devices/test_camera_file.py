"""Replays of video files and folders."""

import logging
import struct
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from edged.config.sections import FileSource, FolderSource
from edged.devices.camera import Camera, CameraFormatError, EndOfStream
from edged.devices.camera_file import FileCamera, FolderCamera
from edged.domain.types import Image
from edged.errors import CameraError

FAST = 240.0


def plain(level: int, width: int = 64, height: int = 48) -> Image:
    return np.full((height, width, 3), level, np.uint8)


def jpeg(image: Image) -> bytes:
    return cv2.imencode(".jpg", image)[1].tobytes()


def turned_by_exif(data: bytes, orientation: int) -> bytes:
    """Insert an EXIF segment that holds the orientation alone."""
    tags = struct.pack(">HHHIHH", 1, 0x0112, 3, 1, orientation, 0) + bytes(4)
    body = b"Exif\0\0MM\0*" + struct.pack(">I", 8) + tags
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + data[2:]


def write_video(path: Path, levels: list[int], fps: float = 20.0) -> None:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), fps, (64, 48))
    assert writer.isOpened()
    for level in levels:
        writer.write(plain(level))
    writer.release()


def levels_of(camera: Camera, count: int | None = None) -> list[int]:
    """Play to the end or for ``count`` pictures; the mean grey level of each."""
    camera.open()
    found: list[int] = []
    try:
        while count is None or len(found) < count:
            found.append(round(float(camera.read().mean())))
    except EndOfStream:
        assert count is None
    finally:
        camera.close()
    return found


def test_a_video_is_played_to_its_end_and_can_be_played_again(tmp_path: Path) -> None:
    write_video(tmp_path / "a.avi", [10, 90, 170])
    camera = FileCamera(FileSource(path=tmp_path / "a.avi", fps=FAST))
    for _ in range(2):
        assert levels_of(camera) == pytest.approx([10, 90, 170], abs=2)


def test_a_video_loops_when_asked(tmp_path: Path) -> None:
    write_video(tmp_path / "a.avi", [10, 90])
    camera = FileCamera(FileSource(path=tmp_path / "a.avi", fps=FAST, loop=True))
    assert levels_of(camera, 7) == pytest.approx([10, 90, 10, 90, 10, 90, 10], abs=2)


def test_a_video_keeps_its_own_speed(tmp_path: Path) -> None:
    write_video(tmp_path / "a.avi", [10] * 5, fps=20)
    started_at = time.monotonic()
    levels_of(FileCamera(FileSource(path=tmp_path / "a.avi")))
    assert time.monotonic() - started_at >= 4 / 20


@pytest.mark.parametrize("content", [b"", b"no video at all" * 100, b"RIFF\x00\x10\x00\x00AVI LIST"])
def test_a_corrupt_video_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.avi"
    path.write_bytes(content)
    camera = FileCamera(FileSource(path=path, fps=FAST))
    with pytest.raises(CameraFormatError):
        levels_of(camera)


def test_a_video_cut_short_plays_what_is_there_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_video(tmp_path / "whole.avi", [10, 60, 110, 160] * 20)
    whole = (tmp_path / "whole.avi").read_bytes()
    (tmp_path / "cut.avi").write_bytes(whole[: len(whole) // 2])
    with caplog.at_level(logging.WARNING):
        played = levels_of(FileCamera(FileSource(path=tmp_path / "cut.avi", fps=FAST)))
    assert 1 <= len(played) < 72
    assert "ended early" in caplog.text


def test_a_missing_video_is_named(tmp_path: Path) -> None:
    with pytest.raises(CameraError, match=r"absent\.mp4 is not a file"):
        FileCamera(FileSource(path=tmp_path / "absent.mp4")).open()


def test_photographs_come_by_name_and_are_held(tmp_path: Path) -> None:
    for name, level in [("b.jpg", 120), ("a.PNG", 30), ("notes.txt", 0)]:
        suffix = Path(name).suffix.lower()
        data = cv2.imencode(suffix, plain(level))[1].tobytes() if suffix != ".txt" else b"x"
        (tmp_path / name).write_bytes(data)
    camera = FolderCamera(FolderSource(path=tmp_path, fps=FAST, hold_frames=2))
    assert levels_of(camera) == pytest.approx([30, 30, 120, 120], abs=2)
    camera = FolderCamera(FolderSource(path=tmp_path, fps=FAST, loop=True))
    assert levels_of(camera, 5) == pytest.approx([30, 120, 30, 120, 30], abs=2)


def test_photographs_may_differ_in_size_and_stand_upright(tmp_path: Path) -> None:
    lying = np.zeros((40, 80, 3), np.uint8)
    lying[:, :40] = 255
    (tmp_path / "a.jpg").write_bytes(turned_by_exif(jpeg(lying), 6))
    (tmp_path / "b.jpg").write_bytes(jpeg(plain(50, 32, 32)))
    camera = FolderCamera(FolderSource(path=tmp_path, fps=FAST))
    camera.open()
    upright = camera.read()
    assert upright.shape == (80, 40, 3)
    assert upright[:35].mean() > 250
    assert upright[45:].mean() < 5
    assert camera.read().shape == (32, 32, 3)
    camera.close()


def test_an_unreadable_photograph_is_skipped_and_its_name_is_not_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "Ada_Lovelace.jpg").write_bytes(jpeg(plain(9))[:120])
    (tmp_path / "Alan_Turing.jpg").touch()
    (tmp_path / "Zuse.jpg").write_bytes(jpeg(plain(77)))
    with caplog.at_level(logging.WARNING):
        played = levels_of(FolderCamera(FolderSource(path=tmp_path, fps=FAST)))
    assert played == pytest.approx([77], abs=2)
    assert "number=1 of=3" in caplog.text
    assert "Lovelace" not in caplog.text


def test_a_folder_of_unreadable_photographs_fails_even_when_it_loops(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"x")
    camera = FolderCamera(FolderSource(path=tmp_path, loop=True))
    with pytest.raises(CameraFormatError, match="none of its 1 photographs"):
        levels_of(camera)


def test_an_empty_or_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CameraError, match="holds no photograph"):
        FolderCamera(FolderSource(path=tmp_path)).open()
    with pytest.raises(CameraError, match="cannot be listed: No such file"):
        FolderCamera(FolderSource(path=tmp_path / "absent")).open()


def test_closing_wakes_a_reader_that_waits_for_its_turn(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg(plain(50)))
    camera = FolderCamera(FolderSource(path=tmp_path, fps=0.01, loop=True))
    camera.open()
    camera.read()
    threading.Timer(0.05, camera.close).start()
    with pytest.raises(CameraError) as caught:
        camera.read()
    assert not isinstance(caught.value, EndOfStream)
