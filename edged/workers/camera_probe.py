"""Watch a camera the way the daemon does, without the rest of the daemon."""

import time
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from prometheus_client import CollectorRegistry

from edged.config.sections import CameraConfig
from edged.devices.camera import Camera
from edged.domain.picture import CameraState
from edged.domain.types import Frame
from edged.errors import CameraError
from edged.metrics import Metrics
from edged.workers.capture import CaptureWorker
from edged.workers.slot import LatestSlot

_STOP_SECONDS = 5.0
_TURN_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class CameraSample:
    """A camera over a span of time.

    ``width`` and ``height`` pixels of the newest frame (0 without one), ``fps`` fresh frames a second,
    ``age_ms`` the worst age of a frame when it was taken.
    """

    state: str
    problem: str
    width: int
    height: int
    fps: float
    age_ms: float


class CameraProbe:
    """Runs a capture worker while the ``with`` block lasts."""

    def __init__(self, camera: Camera, config: CameraConfig) -> None:
        self._slot: LatestSlot[Frame] = LatestSlot()
        self._worker = CaptureWorker(camera, self._slot, config, Metrics(CollectorRegistry()))
        self._seq = 0

    def __enter__(self) -> Self:
        self._worker.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._worker.stop()
        self._worker.join(_STOP_SECONDS)

    def frame(self, timeout: float, *, settle_seconds: float = 0.0) -> Frame:
        """Return the first frame captured ``settle_seconds`` or more after the first one.

        A camera needs that time to find its exposure. A replay that ends before gives its last frame.
        Raises ``CameraError`` with the camera's problem after ``timeout`` seconds.
        """
        deadline = time.monotonic() + timeout
        first = newest = None
        while time.monotonic() < deadline:
            newest = self._take() or newest
            if newest is not None:
                first = first or newest
                settled = newest.captured_at - first.captured_at >= settle_seconds
                if settled or self._worker.state == CameraState.ENDED:
                    return newest
        raise CameraError(self._worker.problem or f"no frame within {timeout:g} s")

    def sample(self, seconds: float) -> CameraSample:
        """Watch for ``seconds``; a replay that ends stops it early."""
        started_at, began_with = time.monotonic(), self._seq
        newest, age = None, 0.0
        while (lasted := time.monotonic() - started_at) < seconds:
            frame = self._take()
            if frame is not None:
                newest, age = frame, max(age, time.monotonic() - frame.captured_at)
            elif self._worker.state == CameraState.ENDED:
                break
        height, width = newest.image.shape[:2] if newest is not None else (0, 0)
        fps = (self._seq - began_with) / max(lasted, _TURN_SECONDS)
        return CameraSample(self._worker.state, self._worker.problem, width, height, fps, age * 1000)

    def _take(self) -> Frame | None:
        if self._worker.failure is not None:
            raise CameraError("the capture worker failed") from self._worker.failure
        frame = self._slot.take(_TURN_SECONDS)
        if frame is not None:
            self._seq = frame.seq
        return frame
