"""Which door a daemon has: its own thread, its own process, or a process that others share.

With ``door.socket`` the door process is a service of its own, which goes on when this daemon does not. Else a
door with hardware, be it a real lock or any switch, gets a process that starts and ends with the daemon: a
crash in mid-pulse must not leave a line to the mercy of the kernel's driver. A fake lock alone stays in
the daemon, since nothing hangs on it.
"""

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

from edged.config.door_lines import wired_lines
from edged.config.sections import Config, FakeLockConfig
from edged.devices.lock_factory import open_lock
from edged.doorway.channel import connect
from edged.errors import NotFoundError
from edged.metrics import Metrics
from edged.storage.journal import Journal
from edged.storage.journal_reader import JournalReader
from edged.workers.door import DoorChange, DoorWorker
from edged.workers.door_child import DoorChild
from edged.workers.door_journal import DoorJournal
from edged.workers.door_link import DoorLink, LockWord

Door = DoorWorker | DoorLink


def claim_door(config: Config, building: ExitStack) -> "OpenedDoor":
    """Claim the lock line, first of all. Raises ``LockError``; ``building`` frees it again."""
    door = config.door
    if door.socket is not None:
        return partial(_linked, config, partial(connect, door.socket), lambda: None)
    if isinstance(door.lock, FakeLockConfig) and not wired_lines(door.inputs, door.signals):
        lock = open_lock(door.lock)
        building.callback(lock.close)
        return lambda metrics, _journal, _on_recorded, on_change, _on_lock: DoorWorker(
            lock, door, metrics, on_change
        )
    child = DoorChild(config, config.journal.path.parent / "door")
    building.callback(child.close)
    child.start()
    return partial(_linked, config, child.connect, child.close)


OpenedDoor = Callable[
    [Metrics, Journal, Callable[[], None], Callable[[DoorChange], None], Callable[[LockWord], None]], Door
]


def _linked(
    config: Config,
    connecting: Callable[..., object],
    close: Callable[[], None],
    metrics: Metrics,
    journal: Journal,
    on_recorded: Callable[[], None],
    on_change: Callable[[DoorChange], None],
    on_lock: Callable[[LockWord], None],
) -> DoorLink:
    return DoorLink(
        connecting,  # type: ignore[arg-type]
        f"{config.site}.{config.door_id}",
        config.door,
        metrics,
        DoorJournal(journal, partial(_holds, config), on_recorded),
        on_change,
        on_lock,
        close=close,
    )


def _holds(config: Config, event_id: str) -> bool:
    with JournalReader.open(config.journal.path) as reader:
        try:
            reader.find(event_id)
        except NotFoundError:
            return False
    return True
