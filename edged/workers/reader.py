"""Reads a camera in a thread that may be left behind.

A driver's ``read`` can block for ever, and nothing in the process can wake it. The worker that waits
for frames must not share its fate, nor must the stop of the daemon.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from edged.devices.camera import Camera
from edged.domain.backlog import Backlog
from edged.domain.types import Image
from edged.errors import CameraError

# A camera that delivers lets the reader go within one frame; only else it must be closed from outside.
_LEAVE_SECONDS = 0.25
# A closed camera ends its read at once, unless the driver hangs.
_CLOSED_SECONDS = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Arrival:
    """A picture, ``at`` monotonic seconds when it came.

    Since the last taken ``missed`` others came that nobody took, and ``skipped`` that were not wanted.
    """

    at: float
    image: Image
    missed: int
    skipped: int = 0


class FrameReader:
    """Opens ``camera`` once, reads it without pause, and keeps the newest picture.

    Of a live camera, pictures that piled up while it stalled for ``stall_seconds`` count as missed. One
    that is not ``wanted`` (asked with its monotonic seconds) is fetched and not decoded.
    """

    def __init__(
        self,
        camera: Camera,
        *,
        stall_seconds: float = 0.5,
        wanted: Callable[[float], bool] = lambda _at: True,
    ) -> None:
        self._camera = camera
        self._backlog = Backlog(stall_seconds)
        self._wanted = wanted
        self._passed_over = 0
        self._skipped = 0
        self._skipped_at = float("-inf")
        self._changed = threading.Condition()
        self._newest: Arrival | None = None
        self._error: BaseException | None = None
        self._opened = False
        self._leaving = threading.Event()
        self._abandoned = threading.Event()
        self._thread = threading.Thread(target=self._main, name="edged-camera-reader", daemon=True)
        self._thread.start()

    @property
    def opened(self) -> bool:
        """Whether the camera could be opened."""
        return self._opened

    @property
    def skipped_at(self) -> float:
        """When the camera last gave a picture that was not wanted, in monotonic seconds."""
        return self._skipped_at

    @property
    def alive(self) -> bool:
        """Whether the thread still runs, perhaps stuck in the driver."""
        return self._thread.is_alive()

    def take(self, timeout: float) -> Arrival | None:
        """Remove and return the newest picture; None if none came within ``timeout`` seconds.

        Raises what ended the reading, once all pictures are taken.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._newest is not None or self._error is not None, timeout)
            newest, self._newest = self._newest, None
            if newest is None and self._error is not None:
                raise self._error
        return newest

    def finish(self) -> bool:
        """End the reading and close the camera; False if the thread had to be left behind."""
        self._leaving.set()
        self._thread.join(_LEAVE_SECONDS)
        if self._thread.is_alive():
            self._camera.close()
            self._thread.join(_CLOSED_SECONDS)
        if self._thread.is_alive():
            self._abandoned.set()
            return False
        return True

    def _main(self) -> None:
        error: BaseException = CameraError("the camera was closed")
        try:
            self._camera.open()
            self._opened = True
            while not self._leaving.is_set():
                started_at = time.monotonic()
                self._camera.grab()
                self._grabbed(started_at, time.monotonic())
        except Exception as exc:  # noqa: BLE001 - top of a thread: the worker raises it
            error = exc
        with self._changed:
            self._error = error
            self._changed.notify()
        # What is open by now belongs to a later reader.
        if not self._abandoned.is_set():
            self._camera.close()

    def _grabbed(self, started_at: float, at: float) -> None:
        """Decode and keep what was fetched, unless it is old or nobody wants it."""
        if self._camera.live and self._backlog.is_old(at - started_at, at):
            self._passed_over += 1
            return
        if not self._wanted(at):
            self._skipped += 1
            self._skipped_at = at
            return
        image = self._camera.retrieve()
        if image is None:
            return
        with self._changed:
            before = self._newest
            missed = self._passed_over + (0 if before is None else before.missed + 1)
            skipped = self._skipped + (0 if before is None else before.skipped)
            self._passed_over = self._skipped = 0
            self._newest = Arrival(at, image, missed, skipped)
            self._changed.notify()
