"""Show recorded pictures at the speed of a camera."""

import threading
import time


class Pacer:
    """Lets ``fps`` turns a second pass, evenly, on the monotonic clock.

    A late turn delays the following ones: a burst to catch up is nothing a camera would do.
    """

    def __init__(self, fps: float, woken: threading.Event) -> None:
        self._period = 1.0 / fps
        self._woken = woken
        self._next_at = time.monotonic()

    def wait(self) -> None:
        """Block until the next turn is due, or ``woken`` is set."""
        self._woken.wait(max(0.0, self._next_at - time.monotonic()))
        self._next_at = max(self._next_at + self._period, time.monotonic())
