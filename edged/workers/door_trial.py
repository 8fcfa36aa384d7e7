"""One pulse of the lock, for whoever installs a door: the worker that the daemon uses, and no camera."""

import contextlib
import threading
import time
from collections.abc import Callable

from prometheus_client import CollectorRegistry

from edged.config.sections import DoorConfig
from edged.devices.lock import DoorLock
from edged.errors import EdgedError, LockError
from edged.metrics import Metrics
from edged.workers.door import DoorChange, DoorWorker, UnlockRequest

# Past the pulse itself: a relock that is later than this has failed.
_GRACE_SECONDS = 2.0
_JOIN_SECONDS = 5.0


def pulse_once(lock: DoorLock, config: DoorConfig, on_change: Callable[[DoorChange], None]) -> None:
    """Unlock for ``unlock_seconds``, relock, and close ``lock``; each change goes to ``on_change``.

    Raises ``LockError`` unless the door was unlocked once and the line reads secure afterwards.
    """
    ended = threading.Event()
    states: list[str] = []

    def note(change: DoorChange) -> None:
        states.append(change.state)
        on_change(change)
        if change.state != "unlocked":
            ended.set()

    worker = DoorWorker(lock, config, Metrics(CollectorRegistry()), note)
    worker.on_failure = lambda _worker: ended.set()
    secure = False
    worker.start()
    try:
        worker.request(UnlockRequest("test", cause="test", granted_at=time.monotonic()))
        ended.wait(config.unlock_seconds + _GRACE_SECONDS)
        # A worker that failed may have closed the lock by now; then its own error tells what was wrong.
        with contextlib.suppress(LockError):
            secure = states == ["unlocked", "locked"] and not lock.unlocked
    finally:
        worker.stop()
        worker.join(_JOIN_SECONDS)
    if isinstance(worker.failure, EdgedError):
        raise worker.failure
    if not secure:
        raise LockError(f"{lock.name}: expected unlocked, then locked and secure; got {states}")
