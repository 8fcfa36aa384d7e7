"""The capture worker in front of a driver that hangs."""

import time

import pytest

from edged.errors import CameraError
from edged.workers.reader import FrameReader
from tests.unit.workers.capture_bench import Bench, pictures, running
from tests.unit.workers.scripted_camera import Fault, ScriptedCamera, picture


def test_a_read_that_never_returns_is_left_behind_and_the_worker_lives_on() -> None:
    camera = ScriptedCamera([picture(), Fault.STUCK], pictures())
    with running(camera, no_frame_timeout_ms=500) as bench:
        bench.wait_for(lambda: bench.states == ["up", "down", "up"])
        assert not camera.released.is_set()
        assert bench.worker.silence(time.monotonic()) < bench.worker.stall_seconds


def test_threads_left_behind_are_bounded_and_freed_ones_make_room() -> None:
    camera = ScriptedCamera(*[[Fault.STUCK]] * 3, pictures())
    with running(camera, first_frame_timeout_ms=30) as bench:
        bench.wait_for(lambda: camera.opened == 3)
        opened_by_then = camera.opened
        time.sleep(1.6)  # the third reader is given up 1.25 s after its timeout
        assert camera.opened == opened_by_then
        assert bench.worker.silence(time.monotonic()) < bench.worker.stall_seconds
        camera.released.set()
        bench.wait_for(lambda: "up" in bench.states)


def test_stopping_does_not_wait_for_a_stuck_read() -> None:
    camera = ScriptedCamera([picture(), Fault.STUCK])
    bench = Bench(camera, no_frame_timeout_ms=60_000)
    bench.worker.start()
    bench.wait_for(lambda: bench.worker.state == "up")
    bench.worker.stop()
    assert bench.worker.join(30)
    assert not camera.released.is_set()
    assert bench.worker.failure is None
    camera.released.set()


def test_a_camera_that_stays_frozen_is_opened_again_until_it_moves() -> None:
    still = picture()
    camera = ScriptedCamera([still] * 4000, [still] * 10, pictures(), period=0.005)
    with running(camera, no_frame_timeout_ms=1500) as bench:
        bench.wait_for(lambda: bench.states == ["up", "frozen"])
        assert camera.opened == 1
        bench.wait_for(lambda: camera.opened >= 2)
        bench.wait_for(lambda: bench.worker.state == "up")
    # The same picture after opening again is still the same picture, found to be before it hangs or not.
    assert bench.states[:3] == ["up", "frozen", "down"]
    assert set(bench.states[3:-1]) <= {"frozen", "down"}
    assert bench.states[-1] == "up"


def test_the_worker_gives_up_when_no_stuck_thread_comes_back() -> None:
    camera = ScriptedCamera([Fault.STUCK])
    worker = Bench(camera).worker
    readers = [FrameReader(camera) for _ in range(3)]
    try:
        worker._stuck = list(readers)
        worker._stuck_since = 1000.0
        assert not worker._may_open(1059.0)
        with pytest.raises(CameraError, match="3 reads never returned"):
            worker._may_open(1061.0)
    finally:
        camera.released.set()
    assert all(reader.finish() for reader in readers)
    assert worker._may_open(1062.0)
