"""No space: nothing acknowledged is lost, the ballast keeps the door recording, and space is used again."""

import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from edged.config.sections import JournalConfig
from edged.domain.types import EventKind
from edged.storage import ballast as ballast_module
from edged.storage.ballast import Ballast
from edged.storage.journal import Journal
from edged.storage.journal_reader import JournalReader
from tests.chaos.full_disk import Result, fill_once, template
from tests.integration.storage.conftest import event
from tests.integration.storage.test_crashes import tiny_disk

__all__ = ["tiny_disk"]


@pytest.fixture(scope="module")
def begin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return template(tmp_path_factory.mktemp("begin") / "template.db")


# The start of a journal and its first rows take less than 48 writes; `make powercuts` tries more of them.
@pytest.mark.parametrize("full_at", range(48))
def test_a_disk_that_is_full_at_any_write_refuses_keeps_and_goes_on(
    tmp_path: Path, begin: Path, full_at: int
) -> None:
    result = Result()
    fill_once(tmp_path, begin, full_at, result)
    assert (result.breaches, result.lost) == ([], 0)
    assert result.refused > 0


@pytest.fixture
def small_ballast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ballast_module, "BALLAST_BYTES", 160 << 10)
    monkeypatch.setattr(ballast_module, "_LOOK_SECONDS", 0.0)


def until(condition: object) -> None:
    deadline = time.monotonic() + 60
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.usefixtures("small_ballast")
def test_on_a_full_disk_the_ballast_lets_the_door_record_on_and_comes_back(tiny_disk: Path) -> None:
    journal = Journal.open(JournalConfig(path=tiny_disk / "journal.db"))
    ballast = tiny_disk / "journal.db.ballast"
    until(ballast.exists)
    filler = tiny_disk / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    large = {"note": "x" * 3000}
    recorded = [
        journal.submit([replace(event(number), body=large)]).result()[0].event.event_id
        for number in range(100, 106)
    ]
    assert not ballast.exists()
    filler.unlink()
    until(ballast.exists)
    journal.close()
    with JournalReader.open(tiny_disk / "journal.db") as reader:
        assert reader.verify().ok
        found = list(reader.events())
    assert [one.event.event_id for one in found if one.event.kind is EventKind.ACCESS] == recorded
    told = [one.event.body["type"] for one in found if one.event.kind is EventKind.ALARM]
    assert told == ["disk_full", "disk_space_back"]


def test_a_ballast_is_made_only_where_there_is_plenty_and_holds_real_space(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ballast = Ballast(tmp_path / "x.db")
    assert ballast.restore()
    assert ballast.path.stat().st_blocks * 512 >= ballast_module.BALLAST_BYTES
    assert ballast.release()
    assert not ballast.release()
    monkeypatch.setattr(ballast_module, "BALLAST_BYTES", 1 << 60)
    ballast._look_at = 0.0
    assert not ballast.restore()
    assert not ballast.path.exists()
