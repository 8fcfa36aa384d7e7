"""Let go of a native resource that a thread may be stuck in.

Releasing a ``cv2.VideoCapture`` while another thread is inside its ``read`` frees memory under that
thread's feet. So closing only asks; whoever leaves last releases.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from edged.errors import CameraError


class Handle:
    """One opening of a source, used by one thread at a time and released exactly once."""

    def __init__(self, release: Callable[[], None]) -> None:
        self.closing = threading.Event()
        self._release = release
        self._in_use = threading.Lock()
        self._released = False

    @contextmanager
    def use(self) -> Iterator[None]:
        """Hold the resource. Raises ``CameraError`` when it was closed before or meanwhile."""
        try:
            with self._in_use:
                self.check()
                yield
                self.check()
        finally:
            if self.closing.is_set():
                self._let_go()

    def check(self) -> None:
        """Raise ``CameraError`` once closed."""
        if self.closing.is_set():
            raise CameraError("the camera was closed")

    def close(self) -> None:
        """Release now, or let the thread that is inside do it on its way out. Never waits for it."""
        self.closing.set()
        self._let_go()

    def _let_go(self) -> None:
        if not self._in_use.acquire(blocking=False):
            return
        try:
            if not self._released:
                self._released = True
                self._release()
        finally:
            self._in_use.release()
