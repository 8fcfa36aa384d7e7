"""A resource that is closed while another thread is inside."""

import threading

import pytest

from edged.devices.handle import Handle
from edged.errors import CameraError


def test_an_idle_handle_is_released_once() -> None:
    released: list[str] = []
    handle = Handle(lambda: released.append(threading.current_thread().name))
    handle.close()
    handle.close()
    assert released == [threading.current_thread().name]
    with pytest.raises(CameraError), handle.use():
        pass


def test_a_busy_handle_is_released_by_the_thread_that_uses_it() -> None:
    released: list[str] = []
    entered, leave = threading.Event(), threading.Event()
    handle = Handle(lambda: released.append(threading.current_thread().name))
    errors: list[str] = []

    def reader() -> None:
        try:
            with handle.use():
                entered.set()
                leave.wait(60)
        except CameraError as exc:
            errors.append(str(exc))

    thread = threading.Thread(target=reader, name="the-reader")
    thread.start()
    assert entered.wait(30)
    handle.close()
    assert released == []
    leave.set()
    thread.join(60)
    assert released == ["the-reader"]
    assert errors == ["the camera was closed"]


def test_an_error_inside_still_releases_a_closed_handle() -> None:
    released: list[int] = []
    handle = Handle(lambda: released.append(1))

    def fail() -> None:
        with handle.use():
            handle.close()
            raise CameraError("unplugged")

    with pytest.raises(CameraError, match="unplugged"):
        fail()
    assert released == [1]
