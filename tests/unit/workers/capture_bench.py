"""A capture worker on a bench: a scripted camera in front, a slot and a registry behind."""

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from prometheus_client import CollectorRegistry

from edged.config.sections import CameraConfig, CameraSource, FolderSource
from edged.devices.camera import Camera
from edged.domain.types import Frame, Image
from edged.metrics import Metrics
from edged.workers.capture import CaptureWorker
from edged.workers.slot import LatestSlot
from tests.unit.workers.scripted_camera import ScriptedCamera, picture

REPLAY = FolderSource(path=Path("unused"), fps=200)


class Bench:
    """A worker, its camera, and what comes out of it."""

    def __init__(
        self,
        camera: Camera,
        source: CameraSource = REPLAY,
        wanted: Callable[[float], bool] = lambda _at: True,
        **settings: int,
    ) -> None:
        # A busy machine holds up the camera now and then: who waits for a timeout asks for a short one.
        defaults = {
            "first_frame_timeout_ms": 30_000, "no_frame_timeout_ms": 10_000, "reconnect_min_ms": 1,
            "reconnect_max_ms": 20, "frozen_after_frames": 5, "blind_after_frames": 5,
        }  # fmt: skip
        config = CameraConfig(source=source, **(defaults | settings))
        self.metrics = Metrics(CollectorRegistry())
        self.slot: LatestSlot[Frame] = LatestSlot()
        self.states: list[str] = []
        self.worker = CaptureWorker(
            camera, self.slot, config, self.metrics, self.states.append, wanted=wanted
        )

    def sample(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(name, labels) or 0.0

    def frames_until(self, condition: Callable[[], bool]) -> list[Frame]:
        """Take frames until the condition holds."""
        taken = []
        deadline = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < deadline, f"never came true; states {self.states}"
            frame = self.slot.take(0.01)
            taken += [] if frame is None else [frame]
        return taken

    def wait_for(self, condition: Callable[[], bool], seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"never came true; states {self.states}"
            assert self.worker.failure is None
            time.sleep(0.002)


@contextmanager
def running(
    camera: Camera,
    source: CameraSource = REPLAY,
    wanted: Callable[[float], bool] = lambda _at: True,
    **settings: int,
) -> Iterator[Bench]:
    bench = Bench(camera, source, wanted, **settings)
    bench.worker.start()
    try:
        yield bench
    finally:
        if isinstance(camera, ScriptedCamera):
            camera.released.set()
        bench.worker.stop()
        assert bench.worker.join(30)


def pictures() -> Iterator[Image]:
    return (picture() for _ in itertools.count())
