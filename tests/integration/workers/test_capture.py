"""The capture worker against a scripted camera."""

import itertools
import logging
import threading
import time

import pytest

from edged.devices.camera import CameraFormatError, EndOfStream
from edged.errors import CameraError
from tests.unit.workers.capture_bench import Bench, pictures, running
from tests.unit.workers.scripted_camera import ScriptedCamera, picture


def test_frames_are_numbered_stamped_read_only_and_up_to_date() -> None:
    with running(ScriptedCamera(pictures())) as bench:
        before = time.monotonic()
        first = bench.slot.take(30)
        second = bench.slot.take(30)
        assert first is not None
        assert second is not None
        assert first.seq < second.seq
        assert before - 1 < first.captured_at < second.captured_at <= time.monotonic()
        with pytest.raises(ValueError, match="read-only"):
            first.image[0, 0] = 0
        assert bench.states == ["up"]
        assert bench.sample("edged_camera_up") == 1
        assert abs(bench.sample("edged_camera_last_frame_timestamp_seconds") - time.time()) < 60
    assert bench.sample("edged_camera_up") == 0


def test_a_slow_consumer_sees_the_newest_frame_and_the_rest_is_counted() -> None:
    with running(ScriptedCamera(pictures())) as bench:
        bench.wait_for(lambda: bench.sample("edged_frames_total", result="captured") >= 40)
        frame = bench.slot.take(30)
        assert frame is not None
        assert frame.seq > 20
        assert bench.sample("edged_frames_total", result="replaced") >= 20


def test_an_outage_is_logged_once_counted_and_recovered(caplog: pytest.LogCaptureFixture) -> None:
    gone = CameraError("unplugged")
    camera = ScriptedCamera([picture(), gone], gone, gone, pictures())
    with caplog.at_level(logging.DEBUG), running(camera) as bench:
        bench.wait_for(lambda: bench.states == ["up", "down", "up"])
        assert bench.worker.problem == ""
    assert bench.sample("edged_camera_faults_total", fault="ended") == 1
    assert bench.sample("edged_camera_faults_total", fault="open") == 2
    assert bench.sample("edged_camera_reconnects_total") == 1
    ours = [record for record in caplog.records if "camera" in record.getMessage()]
    assert [record.levelname for record in ours if record.levelno >= logging.INFO] == ["WARNING", "INFO"]


def test_a_camera_that_was_never_there_is_down_with_the_reason() -> None:
    with running(ScriptedCamera(CameraError("no such device"))) as bench:
        assert bench.worker.state == "down"
        bench.wait_for(lambda: bench.sample("edged_camera_faults_total", fault="open") >= 3)
        assert bench.states == ["down"]
        assert bench.worker.problem == "no such device"


def test_a_stall_closes_the_camera_and_opens_it_again() -> None:
    camera = ScriptedCamera([picture()], pictures())
    with running(camera, no_frame_timeout_ms=500) as bench:
        bench.wait_for(lambda: bench.states == ["up", "down", "up"])
    assert bench.sample("edged_camera_faults_total", fault="timeout") == 1
    assert camera.opened == 2


def test_a_wrong_format_has_its_own_fault() -> None:
    with running(ScriptedCamera(CameraFormatError("640x480"))) as bench:
        bench.wait_for(lambda: bench.sample("edged_camera_faults_total", fault="format") >= 1)


def test_repeated_pictures_are_never_passed_on_and_freeze_the_camera() -> None:
    still = picture()
    script = [picture(), *[still] * 40, *[picture() for _ in range(500)]]
    with running(ScriptedCamera(script)) as bench:
        taken = bench.frames_until(lambda: bench.states == ["up", "frozen", "up"])
    shown = [frame for frame in taken if (frame.image == still).all()]
    assert len(shown) <= 1
    assert bench.sample("edged_camera_faults_total", fault="frozen") == 1


def test_a_replay_may_hold_its_pictures() -> None:
    still = picture()
    with running(ScriptedCamera([still] * 400, live=False)) as bench:
        bench.wait_for(lambda: bench.sample("edged_frames_total", result="captured") >= 50)
        assert bench.states == ["up"]
        frame = bench.slot.take(30)
        assert frame is not None
        assert frame.seq > 10


def test_a_covered_lens_is_reported_while_frames_flow() -> None:
    script = [picture(), *[picture(8, 0) for _ in range(30)], *[picture() for _ in range(500)]]
    with running(ScriptedCamera(script)) as bench:
        bench.wait_for(lambda: "blind" in bench.states)
        assert bench.sample("edged_camera_up") == 0 or "up" in bench.states[1:]
        bench.wait_for(lambda: bench.states == ["up", "blind", "up"])
    assert bench.sample("edged_camera_faults_total", fault="blind") == 1
    assert bench.sample("edged_frames_total", result="captured") >= 31


def test_what_nobody_wants_is_counted_and_not_decoded() -> None:
    turn = itertools.count()
    camera = ScriptedCamera(pictures())
    with running(camera, wanted=lambda _at: next(turn) % 3 == 0) as bench:
        bench.wait_for(lambda: bench.sample("edged_frames_total", result="captured") >= 40)
    captured = bench.sample("edged_frames_total", result="captured")
    assert bench.sample("edged_frames_total", result="skipped") == pytest.approx(captured * 2 / 3, abs=3)
    assert camera.decoded == pytest.approx(captured / 3, abs=3)


def test_a_camera_of_which_nothing_is_wanted_for_long_is_no_stalled_one() -> None:
    wanted = threading.Event()
    turn = itertools.count()
    with running(
        ScriptedCamera(pictures()),
        wanted=lambda _at: next(turn) == 0 or wanted.is_set(),
        no_frame_timeout_ms=500,
    ) as bench:
        bench.wait_for(lambda: bench.states == ["up"])
        time.sleep(1.2)  # more than twice the longest pause between two pictures
        wanted.set()
        bench.wait_for(lambda: bench.sample("edged_frames_total", result="skipped") >= 40)
        assert bench.states == ["up"]


def test_the_end_of_a_replay_is_no_fault_and_the_worker_idles() -> None:
    camera = ScriptedCamera([picture(), picture(), EndOfStream("over")], live=False)
    with running(camera) as bench:
        bench.wait_for(lambda: bench.states == ["up", "ended"])
        frame = bench.slot.take(30)
        assert frame is not None
        time.sleep(0.1)
        assert camera.opened == 1
        assert bench.worker.alive
        assert bench.worker.silence(time.monotonic()) < 5
    assert bench.sample("edged_camera_faults_total", fault="ended") == 0


def test_a_programming_error_in_a_camera_fails_the_worker() -> None:
    bench = Bench(ScriptedCamera([picture(), ZeroDivisionError("bug")]))
    bench.worker.start()
    assert bench.worker.join(30)
    assert isinstance(bench.worker.failure, ZeroDivisionError)
