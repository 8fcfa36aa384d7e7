"""A publisher, and the first door of its group."""

from pathlib import Path

import pytest

from edged.publishing.release import FleetFolder
from tests.integration.membership.fleet import Door, door, publisher


@pytest.fixture
def folder(tmp_path: Path) -> FleetFolder:
    return publisher(tmp_path / "fleet")


@pytest.fixture
def front(tmp_path: Path, folder: FleetFolder) -> Door:
    return door(tmp_path / "front", "front", folder)
