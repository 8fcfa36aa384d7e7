"""One pulse of the lock, for whoever installs a door: the worker that the daemon uses, and no camera.

It opens the door, so it is on record like any other opening.
"""

import contextlib
import threading
import time
import uuid
from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry

from edged.config.sections import DoorConfig, JournalConfig
from edged.devices.clock import Clock
from edged.devices.lock import DoorLock
from edged.domain.types import EventKind
from edged.errors import EdgedError, LockError, StoreError
from edged.metrics import Metrics
from edged.storage.journal import Journal
from edged.workers.door import DoorChange, DoorWorker, UnlockRequest
from edged.workers.event_log import EventLog

# Past the pulse itself: a relock that is later than this has failed.
_GRACE_SECONDS = 2.0
_JOIN_SECONDS = 5.0


@contextlib.contextmanager
def recording(config: JournalConfig, zone: str, *, deliver: bool) -> Iterator[Callable[[DoorChange], None]]:
    """Yield what records a change of the line; on leaving, all of it is on disk.

    Raises ``StoreError``: at once where the journal does not open, so that no door is opened off the record;
    at the end where something could not be written.
    """
    with contextlib.closing(Journal.open(config, deliver=deliver)) as journal:
        log = EventLog(journal, Metrics(CollectorRegistry()), Clock(zone), uuid.uuid4().hex[:12])
        yield lambda change: log.record(log.event(EventKind.DOOR, change.body()))
        log.retry_all()
    log.close()
    if log.lost:
        raise StoreError(f"{config.path}: the pulse is not on record")


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
