"""Starts the workers, watches them, stops them, and says how it ended.

Start order is the order of ``add``; stop is its mirror, each worker with a deadline and eight seconds
in all, so that systemd's ``TimeoutStopSec=15`` is never reached. A worker that raises, returns, dies
or falls silent ends the daemon with exit status 1.
"""

import contextlib
import faulthandler
import logging
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from edged import systemd
from edged.errors import EdgedError
from edged.workers.health import Check, HealthReport
from edged.workers.worker import Worker

logger = logging.getLogger(__name__)

STOP_SECONDS = 8.0  # for all workers together; systemd kills after 15
WORKER_STOP_SECONDS = 2.0  # the longest wait that a worker has within its loop, plus a flush
LAST_RESORT_SECONDS = 3.0  # on top of STOP_SECONDS, for clean-up that hangs
HANG_FACTOR = 3  # silent for this many times ``stall_seconds``: hung, not slow
TICK_SECONDS = 1.0


class Supervisor:
    """Owner of all workers; one per process, run from the main thread.

    ``first_on_stop`` is called before anything else when a stop begins, whatever the cause: it secures
    the lock. ``on_reload`` answers SIGHUP. ``status`` is shown by ``systemctl status``.
    ``abandon`` ends the process where a thread is stuck in native code and can never be joined.
    ``fails`` tells, once a stop has begun, whether nobody had asked for it.
    """

    def __init__(
        self,
        *,
        first_on_stop: Callable[[], None] = lambda: None,
        on_reload: Callable[[], None] | None = None,
        status: Callable[[], str] = lambda: "running",
        tick_seconds: float = TICK_SECONDS,
        stop_seconds: float = STOP_SECONDS,
        abandon: Callable[[int], Any] = os._exit,
    ) -> None:
        self._first_on_stop = first_on_stop
        self._on_reload = on_reload
        self._status = status
        watchdog = systemd.watchdog_seconds()
        # Three chances to ping within the time that systemd grants.
        self._tick_seconds = min(tick_seconds, watchdog / 3) if watchdog else tick_seconds
        self._stop_seconds = stop_seconds
        self._abandon = abandon
        self._workers: list[tuple[Worker, float]] = []
        self._afterwards: dict[Worker, Callable[[], None]] = {}
        self._clean_up: list[tuple[str, Callable[[], None]]] = []
        # SimpleQueue.put is reentrant, so a signal handler may call it; Event.set is not. It stays short: a
        # reload is left out where any order waits, and the first stop or failure ends the loop that reads it.
        self._orders: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._failed = False
        self._stop_begun = False
        self.fails = False
        self._withheld = False
        self._awake_since = time.monotonic()
        self._shown = ""

    def add(
        self,
        worker: Worker,
        *,
        stop_seconds: float = WORKER_STOP_SECONDS,
        then: Callable[[], None] = lambda: None,
    ) -> None:
        """Own ``worker``; it starts after those added before it and stops before them.

        ``then`` is called once it has stopped, or its time was up.
        """
        worker.on_failure = self._worker_failed
        self._workers.append((worker, stop_seconds))
        self._afterwards[worker] = then

    def after_stop(self, name: str, clean_up: Callable[[], None]) -> None:
        """Call ``clean_up`` once all workers have stopped, those registered last first."""
        self._clean_up.append((name, clean_up))

    def start(self) -> None:
        """Start every worker; if one cannot start, the others are stopped and the error is raised."""
        for index, (worker, _) in enumerate(self._workers):
            try:
                worker.start()
            except BaseException:
                self._workers = self._workers[:index]
                self._stop_all()
                raise
            logger.debug("worker started name=%s", worker.name)
        self._awake_since = time.monotonic()

    def request_stop(self) -> None:
        """Ask for an orderly stop; returns at once, from any thread or signal handler."""
        self._orders.put("stop")

    def request_reload(self) -> None:
        """Ask for what SIGHUP asks for; returns at once, from any thread.

        One that waits will read the configuration as it is then, and a stop needs none.
        """
        if self._orders.empty():
            self._orders.put("reload")

    def run(self) -> int:
        """Start every worker and watch; see ``start`` and ``run_until_stopped``.

        Signals are answered from before the first start: an exception raised by some other handler
        while threads run would leave them without anybody to stop them.
        """
        with self._signals():
            self.start()
            return self._watch_and_finish()

    def run_until_stopped(self) -> int:
        """Watch until a stop is asked for or a worker fails; stop all; return the exit status, 0 or 1.

        Announces ``READY=1`` to systemd. Handles SIGTERM and SIGINT (a second SIGINT ends at once),
        SIGHUP, and SIGUSR1, which writes the stacks of all threads to standard error.
        """
        with self._signals():
            return self._watch_and_finish()

    def health(self) -> HealthReport:
        """Return one check per worker: alive, and its heartbeat fresh."""
        now = time.monotonic()
        return HealthReport({
            worker.name: Check(
                worker.alive and worker.silence(now) <= worker.stall_seconds,
                f"last turn {worker.silence(now):.1f} s ago" if worker.alive else "not running",
            )
            for worker, _ in self._workers
        })  # fmt: skip

    def _watch_and_finish(self) -> int:
        try:
            if not self._failed:
                self._show("READY=1")
            self._watch()
        except BaseException:
            self._failed = True
            logger.critical("supervisor failed", exc_info=True)
        return self._finish()

    def _watch(self) -> None:
        while not self._failed:
            order = self._next_order()
            if order in ("stop", "failed"):
                return
            if order == "reload":
                self._reload()
            self._tick(time.monotonic())

    def _next_order(self) -> str:
        """Sleep until there is an order, or for one tick."""
        asleep_at = time.monotonic()
        try:
            return self._orders.get(timeout=self._tick_seconds)
        except queue.Empty:
            return "tick"
        finally:
            now = time.monotonic()
            if now - asleep_at > self._tick_seconds + 1:
                # Nothing ran (SIGSTOP, a machine without CPU time to give): the workers start afresh.
                self._awake_since = now

    def _tick(self, now: float) -> None:
        """Judge the heartbeats; ping the watchdog only while every worker makes progress."""
        silent = [
            (worker, silence)
            for worker, _ in self._workers
            if (silence := min(worker.silence(now), now - self._awake_since)) > worker.stall_seconds
        ]
        for worker, silence in silent:
            if silence > HANG_FACTOR * worker.stall_seconds:
                logger.critical("worker hangs name=%s silent_seconds=%.1f", worker.name, silence)
                self._failed = True
        for worker, _ in self._workers:
            if not worker.alive:
                logger.critical("worker is dead name=%s", worker.name)
                self._failed = True
        self._ping([worker.name for worker, _ in silent])

    def _ping(self, silent: list[str]) -> None:
        if silent and not self._withheld:
            logger.warning("watchdog withheld silent=%s", ",".join(silent))
        elif self._withheld and not silent:
            logger.info("watchdog fed again")
        self._withheld = bool(silent)
        if not silent and not self._failed:
            self._show("WATCHDOG=1")

    def _show(self, *lines: str) -> None:
        """Send ``lines``, and the status where it has changed."""
        status = " ".join(self._status().split())[:200]
        if status != self._shown:
            self._shown = status
            lines = (*lines, f"STATUS={status}")
        systemd.notify(*lines)

    def _reload(self) -> None:
        if self._on_reload is None:
            return
        systemd.reloading()
        try:
            self._on_reload()
        except EdgedError as exc:
            logger.error("reload refused, the old configuration stays: %s", "; ".join(str(exc).splitlines()))  # noqa: TRY400 - the text says it all
        finally:
            systemd.notify("READY=1")

    def _worker_failed(self, _worker: Worker) -> None:
        """Hear of a failure from the failing thread itself, which has logged it."""
        self._failed = True
        self._orders.put("failed")

    def _finish(self) -> int:
        """Secure, stop, clean up; leave the process where a thread cannot be ended."""
        with _last_resort(self._stop_seconds + LAST_RESORT_SECONDS):
            self.fails = self._failed
            self._guarded("first_on_stop", self._first_on_stop)
            self._stop_begun = True
            systemd.notify("STOPPING=1", "STATUS=stopping")
            left = self._stop_all()
            for name, clean_up in reversed(self._clean_up):
                self._guarded(name, clean_up)
        stuck = any(not worker.daemon for worker in left)
        code = 1 if self._failed or stuck else 0
        logger.info("stopped exit=%d", code)
        if stuck:
            # The interpreter would wait for this thread for ever.
            logging.shutdown()
            self._abandon(code)
        return code

    def _guarded(self, name: str, step: Callable[[], None]) -> None:
        """Run one step of the stop; its failure must not keep the next ones from running."""
        try:
            step()
        except Exception:
            self._failed = True
            logger.critical("stop step failed name=%s", name, exc_info=True)

    def _stop_all(self) -> list[Worker]:
        """Stop in the mirror order of the start; return those still alive at the end."""
        ends_at = time.monotonic() + self._stop_seconds
        for worker, stop_seconds in reversed(self._workers):
            self._guarded(f"stop {worker.name}", worker.stop)
            if not worker.join(max(0.0, min(stop_seconds, ends_at - time.monotonic()))):
                logger.error("worker does not stop name=%s seconds=%.1f", worker.name, stop_seconds)
            self._guarded(f"after {worker.name}", self._afterwards[worker])
        left = [worker for worker, _ in self._workers if worker.alive]
        for worker in left:
            logger.critical("thread left behind name=edged-%s", worker.name)
        return left

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """Answer signals while the block runs; off the main thread Python allows none."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        wanted = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        before = {number: signal.signal(number, self._on_signal) for number in wanted}
        stacks = sys.__stderr__
        if stacks is not None:
            faulthandler.register(signal.SIGUSR1, file=stacks, all_threads=True)
        try:
            yield
        finally:
            if stacks is not None:
                faulthandler.unregister(signal.SIGUSR1)
            for number, handler in before.items():
                signal.signal(number, handler)

    def _on_signal(self, number: int, _frame: object) -> None:
        if number == signal.SIGHUP:
            self.request_reload()
        elif number == signal.SIGINT and self._stop_begun:
            os.write(2, b"edged: interrupted twice, ending at once\n")
            self._abandon(1)
        else:
            self._orders.put("stop")


@contextlib.contextmanager
def _last_resort(seconds: float) -> Iterator[None]:
    """End the process with status 1 and all stacks if the block takes longer than ``seconds``.

    faulthandler's own thread does it, so it works even while native code holds the interpreter.
    """
    if sys.__stderr__ is not None:
        faulthandler.dump_traceback_later(seconds, exit=True, file=sys.__stderr__)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
