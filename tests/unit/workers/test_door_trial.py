from collections.abc import Callable

import pytest
from prometheus_client import CollectorRegistry

from edged.config.sections import DoorConfig, FakeLockConfig
from edged.devices.fakes import FakeLock
from edged.errors import LockError
from edged.metrics import Metrics
from edged.workers.door import DoorChange, DoorWorker
from edged.workers.door_trial import Told, pulse

CONFIG = DoorConfig(lock=FakeLockConfig(), unlock_seconds=0.05)


def door_of(lock: FakeLock) -> Callable[[Told], DoorWorker]:
    return lambda note: DoorWorker(lock, CONFIG, Metrics(CollectorRegistry()), note)


class StuckLock(FakeLock):
    """Its line does not come back after an unlock."""

    def secure(self) -> None:
        if self.transitions[-1].state == "unlocked":
            raise LockError("toy: the line still reads unlocked")


def test_one_pulse_is_shown_and_the_lock_is_closed() -> None:
    lock = FakeLock()
    changes: list[DoorChange] = []
    pulse(door_of(lock), CONFIG, changes.append)
    assert [change.state for change in changes] == ["unlocked", "locked"]
    assert [change.state for change in lock.transitions] == ["locked", "unlocked", "locked"]
    with pytest.raises(LockError, match="after it was closed"):
        lock.unlock()


def test_a_line_that_stays_unlocked_fails_the_trial() -> None:
    with pytest.raises(LockError, match="still reads unlocked"):
        pulse(door_of(StuckLock()), CONFIG, lambda _change: None)


def test_a_lock_that_does_nothing_fails_the_trial() -> None:
    class DeadLock(FakeLock):
        def unlock(self) -> None:
            raise LockError("toy: no answer")

    with pytest.raises(LockError, match="no answer"):
        pulse(door_of(DeadLock()), CONFIG, lambda _change: None)
