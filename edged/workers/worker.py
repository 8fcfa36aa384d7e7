"""A worker: one named thread with an owner, a stop event and a heartbeat.

A worker that raises something undeclared, or returns before it is told to stop, has failed: the
supervisor ends the daemon with exit status 1 and systemd starts it afresh. Nothing is restarted in
the process, since a half-dead daemon is worse than a dead one.
"""

import abc
import logging
import threading
import time
from collections.abc import Callable

logger = logging.getLogger(__name__)


class Worker(abc.ABC):
    """Subclasses implement ``run``: loop until ``self.stopping`` is set, calling ``beat`` each turn.

    ``stall_seconds`` is how long a turn may take before the watchdog is withheld; after three times that the
    supervisor ends the daemon. ``daemon`` is for a loop that native code can block for ever: the interpreter
    does not wait for it at its end.
    """

    # Loops turn some times a second, and on a small board with ten times the load in seconds at most. Ended
    # after 12 s, stopped in 3 and started anew after 2, the door is back within 20 s.
    stall_seconds = 4.0

    def __init__(self, name: str, *, daemon: bool = False) -> None:
        self.name = name
        self.daemon = daemon
        self.stopping = threading.Event()
        self.failure: BaseException | None = None
        self.on_failure: Callable[[Worker], None] = lambda _worker: None
        self._beat_at = time.monotonic()
        self._thread = threading.Thread(target=self._main, name=f"edged-{name}", daemon=daemon)

    def start(self) -> None:
        """Start the thread."""
        self._beat_at = time.monotonic()
        self._thread.start()

    def stop(self) -> None:
        """Ask the loop to end; returns at once."""
        self.stopping.set()

    def join(self, timeout: float) -> bool:
        """Wait up to ``timeout`` seconds; False if the thread is still alive."""
        if self._thread.ident is not None:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def beat(self) -> None:
        """Say that the loop makes progress."""
        self._beat_at = time.monotonic()

    def silence(self, now: float) -> float:
        """Return the seconds since the last ``beat``."""
        return now - self._beat_at

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    @abc.abstractmethod
    def run(self) -> None:
        """Do the work until ``self.stopping`` is set."""

    def _main(self) -> None:
        try:
            self.run()
            if not self.stopping.is_set():
                raise RuntimeError(f"worker {self.name} returned without being asked")  # noqa: TRY301
        except BaseException as exc:
            self.failure = exc
            logger.critical("worker failed name=%s", self.name, exc_info=exc)
            self.on_failure(self)
