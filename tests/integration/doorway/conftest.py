import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from edged.doorway.tenant import tenant_of
from tests.fakes.desk import Desk
from tests.fakes.doorway import DoorProcess


@pytest.fixture
def door(tmp_path: Path) -> Iterator[DoorProcess]:
    """A door process that runs."""
    with DoorProcess(tmp_path) as running:
        yield running


@pytest.fixture
def long_door(tmp_path: Path) -> Iterator[DoorProcess]:
    """One whose pulse lasts for half a minute: what ends it earlier is seen, however busy the machine."""
    with DoorProcess(tmp_path, unlock_seconds=30) as running:
        yield running


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A door without a socket; nothing runs yet."""
    made = Desk(tmp_path)
    yield made
    for daemon in made.daemons:
        with daemon:
            daemon.kill()
    for pid in made.keepers:
        still = tenant_of(made.state)
        if still is not None and still.pid == pid:
            os.kill(pid, signal.SIGKILL)
