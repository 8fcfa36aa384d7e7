"""The capture worker in front of a driver that hangs."""

import time

from tests.unit.workers.capture_bench import Bench, pictures, running
from tests.unit.workers.scripted_camera import Fault, ScriptedCamera, picture


def test_a_read_that_never_returns_is_left_behind_and_the_worker_lives_on() -> None:
    camera = ScriptedCamera([picture(), Fault.STUCK], pictures())
    with running(camera) as bench:
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
        assert bench.worker.silence(time.monotonic()) < 1
        camera.released.set()
        bench.wait_for(lambda: bench.worker.state == "up")


def test_stopping_does_not_wait_for_a_stuck_read() -> None:
    camera = ScriptedCamera([picture(), Fault.STUCK])
    bench = Bench(camera, no_frame_timeout_ms=60_000)
    bench.worker.start()
    bench.wait_for(lambda: bench.worker.state == "up")
    bench.worker.stop()
    assert bench.worker.join(5)
    assert not camera.released.is_set()
    assert bench.worker.failure is None
    camera.released.set()
