"""A camera that plays a script, by the rules of ``edged.devices.camera.Camera``."""

import itertools
import threading
import time
from collections.abc import Iterable, Iterator
from enum import Enum, auto

import numpy as np

from edged.domain.types import Image
from edged.errors import CameraError

NOISE = np.random.default_rng(3)


def picture(level: float = 120, contrast: float = 60) -> Image:
    """A picture unlike any other, with structure unless ``contrast`` is 0."""
    ramp = np.linspace(level - contrast, level + contrast, 64)[None, :, None]
    return np.clip(ramp + NOISE.normal(0, 2, (48, 64, 3)), 0, 255).astype(np.uint8)


class Fault(Enum):
    """Ways to give no frame."""

    HANG = auto()  # until closed
    STUCK = auto()  # in the driver: not even closing helps


Step = Image | CameraError | Exception | Fault
Session = Iterable[Step] | Exception


class ScriptedCamera:
    """Each opening plays the next session, the last one again and again. A session ends in a hang."""

    def __init__(self, *sessions: Session, live: bool = True, period: float = 0.002) -> None:
        self.live = live
        self.opened = 0
        self.decoded = 0
        self.released = threading.Event()  # set by a test to free what is stuck
        self._sessions = sessions
        self._period = period
        self._running: tuple[Iterator[Step], threading.Event] | None = None

    def open(self) -> None:
        session = self._sessions[min(self.opened, len(self._sessions) - 1)]
        self.opened += 1
        if isinstance(session, Exception):
            raise session
        self._running = itertools.chain(session, [Fault.HANG]), threading.Event()

    def grab(self) -> None:
        self._image = self._next()

    def retrieve(self) -> Image:
        self.decoded += 1
        return self._image

    def read(self) -> Image:
        self.grab()
        return self.retrieve()

    def _next(self) -> Image:
        running = self._running
        if running is None:
            raise CameraError("not open")
        steps, closed = running
        time.sleep(self._period)
        step = next(steps)
        if step is Fault.STUCK:
            self.released.wait(100)
        elif step is Fault.HANG:
            closed.wait(100)
        elif isinstance(step, Exception):
            raise step
        if closed.is_set() or isinstance(step, Fault):
            raise CameraError("the camera was closed")
        return step

    def close(self) -> None:
        running, self._running = self._running, None
        if running is not None:
            running[1].set()
