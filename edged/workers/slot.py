"""Hand over the newest item between two threads.

A queue would keep what is already too old: at 25 fps against 100 ms a frame, a queued frame is
8 s old after 14 s. Here a slow consumer misses frames and never sees a stale one.
"""

import threading
from typing import Generic, TypeVar

T = TypeVar("T")


class LatestSlot(Generic[T]):
    """Room for one item; the newest wins."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._item: T | None = None

    def put(self, item: T) -> bool:
        """Store ``item``; True if it replaced one that nobody took. Never blocks."""
        with self._changed:
            replaced = self._item is not None
            self._item = item
            self._changed.notify()
        return replaced

    def take(self, timeout: float) -> T | None:
        """Remove and return the item; None if there is none within ``timeout`` seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self._item is not None, timeout)
            item, self._item = self._item, None
        return item
