"""Which door a daemon has: its own thread, its own process, or a process that others share.

With ``door.socket`` the door process is a service of its own, which goes on when this daemon does not. Else a
door with hardware, be it a real lock or any switch, gets a process that starts and ends with the daemon: a
crash in mid-pulse must not leave a line to the mercy of the kernel's driver. A fake lock alone stays in
the daemon, since nothing hangs on it.
"""

import socket
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from edged.config.sections import Config
from edged.devices import timekeeping
from edged.devices.lock_factory import open_lock
from edged.doorway.channel import connect
from edged.errors import NotFoundError, StoreError
from edged.metrics import Metrics
from edged.storage.journal import Journal
from edged.storage.journal_reader import JournalReader
from edged.workers.door import DoorChange, DoorWorker
from edged.workers.door_child import DoorChild, door_child
from edged.workers.door_journal import DoorJournal
from edged.workers.door_link import DoorLink
from edged.workers.former_names import former_names

# Its last events, the end of its process, its last reports.
DOOR_STOP_SECONDS = 5.0

T = TypeVar("T")
Door = DoorWorker | DoorLink
OpenDoor = Callable[[Metrics, Journal, Callable[[DoorChange], None]], Door]

# Some events at most wait at a healthy door, and a commit each takes milliseconds.
_CATCH_UP_SECONDS = 3.0
_STOP_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class _Way:
    """How a door process is reached, let go of, and ended where it hangs."""

    connect: Callable[[], socket.socket]
    close: Callable[[], None] = lambda: None
    kill: Callable[[], None] = lambda: None


def claim_door(config: Config, building: ExitStack, child: DoorChild | None = None) -> OpenDoor:
    """Claim the lock line, first of all; ``building`` frees it again. Raises ``LockError``.

    ``child`` is the door's process where its start was begun before; see ``door_child``.
    What is returned makes the door's worker, once there are metrics and a journal.
    """
    door = config.door
    if door.socket is not None:
        # A process of its own has a service manager, whose watchdog ends it where it hangs.
        return partial(_linked, config, building, _Way(partial(connect, door.socket)))
    child = child or door_child(config)
    if child is None:
        lock = open_lock(door.lock)
        building.callback(lock.close)
        return lambda metrics, _journal, on_change: DoorWorker(lock, door, metrics, on_change)
    building.callback(child.close)
    child.start()
    return partial(_linked, config, building, _Way(child.connect, child.close, child.kill))


def showing(door: Door, on_seen: Callable[[T], None]) -> Callable[[T], None]:
    """Return ``on_seen``, before which the door shows that somebody is looked at."""

    def seen(sight: T) -> None:
        door.show("looking")
        on_seen(sight)

    return seen


def time_synced(door: Door) -> bool | None:
    """Return whether ``door`` says that the wall clock is right; None without a process that may ask."""
    return door.time_synced() if isinstance(door, DoorLink) else None


def _linked(  # noqa: PLR0917 - all but the last three are bound
    config: Config,
    building: ExitStack,
    way: "_Way",
    metrics: Metrics,
    journal: Journal,
    on_change: Callable[[DoorChange], None],
) -> DoorLink:
    """Return a running link; what waited at the door is in the journal, if the door was there in time."""
    name = f"{config.site}.{config.door_id}"
    records = DoorJournal(journal, partial(_holds, config), partial(_alarmed, metrics), name)
    wrong = timekeeping.synced() is False
    formerly = former_names(config.journal.path, name, None if wrong else time.time())
    link = DoorLink(
        way.connect, reader=name, formerly=formerly, config=config.door, metrics=metrics, journal=records,
        on_change=on_change, close=way.close, end_hung=way.kill,
    )  # fmt: skip
    building.callback(_abandon, link)
    link.start()
    link.catch_up(_CATCH_UP_SECONDS)
    return link


def _alarmed(metrics: Metrics, body: Mapping[str, Any]) -> None:
    """Count an alarm of the door process, and the events that it says were dropped there."""
    metrics.alarm(body["type"])
    if body["type"] == "events_lost":
        metrics.events_dropped.labels("door_process").inc(max(0, body.get("count") or 0))


def _abandon(link: DoorLink) -> None:
    link.stop()
    link.join(_STOP_SECONDS)


def _holds(config: Config, event_id: str) -> bool:
    try:
        with JournalReader.open(config.journal.path) as reader:
            reader.find(event_id)
    except (NotFoundError, StoreError):
        return False
    return True
