"""Deliver reports on a thread of their own, so that who listens cannot hold up who acts."""

import logging
import queue
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

logger = logging.getLogger(__name__)

T = TypeVar("T")


class Reporter(Generic[T]):
    """Hands each item to ``deliver``, in order; an exception there is logged and the next item follows."""

    def __init__(self, name: str, deliver: Callable[[T], None], *, capacity: int = 4096) -> None:
        self._deliver = deliver
        self._items: queue.Queue[T | None] = queue.Queue(capacity)
        self._busy_since: float | None = None
        self._closed = False
        # A listener that never returns must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name=f"edged-{name}", daemon=True)

    def start(self) -> None:
        """Start delivering; what was put before is delivered too."""
        self._thread.start()

    def put(self, item: T) -> None:
        """Queue ``item`` without waiting. Raises ``queue.Full`` if the listener is that far behind."""
        self._items.put_nowait(item)

    def busy_seconds(self, now: float) -> float:
        """Return how long the listener has held the item it works on (monotonic ``now``).

        Infinity for a thread that has died.
        """
        if self._thread.ident is not None and not self._thread.is_alive() and not self._closed:
            return float("inf")
        since = self._busy_since
        return 0.0 if since is None else now - since

    def close(self, timeout: float) -> bool:
        """Deliver what is queued and end; False if that took more than ``timeout`` seconds."""
        deadline = time.monotonic() + timeout
        self._closed = True
        try:
            self._items.put(None, timeout=timeout)
        except queue.Full:
            return False
        self._thread.join(max(0.0, deadline - time.monotonic()))
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (item := self._items.get()) is not None:
            self._busy_since = time.monotonic()
            try:
                self._deliver(item)
            except Exception:
                logger.exception("report failed thread=%s", self._thread.name)
            finally:
                self._busy_since = None
