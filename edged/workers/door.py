"""The door worker: the one owner of the lock line, from grant to relock.

Each unlocked period ends on a monotonic deadline (``edged.domain.door``). The line is secured on stop, on any
exception, and before it is released. Listeners run on another thread (``edged.workers.reports``): neither
their time nor their errors reach the relock. Every request that was accepted is answered by one report:
``unlocked`` (the line was driven, or the running period was extended), ``refused`` or ``failed``.

What a thread cannot promise: a process that is killed or hangs as a whole in the middle of a pulse drives
nothing any more, and some kernels keep the level of a line that nobody owns. ``edged door safe``, run by the
service manager after every exit, secures the line then; a relay with its own timer bounds the time between.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from edged.config.sections import DoorConfig
from edged.devices.lock import DoorLock
from edged.domain.door import DoorState, Locked, PulseLimits, Unlocked, due_in, grant, is_over, lock
from edged.errors import LockError
from edged.metric_labels import LOCK_CAUSES
from edged.metrics import Metrics
from edged.workers.reports import Reporter
from edged.workers.worker import Worker

logger = logging.getLogger(__name__)

INBOX = 2
# Ten times the overshoot of a waiting thread on an idle machine; with busy threads 16 ms were measured.
OVERRUN_SECONDS = 0.05
_IDLE_SECONDS = 0.5
# How long a stop waits for the thread that drives the line before it drives the line itself.
_LINE_WAIT_SECONDS = 0.5
_LAST_REPORTS_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class UnlockRequest:
    """A grant, in monotonic seconds.

    ``granted_at`` is what its age is counted from, at best the capture of the freshest frame behind it.
    ``first_seen_at`` is when the first usable face was captured.
    """

    event_id: str
    cause: str
    granted_at: float
    first_seen_at: float | None = None

    def __post_init__(self) -> None:
        """Refuse a cause that metrics do not know: the set is closed."""
        if self.cause not in LOCK_CAUSES:
            raise ValueError(f"expected a cause of {', '.join(LOCK_CAUSES)}, got {self.cause!r}")


@dataclass(frozen=True, slots=True)
class DoorChange:
    """What happened at the line ``at`` (monotonic seconds), and the request behind it.

    ``locked`` bears the id and cause of the last request that it ends. ``held_seconds`` is how long the door
    had been unlocked by then. ``reason`` tells why a request was refused or failed: ``stale``,
    ``stopping`` or ``line_failed``, and what a door process adds to these. ``recorded`` is whether it is in
    the journal already.
    """

    state: Literal["unlocked", "locked", "refused", "failed"]
    at: float
    event_id: str
    cause: str
    held_seconds: float = 0.0
    reason: str | None = None
    recorded: bool = False

    def body(self) -> dict[str, str | float]:
        """Return what the journal says about it."""
        body: dict[str, str | float] = {
            "type": self.state,
            "cause": self.cause,
            "access_event_id": self.event_id,
        }
        if self.reason is not None:
            body["reason"] = self.reason
        if self.state == "locked":
            body["held_seconds"] = round(self.held_seconds, 3)
        return body


class DoorWorker(Worker):
    """Takes grants, drives ``lock``, and closes it at its end.

    ``on_change`` is called on a thread of its own, in order. ``clock`` is monotonic seconds.
    """

    def __init__(
        self,
        lock: DoorLock,
        config: DoorConfig,
        metrics: Metrics,
        on_change: Callable[[DoorChange], None],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__("door")
        self._lock = lock
        self._limits = PulseLimits(config.unlock_seconds, config.max_unlock_seconds)
        self._max_age_seconds = config.max_grant_age_ms / 1000
        self._metrics = metrics
        self._clock = clock
        self._reports: Reporter[DoorChange] = Reporter("door-reports", on_change)
        self._door: DoorState = Locked()
        self._last: UnlockRequest | None = None
        self._inbox: deque[tuple[UnlockRequest, float]] = deque()  # with the time of arrival
        self._inbox_changed = threading.Condition()
        self._line = threading.Lock()  # held while the line is driven
        self._sealed = False  # from here on the line is only secured
        self._cut = threading.Event()  # the running period is over before its time
        self._released = False

    caught_up = True  # nothing happens at such a door while there is no daemon

    def tell(
        self,
        on_words: Callable[[Any], None],
        on_recorded: Callable[[], None],
        on_alarm: Callable[[str], None],
    ) -> None:
        """Do nothing: what the line does is told as changes, and whoever records them knows."""
        del on_words, on_recorded, on_alarm

    def show(self, look: str) -> None:
        """Do nothing: such a door has no lamps."""
        del look

    def refusal(self, granted_at: float) -> str | None:
        """Say why a grant of ``granted_at`` (monotonic seconds) would be refused now, None if not."""
        with self._inbox_changed:
            if self._sealed:
                return "stopping"
            if not 0 <= self._clock() - granted_at <= self._max_age_seconds:
                return "stale"
            return "queue_full" if len(self._inbox) >= INBOX else None

    def request(self, request: UnlockRequest) -> bool:
        """Ask for the door; never waits. False if two requests wait already, or the door is being shut."""
        with self._inbox_changed:
            if self._sealed:
                return False
            if len(self._inbox) >= INBOX:
                self._metrics.lock_refusals.labels("queue_full").inc()
                return False
            self._inbox.append((request, self._clock()))
            self._inbox_changed.notify()
            return True

    def relock(self) -> None:
        """End the period that runs, and take further grants; from any thread."""
        with self._inbox_changed:
            self._cut.set()
            self._inbox_changed.notify()

    def secure_now(self) -> None:
        """Secure the line from any thread, and refuse every request from now on. Raises ``LockError``."""
        self._sealed = True
        # A driver that hangs elsewhere must not keep the line from being secured here.
        held = self._line.acquire(timeout=_LINE_WAIT_SECONDS)
        try:
            if not self._released:
                self._lock.secure()
                self._metrics.lock_unlocked.set(0)
        finally:
            if held:
                self._line.release()
        with self._inbox_changed:
            self._inbox_changed.notify()

    def stop(self) -> None:
        """Secure the line at once, then ask the loop to end."""
        super().stop()
        try:
            self.secure_now()
        except LockError as exc:
            logger.error("line not secured on stop, the worker tries again error=%s", exc)  # noqa: TRY400

    def run(self) -> None:
        """Answer requests and keep the deadline until told to stop."""
        self._reports.start()
        self._metrics.door_connected.set(1)
        try:
            while not self.stopping.is_set():
                self.turn()
                self._idle()
        finally:
            self._finish()

    def turn(self) -> None:
        """Relock if it is time, then answer at most one request. Raises ``LockError``."""
        if self._reports.busy_seconds(time.monotonic()) < self.stall_seconds:
            self.beat()
        with self._inbox_changed:
            # Read inside: whatever is in the inbox was granted before this instant.
            now = self._clock()
            door = self._door
            cut = self._cut.is_set() or self._sealed
            self._cut.clear()
            over = isinstance(door, Unlocked) and (cut or is_over(door, now))
            waits = over or self._resting(now) or not self._inbox
            arrival = None if waits else self._inbox.popleft()
        if over and isinstance(door, Unlocked):
            self._relock(door)
        elif arrival is not None:
            self._answer(*arrival, now)

    def _answer(self, request: UnlockRequest, arrived_at: float, now: float) -> None:
        if self._sealed:
            self._refuse(request, now, "stopping")
        elif not 0 <= now - request.granted_at <= self._max_age_seconds:
            self._refuse(request, now, "stale")
        else:
            self._admit(request, arrived_at, now)

    def _resting(self, now: float) -> bool:
        return isinstance(self._door, Locked) and now < self._door.rests_until

    def _idle(self) -> None:
        """Wait for the next deadline or request."""
        now = self._clock()
        waits = isinstance(self._door, Unlocked) or self._resting(now)
        timeout = min(_IDLE_SECONDS, due_in(self._door, now)) if waits else _IDLE_SECONDS
        with self._inbox_changed:
            self._inbox_changed.wait_for(self._has_work, timeout)

    def _has_work(self) -> bool:
        sealed_open = (self._sealed or self._cut.is_set()) and isinstance(self._door, Unlocked)
        ready = bool(self._inbox) and not self._resting(self._clock())
        return self.stopping.is_set() or sealed_open or ready

    def _admit(self, request: UnlockRequest, arrived_at: float, now: float) -> None:
        """Unlock the door, or extend the period that runs, counted from ``now``: before the line moves."""
        before = self._door
        with self._line:
            if self._sealed:
                self._refuse(request, now, "stopping")
                return
            self._last = request
            self._door = grant(before, now, self._limits)
            if isinstance(before, Locked):
                self._unlock_line(request)
        at = self._clock()
        if request.first_seen_at is not None:
            self._metrics.decision_latency.observe(max(0.0, at - request.first_seen_at))
        self._metrics.stage.labels("actuate").observe(at - arrived_at)
        held = at - before.started_at if isinstance(before, Unlocked) else 0.0
        self._report(DoorChange("unlocked", at, request.event_id, request.cause, held))

    def _unlock_line(self, request: UnlockRequest) -> None:
        try:
            self._lock.unlock()
        except LockError:
            self._secure_after_failure()
            self._metrics.lock_refusals.labels("line_failed").inc()
            self._report(self._change("failed", request, reason="line_failed"))
            raise
        self._metrics.lock_unlocked.set(1)
        self._metrics.lock_actuations.labels(request.cause).inc()

    def _secure_after_failure(self) -> None:
        try:
            self._lock.secure()
            self._door = Locked()
        except LockError as exc:
            logger.error("line not secured after a failure error=%s", exc)  # noqa: TRY400 - the cause is raised

    def _relock(self, period: Unlocked) -> None:
        with self._line:
            self._lock.secure()
        at = self._clock()
        self._door = lock(at, self._limits)
        self._metrics.lock_unlocked.set(0)
        if at - period.relock_at > OVERRUN_SECONDS:
            self._metrics.lock_overruns.inc()
            logger.warning("door relocked late by_ms=%.0f", 1000 * (at - period.relock_at))
        if self._last is not None:
            self._report(self._change("locked", self._last, held_seconds=at - period.started_at))

    def _refuse(self, request: UnlockRequest, at: float, reason: str) -> None:
        self._metrics.lock_refusals.labels(reason).inc()
        self._report(DoorChange("refused", at, request.event_id, request.cause, reason=reason))

    def _finish(self) -> None:
        """Secure the line, answer what waits, release the line. Raises ``LockError`` if it is not secure."""
        period = self._door
        try:
            if isinstance(period, Unlocked):
                self._relock(period)
            else:
                with self._line:
                    self._lock.secure()
        except LockError:
            if self._last is not None:
                self._report(self._change("failed", self._last, reason="line_failed"))
            raise
        finally:
            try:
                self._refuse_waiting()
            finally:
                self._let_go()

    def _let_go(self) -> None:
        try:
            with self._line:
                self._released = True
                self._lock.close()
        finally:
            if not self._reports.close(_LAST_REPORTS_SECONDS):
                logger.error("door reports not delivered in time")

    def _refuse_waiting(self) -> None:
        with self._inbox_changed:
            self._sealed = True
            waiting = tuple(self._inbox)
            self._inbox.clear()
        for request, _ in waiting:
            self._refuse(request, self._clock(), "stopping")

    def _change(
        self,
        state: Literal["locked", "failed"],
        request: UnlockRequest,
        *,
        held_seconds: float = 0.0,
        reason: str | None = None,
    ) -> DoorChange:
        return DoorChange(state, self._clock(), request.event_id, request.cause, held_seconds, reason)

    def _report(self, change: DoorChange) -> None:
        logger.info(
            "door %s event=%s cause=%s held_s=%.2f reason=%s",
            change.state, change.event_id, change.cause, change.held_seconds, change.reason,
        )  # fmt: skip
        self._reports.put(change)
