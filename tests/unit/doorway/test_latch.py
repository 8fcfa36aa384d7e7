"""The latch of a fire, as those read it who may claim the line."""

from pathlib import Path

import pytest

from edged.doorway.latch import in_emergency
from edged.doorway.spool import Spool


@pytest.mark.parametrize("emergency", [True, False])
def test_it_says_what_the_spool_wrote(tmp_path: Path, emergency: bool) -> None:
    spool = Spool(tmp_path)
    spool.latch(emergency=True)
    spool.latch(emergency=emergency)
    assert spool.close(10)
    assert in_emergency(tmp_path) is emergency


def test_what_is_no_file_is_no_latch(tmp_path: Path) -> None:
    assert not in_emergency(tmp_path / "nowhere")
    (tmp_path / "emergency").mkdir()
    assert not in_emergency(tmp_path)
    (tmp_path / "a file").touch()
    assert not in_emergency(tmp_path / "a file")
