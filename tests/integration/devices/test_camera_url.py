"""Network cameras that answer, stall, reset, refuse and stay silent."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edged.config.sections import UrlSource
from edged.devices.camera import CameraTimeoutError
from edged.devices.camera_url import UrlCamera
from edged.errors import CameraError
from tests.fakes.doorway import until
from tests.integration.devices.mjpeg_server import number_of, serving, silent_port

SECRET = "p@ss:w/ör%d?#"


@contextmanager
def opened(url: str, **settings: object) -> Iterator[UrlCamera]:
    settings = {"open_timeout_ms": 10_000, "read_timeout_ms": 10_000, **settings}
    camera = UrlCamera(UrlSource(url=url, **settings))
    camera.open()
    try:
        yield camera
    finally:
        camera.close()


def test_frames_arrive_in_order() -> None:
    with serving() as server, opened(server.url) as camera:
        numbers = [number_of(camera.read()) for _ in range(5)]
    assert numbers == sorted(set(numbers))


def test_a_stall_within_a_frame_ends_the_read_in_time() -> None:
    with serving() as server, opened(server.url, read_timeout_ms=1000) as camera:
        camera.read()
        server.mode = "stall"
        with pytest.raises(CameraTimeoutError, match="gave no frame within 1000 ms"):
            read_until_it_fails(camera)


def test_a_reset_connection_is_an_error_and_opening_again_works() -> None:
    with serving() as server, opened(server.url) as camera:
        camera.read()
        server.mode = "reset"
        with pytest.raises(CameraError):
            read_until_it_fails(camera)
        server.mode = "serve"
        camera.open()
        assert camera.read() is not None


def read_until_it_fails(camera: UrlCamera) -> None:
    """Read on; a picture that was cut short would be flat where it was not decoded."""
    for _ in range(500):
        assert camera.read()[-8:].std() > 10


@pytest.mark.parametrize("scheme", ["rtsp", "http"])
def test_a_peer_that_never_answers_fails_the_opening_in_time(scheme: str) -> None:
    with silent_port() as port:
        camera = UrlCamera(UrlSource(url=f"{scheme}://127.0.0.1:{port}/x", open_timeout_ms=1000))
        started_at = time.monotonic()
        with pytest.raises(CameraTimeoutError, match="did not answer within 1000 ms"):
            camera.open()
        assert time.monotonic() - started_at < 40


def test_a_refusal_is_no_timeout() -> None:
    with serving() as server:
        server.mode = "refuse"
        with pytest.raises(CameraError, match="cannot be opened") as caught, opened(server.url):
            pass
    assert not isinstance(caught.value, CameraTimeoutError)


def test_user_and_password_reach_the_camera_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "password").write_text(SECRET + "\n", encoding="utf-8")
    with (
        serving(credentials=f"door 1:{SECRET}") as server,
        opened(server.url, username="door 1", password_file=tmp_path / "password") as camera,
    ):
        assert camera.read() is not None


def test_a_wrong_password_fails_and_is_shown_nowhere(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "password").write_text("s3cretword", encoding="utf-8")
    with (
        serving(credentials=f"door:{SECRET}") as server,
        pytest.raises(CameraError) as caught,
        opened(server.url + "?token=t0ken", username="door", password_file=tmp_path / "password"),
    ):
        pass
    shown = f"{caught.value!r} {caught.value.__cause__!r} {caplog.text} {capfd.readouterr()}"
    assert "s3cretword" not in shown
    assert "t0ken" not in shown


def test_closing_during_a_read_returns_at_once_and_the_read_ends_by_itself() -> None:
    # The read would take two more seconds to time out.
    with serving() as server, opened(server.url, read_timeout_ms=3000) as camera:
        camera.read()
        server.mode = "stall"
        ended: list[str] = []

        def read() -> None:
            try:
                read_until_it_fails(camera)
            except CameraError as exc:
                ended.append(str(exc))

        thread = threading.Thread(target=read)
        thread.start()
        time.sleep(0.2)
        camera.close()
        assert not ended  # nobody waited for it
        thread.join(30)
        assert ended == ["the camera was closed"]


def test_many_openings_leave_no_thread_or_descriptor() -> None:
    def open_and_close(port: int) -> None:
        camera = UrlCamera(UrlSource(url=f"http://127.0.0.1:{port}/x", open_timeout_ms=20))
        with pytest.raises(CameraError):
            camera.open()
        camera.close()

    with silent_port() as port:
        open_and_close(port)
        before = set(threading.enumerate()), task_count(), descriptor_count()
        for _ in range(30):
            open_and_close(port)
        until(lambda: set(threading.enumerate()) <= before[0])
        until(lambda: task_count() <= before[1])
        until(lambda: descriptor_count() <= before[2])


def task_count() -> int:
    return sum(1 for _ in Path("/proc/self/task").iterdir())


def descriptor_count() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@pytest.mark.parametrize("scheme", ["rtsp", "http"])
def test_a_peer_that_falls_silent_is_given_up_though_opening_may_take_long(scheme: str) -> None:
    # Some cameras need seconds to their first whole picture, and say something all the while.
    with silent_port() as port:
        source = UrlSource(url=f"{scheme}://127.0.0.1:{port}/x", open_timeout_ms=60_000, read_timeout_ms=500)
        camera = UrlCamera(source)
        started_at = time.monotonic()
        with pytest.raises(CameraTimeoutError, match="did not answer within 500 ms"):
            camera.open()
        assert time.monotonic() - started_at < 30
