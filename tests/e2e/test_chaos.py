"""A few faults of ``make chaos``, as a real door meets them."""

from pathlib import Path

import pytest

from tests.chaos import camera_rows, door_rows, messaging, part_rows
from tests.chaos.plan import Plan
from tests.chaos.row import Row
from tests.chaos.stage import staged

pytestmark = pytest.mark.timeout(300)

ONE_OF_EACH = 0.01  # minutes: in proportion to a run of twenty, and at least once
# `make chaos` measures how soon. Here a pulse outlasts what a busy machine is late by: what ended before it
# had to, was ended.
PULSE, PATIENCE = 30.0, 10.0


def sound(row: Row) -> bool:
    return not (row.breaches or row.lost or row.unsafe_ms)


def test_a_door_that_is_killed_and_blinded_loses_nothing_and_never_stands_open(tmp_path: Path) -> None:
    faults = [fault for fault in (*door_rows.FAULTS, *camera_rows.CAMERA_FAULTS) if fault.name in _SHORT]
    assert len(faults) == len(_SHORT)
    with staged(tmp_path / "door", pulse=PULSE, patience=PATIENCE) as stage:
        rows = [door_rows.run_fault(stage, fault, Plan(ONE_OF_EACH)) for fault in faults]
    assert [row for row in rows if not sound(row)] == []
    assert all(row.injected == 1 for row in rows)
    assert all("1 openings" in row.observed for row in rows[:2])


_SHORT = (
    "kill -9 of the daemon in mid-pulse",
    "kill -9 of the door process in mid-pulse",
    "camera repeats a face for ever",
    "somebody who may not enter",
)


def test_a_device_that_is_killed_delivers_everything_in_order(tmp_path: Path) -> None:
    (row,) = messaging.rows(tmp_path / "messaging", Plan(ONE_OF_EACH, wanted=("kill -9 of the device",)))
    assert sound(row), row
    assert not row.observed.startswith("0 events")


def test_an_active_low_door_that_starts_and_ends_is_never_open(tmp_path: Path) -> None:
    (row,) = part_rows.start_stop(tmp_path / "start-stop", Plan(0.4))
    assert sound(row), row
    assert row.injected == 2
