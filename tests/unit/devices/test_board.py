import math
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from edged.devices.board import Board, free_bytes, size_bytes
from edged.devices.clock import Clock
from edged.metrics import Metrics
from edged.workers.board_watch import watch_board


def put(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_the_hottest_zone_counts_and_a_sleeping_one_does_not(tmp_path: Path) -> None:
    put(tmp_path, "sys/class/thermal/thermal_zone0/temp", "48312\n")
    put(tmp_path, "sys/class/thermal/thermal_zone1/temp", "61500\n")
    put(tmp_path, "sys/class/thermal/thermal_zone2/temp", "\n")
    assert Board(tmp_path).temperature() == 61.5


@pytest.mark.parametrize(
    ("text", "now"), [("0", 0), ("50000", 0), ("1", 1), ("50005", 1), ("8", 1), ("e0008", 1)]
)
def test_only_what_slows_the_board_down_now_counts(tmp_path: Path, text: str, now: int) -> None:
    put(tmp_path, "sys/devices/platform/soc/soc:firmware/get_throttled", text + "\n")
    assert Board(tmp_path).throttled() == now


def test_what_a_board_does_not_say_is_not_a_number(tmp_path: Path) -> None:
    assert math.isnan(Board(tmp_path).temperature())
    assert math.isnan(Board(tmp_path).throttled())
    assert math.isnan(free_bytes(tmp_path / "absent"))
    assert math.isnan(size_bytes(tmp_path / "absent"))
    put(tmp_path, "sys/devices/platform/soc/soc:firmware/get_throttled", "what?")
    assert math.isnan(Board(tmp_path).throttled())


def test_a_disk_has_no_more_room_than_it_holds(tmp_path: Path) -> None:
    assert 0 <= free_bytes(tmp_path) <= size_bytes(tmp_path)


class SlowClock(Clock):
    right: bool | None = False

    def word(self) -> bool | None:
        return self.right


def test_a_scrape_sees_the_clock_that_came_right_later(tmp_path: Path) -> None:
    registry, clock = CollectorRegistry(), SlowClock()
    watch_board(Metrics(registry), clock, Board(tmp_path), tmp_path)
    assert registry.get_sample_value("edged_clock_synced") == 0
    clock.right = True
    assert registry.get_sample_value("edged_clock_synced") == 1
    clock.right = None
    assert math.isnan(registry.get_sample_value("edged_clock_synced") or 0)
    put(tmp_path, "sys/class/thermal/thermal_zone0/temp", "70000")
    assert registry.get_sample_value("edged_temperature_celsius") == 70
    assert (registry.get_sample_value("edged_storage_size_bytes") or 0) > 0
