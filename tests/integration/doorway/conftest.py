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
    """One whose pulse lasts for three seconds."""
    with DoorProcess(tmp_path, unlock_seconds=3) as running:
        yield running
