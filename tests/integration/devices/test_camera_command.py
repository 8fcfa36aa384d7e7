"""The command source against real processes."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from edged.config.sections import CommandSource
from edged.devices.camera import CameraFormatError, CameraTimeoutError
from edged.devices.camera_command import CommandCamera
from edged.errors import CameraError
from tests.integration.devices.frame_writer import HEIGHT, WIDTH

WRITER = Path(__file__).with_name("frame_writer.py")


def source_of(kind: str, count: int | None = None, **size: int) -> CommandSource:
    argv = [sys.executable, str(WRITER), kind, *([] if count is None else [str(count)])]
    return CommandSource(argv=argv, format=kind if kind in {"i420", "bgr"} else "mjpeg", **size)


@contextmanager
def opened(source: CommandSource, frame_seconds: float = 30) -> Iterator[CommandCamera]:
    camera = CommandCamera(source, first_frame_seconds=30, frame_seconds=frame_seconds)
    camera.open()
    try:
        yield camera
    finally:
        camera.close()


@pytest.mark.parametrize("kind", ["mjpeg", "i420", "bgr"])
def test_frames_of_every_format_arrive_whole(kind: str) -> None:
    with opened(source_of(kind, width=WIDTH, height=HEIGHT)) as camera:
        frames = [camera.read() for _ in range(8)]
    assert all(frame.shape == (HEIGHT, WIDTH, 3) and frame.dtype == np.uint8 for frame in frames)
    # A frame out of step would bend the ramp.
    assert all(frame[:, :20].mean() < 80 and frame[:, -20:].mean() > 150 for frame in frames)


def test_a_program_that_hangs_within_a_frame_is_noticed_and_ended() -> None:
    with opened(source_of("hang", 1), frame_seconds=0.5) as camera:
        camera.read()
        with pytest.raises(CameraTimeoutError, match="wrote no frame in time"):
            camera.read()


def test_a_program_that_dies_is_quoted_without_its_credentials() -> None:
    with opened(source_of("die", 1)) as camera:
        camera.read()
        with pytest.raises(CameraError, match=r"status 3, saying 'no sensor at rtsp://10.0.0.9/1'"):
            camera.read()


def test_a_program_that_ends_within_a_frame_ends_the_stream() -> None:
    source = CommandSource(argv=["head", "-c", "1000", "/dev/zero"], format="bgr", width=64, height=64)
    with opened(source) as camera, pytest.raises(CameraError, match="'head' ended with status 0"):
        camera.read()


def test_a_flood_of_garbage_is_refused() -> None:
    with (
        opened(source_of("garbage", 0)) as camera,
        pytest.raises(CameraFormatError, match="no JPEG within"),
    ):
        camera.read()


def test_pictures_that_never_decode_are_refused() -> None:
    with (
        opened(source_of("broken", 0)) as camera,
        pytest.raises(CameraFormatError, match="16 pictures in a row"),
    ):
        camera.read()


def test_another_size_than_configured_is_refused() -> None:
    with (
        opened(source_of("mjpeg", width=640, height=480)) as camera,
        pytest.raises(CameraFormatError, match=f"writes {WIDTH}x{HEIGHT}, expected 640x480"),
    ):
        camera.read()


def test_a_command_that_does_not_exist_is_named() -> None:
    camera = CommandCamera(
        CommandSource(argv=["/nonexistent/rpicam-vid"], format="mjpeg"),
        first_frame_seconds=1,
        frame_seconds=1,
    )
    with pytest.raises(CameraError, match="'rpicam-vid' cannot be started: No such file"):
        camera.open()
    with pytest.raises(CameraError, match="not running"):
        camera.read()


def test_closing_wakes_a_reader_and_ends_the_whole_process_group(tmp_path: Path) -> None:
    note = tmp_path / "pids"
    script = f'sleep 60 & echo $! $$ > "{note}"; trap "" TERM; wait; sleep 60'
    camera = CommandCamera(
        CommandSource(argv=["sh", "-c", script], format="mjpeg"), first_frame_seconds=60, frame_seconds=60
    )
    camera.open()
    while not note.exists() or len(note.read_text().split()) < 2:
        time.sleep(0.01)
    closer = threading.Timer(0.1, camera.close)
    closer.start()
    started_at = time.monotonic()
    with pytest.raises(CameraError):
        camera.read()
    closer.join()
    for pid in map(int, note.read_text().split()):
        while is_running(pid):
            assert time.monotonic() - started_at < 50
            time.sleep(0.05)


def is_running(pid: int) -> bool:
    """Whether the process lives; an orphan that nobody reaps here counts as gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def open_descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_many_openings_leave_no_process_descriptor_or_thread() -> None:
    source = CommandSource(argv=["sh", "-c", "exec sleep 60"], format="mjpeg")
    camera = CommandCamera(source, first_frame_seconds=0.01, frame_seconds=0.01)
    threads, descriptors = set(threading.enumerate()), open_descriptors()
    for _ in range(30):
        camera.open()
        with pytest.raises(CameraTimeoutError):
            camera.read()
        camera.close()
    # Fewer are no leak: what an earlier test left behind may go at any time.
    assert set(threading.enumerate()) <= threads
    assert open_descriptors() <= descriptors
    children = subprocess.run(
        ["ps", "--ppid", str(os.getpid()), "-o", "comm="], capture_output=True, text=True, check=False
    )
    assert "sleep" not in children.stdout
