from collections.abc import Iterator
from pathlib import Path

import pytest

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
