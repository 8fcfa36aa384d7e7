"""One pulse of the lock, for whoever installs a door: the door as the daemon has it, and no camera.

A door with hardware is opened by a process of its own here too: a pulse ends whatever becomes of the command
that asked for it. It opens the door, so it is on record like any other opening.
"""

import contextlib
import threading
import time
import uuid
from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry

from edged.config.sections import Config, DoorConfig
from edged.devices.clock import Clock
from edged.devices.lock_factory import open_lock
from edged.domain.types import EventKind
from edged.doorway.latch import in_emergency
from edged.doorway.tenant import tenant_of
from edged.errors import EdgedError, LockError, StoreError
from edged.metrics import Metrics
from edged.storage.journal import Journal
from edged.workers.door import DoorChange, DoorWorker, UnlockRequest
from edged.workers.door_child import door_child, door_state
from edged.workers.door_opening import Door, OpenDoor, claim_door
from edged.workers.event_log import EventLog

# Past the pulse itself: a relock that is later than this has failed.
_GRACE_SECONDS = 2.0
_JOIN_SECONDS = 5.0

Told = Callable[[DoorChange], None]


def pulse_once(config: Config, on_claimed: Callable[[str], None], on_change: Told) -> None:
    """Claim the lock, unlock it for ``unlock_seconds``, relock it, and give it back.

    ``on_claimed`` hears the name of the lock, ``on_change`` what the line did. By the end it is on record,
    or waits for the next start of the door. Raises ``LockError`` unless the door was unlocked once and its
    line is secure afterwards; ``DoorwayError`` where nobody can tell who keeps the door; ``StoreError``: at
    once where the journal does not open, so that no door is opened off the record.
    """
    with contextlib.ExitStack() as building:
        opened, name = _claimed(config, building)
        on_claimed(name)
        journal, record = building.enter_context(_recording(config))

        def told(change: DoorChange) -> None:
            if not change.recorded:
                record(change)
            on_change(change)

        pulse(lambda note: opened(Metrics(CollectorRegistry()), journal, note), config.door, told)


def pulse(open_door: Callable[[Told], Door], config: DoorConfig, on_change: Told) -> None:
    """Have the door that ``open_door`` returns make one pulse, and end it. Raises ``LockError``."""
    ended = threading.Event()
    changes: list[DoorChange] = []

    def note(change: DoorChange) -> None:
        changes.append(change)
        on_change(change)
        if change.state != "unlocked":
            ended.set()

    door = open_door(note)
    door.on_failure = lambda _worker: ended.set()
    door.start()
    try:
        # An id of its own: what is left of an earlier pulse may be told only now.
        request = f"test-{uuid.uuid4().hex[:12]}"
        if door.request(UnlockRequest(request, cause="test", granted_at=time.monotonic())):
            ended.wait(config.unlock_seconds + _GRACE_SECONDS)
    finally:
        door.stop()
        door.join(_JOIN_SECONDS)
    if isinstance(door.failure, EdgedError):
        raise door.failure
    if [change.state for change in changes] != ["unlocked", "locked"]:
        got = ", ".join(" ".join(filter(None, (change.state, change.reason))) for change in changes)
        raise LockError(f"expected unlocked, then locked and secure; got {got or 'no answer'}")


def _claimed(config: Config, building: contextlib.ExitStack) -> tuple[OpenDoor, str]:
    """Claim the lock, until ``building`` frees it; return what makes its worker, and its name."""
    child = door_child(config)
    if child is None:
        lock = open_lock(config.door.lock)
        building.callback(lock.close)
        door = config.door
        return lambda metrics, _journal, told: DoorWorker(lock, door, metrics, told), lock.name
    state = door_state(config)
    tenant = tenant_of(state)
    # A start would open the door, as every start does now; and end who holds it open, whose disk may have
    # taken no latch.
    if in_emergency(state) or (tenant is not None and tenant.emergency):
        raise LockError("a fire has opened the door, and nobody has reset it: see edged door reset")
    child.quiet = True
    child.leaves = lambda: True  # a fire that begins now holds the door open past this command
    opened = claim_door(config, building, child)
    return opened, child.lock_name


@contextlib.contextmanager
def _recording(config: Config) -> Iterator[tuple[Journal, Told]]:
    """Yield the journal, and what records a change of the line; on leaving, all of it is on disk.

    Raises ``StoreError``, at the end where something could not be written.
    """
    journal = Journal.open(config.journal, deliver=config.mqtt.enabled)
    with contextlib.closing(journal):
        log = EventLog(
            journal, Metrics(CollectorRegistry()), Clock(config.access.time_zone), uuid.uuid4().hex[:12]
        )
        yield journal, lambda change: log.record(log.event(EventKind.DOOR, change.body()))
        log.retry_all()
    log.close()
    if log.lost:
        raise StoreError(f"{config.journal.path}: the pulse is not on record")
