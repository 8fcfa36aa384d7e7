"""A camera that is lost and found a thousand times, through the worker that keeps it open.

``python -m tests.chaos.reconnects silent --cycles 1000``: a peer that accepts and never answers.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2

from edged.config.sections import CameraSource, CommandSource, UrlSource
from edged.devices.camera import Camera
from edged.devices.camera_command import CommandCamera
from edged.devices.camera_url import UrlCamera
from edged.errors import CameraError
from tests.chaos.footprint import FIGURES, LEAST, Footprint, footprint
from tests.chaos.slope import Slope, slope
from tests.integration.devices.mjpeg_server import silent_port
from tests.unit.workers.capture_bench import REPLAY, Bench
from tests.unit.workers.scripted_camera import ScriptedCamera, Step, picture

KINDS = ("fake", "command", "silent")
# The shortest that leaves a peer on this machine the time to accept.
_OPEN_MS = 60


class Counting:
    """A camera that counts how often it was opened."""

    def __init__(self, camera: Camera) -> None:
        self._camera = camera
        self.live = camera.live
        self.opened = 0
        self.open = self._open
        self.read, self.close = camera.read, camera.close
        self.grab, self.retrieve = camera.grab, camera.retrieve

    def _open(self) -> None:
        self.opened += 1
        self._camera.open()


def cycle(
    kind: str, cycles: int, folder: Path, told: Callable[[int], None] = lambda _: None
) -> list[Footprint]:
    """Lose the camera ``cycles`` times; return what the process held meanwhile, and at the end."""
    with _camera(kind, folder) as (camera, source):
        counting, held = Counting(camera), [footprint(os.getpid())]
        bench = Bench(counting, source, reconnect_min_ms=1, reconnect_max_ms=1, no_frame_timeout_ms=1000)
        bench.worker.start()
        try:
            every, due = max(1, cycles // 200), 0
            while counting.opened < cycles:
                if bench.worker.failure is not None:
                    raise bench.worker.failure
                if counting.opened >= due:
                    due = counting.opened + every
                    held.append(footprint(os.getpid()))
                    told(counting.opened)
                time.sleep(0.001)
        finally:
            bench.worker.stop()
            if not bench.worker.join(10):
                raise RuntimeError("the worker does not stop")
    return [*held, footprint(os.getpid())]


@contextmanager
def _camera(kind: str, folder: Path) -> Iterator[tuple[Camera, CameraSource]]:
    if kind == "fake":
        yield ScriptedCamera(_Loose(), period=0.0), REPLAY
    elif kind == "command":
        frame = folder / "frame.jpg"
        cv2.imwrite(str(frame), picture())
        source = CommandSource(argv=["cat", str(frame)], format="mjpeg")
        yield CommandCamera(source, first_frame_seconds=10, frame_seconds=2), source
    else:
        with silent_port() as port:
            stream = UrlSource(
                url=f"rtsp://127.0.0.1:{port}/1", open_timeout_ms=_OPEN_MS, read_timeout_ms=_OPEN_MS
            )
            yield UrlCamera(stream), stream


class _Loose:
    """A session of a camera whose cable is loose: two pictures, then none."""

    def __iter__(self) -> Iterator[Step]:
        yield picture()
        yield picture()
        yield CameraError("the cable")


def main() -> None:
    """Print what grew; exit status 1 where something did."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.reconnects", description=__doc__)
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--cycles", type=int, default=1000)
    chosen = parser.parse_args()
    held = cycle(chosen.kind, chosen.cycles, Path.cwd())
    found = slopes(held)
    leaks = [figure for figure in FIGURES if found[figure].grows(LEAST[figure])]
    first, last = held[1], held[-1]
    text = {figure: [getattr(first, figure), getattr(last, figure)] for figure in FIGURES}
    sys.stdout.write(json.dumps({"cycles": chosen.cycles, "leaks": leaks, **text}) + "\n")
    sys.exit(bool(leaks))


def slopes(held: list[Footprint]) -> dict[str, Slope]:
    """Return the slope of each figure over time."""
    return {figure: slope([(one.at, getattr(one, figure)) for one in held]) for figure in FIGURES}


if __name__ == "__main__":
    main()
