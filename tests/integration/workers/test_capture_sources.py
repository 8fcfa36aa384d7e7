"""The capture worker in front of real sources that fail and return."""

import sys
import time
from pathlib import Path

import pytest

from edged.config.sections import CommandSource, UrlSource
from edged.devices.camera_command import CommandCamera
from edged.devices.camera_url import UrlCamera
from tests.integration.devices.mjpeg_server import number_of, serving
from tests.unit.workers.capture_bench import running

WRITER = Path(__file__).parents[1] / "devices" / "frame_writer.py"


def source_at(url: str) -> UrlSource:
    return UrlSource(url=url, open_timeout_ms=3000, read_timeout_ms=3000)


@pytest.mark.parametrize("trouble", ["stall", "reset", "refuse"])
def test_a_stream_that_fails_and_returns_is_used_again(trouble: str) -> None:
    with serving() as server:
        source = source_at(server.url)
        with running(UrlCamera(source), source, no_frame_timeout_ms=700) as bench:
            bench.wait_for(lambda: bench.worker.state == "up")
            server.mode = trouble
            bench.wait_for(lambda: bench.worker.state == "down")
            tried = server.connections
            bench.wait_for(lambda: server.connections > tried + 1)
            server.mode = "serve"
            bench.wait_for(lambda: bench.worker.state == "up")
            assert bench.worker.silence(time.monotonic()) < bench.worker.stall_seconds
            assert bench.sample("edged_camera_reconnects_total") >= 1


def test_a_slow_consumer_is_given_frames_of_the_moment() -> None:
    with serving(fps=30) as server:
        source = source_at(server.url)
        with running(UrlCamera(source), source, no_frame_timeout_ms=3000) as bench:
            bench.wait_for(lambda: bench.worker.state == "up")
            behind, started_at = [], time.monotonic()
            while time.monotonic() - started_at < 4:
                frame = bench.slot.take(30)
                assert frame is not None
                behind.append(len(server.sent_at) - number_of(frame.image))
                time.sleep(0.2)
            assert bench.sample("edged_frames_total", result="replaced") > len(behind)
        # A queue of 30 frames a second emptied at 5 would be a hundred behind by now. Counted in frames,
        # since a busy machine sends fewer of them too.
        assert sorted(behind)[len(behind) // 2] < 30
        assert behind[-1] < 45


def test_a_camera_program_that_dies_is_started_again() -> None:
    source = CommandSource(argv=[sys.executable, str(WRITER), "die", "15"], format="mjpeg")
    camera = CommandCamera(source, first_frame_seconds=20, frame_seconds=2)
    with running(camera, source, no_frame_timeout_ms=2000, first_frame_timeout_ms=20_000) as bench:
        bench.wait_for(lambda: bench.states[:4] == ["up", "down", "up", "down"])
        assert "status 3" in bench.worker.problem or bench.worker.state == "up"


def test_a_camera_program_that_hangs_is_ended_and_started_again() -> None:
    source = CommandSource(argv=[sys.executable, str(WRITER), "hang", "15"], format="mjpeg")
    camera = CommandCamera(source, first_frame_seconds=20, frame_seconds=0.5)
    with running(camera, source, no_frame_timeout_ms=800, first_frame_timeout_ms=20_000) as bench:
        bench.wait_for(lambda: bench.states[:3] == ["up", "down", "up"])
    assert bench.sample("edged_camera_faults_total", fault="timeout") >= 1
