import math

from edged.domain.types import EventKind
from edged.workers.lanes import Lanes

ACCESS, DOOR = EventKind.ACCESS, EventKind.DOOR


def test_a_new_connection_begins_at_the_oldest_row() -> None:
    lanes = Lanes(2, 60)
    lanes.passed(40, 0)
    assert lanes.start(0) == 40
    lanes.restart()
    assert lanes.start(0) == 0


def test_a_row_that_came_back_pauses_its_lane_alone() -> None:
    lanes = Lanes(2, 60)
    lanes.handed(ACCESS, 1)
    lanes.returned(ACCESS, 1, 10)
    assert not lanes.wants(ACCESS, 1, 11)
    assert lanes.wants(DOOR, 2, 11)
    assert lanes.next_at(10) == 12


def test_after_the_pause_one_row_is_tried_and_then_all() -> None:
    lanes = Lanes(2, 60)
    lanes.handed(ACCESS, 1)
    lanes.handed(ACCESS, 2)
    lanes.returned(ACCESS, 1, 10)
    lanes.returned(ACCESS, 2, 10)
    assert lanes.wants(ACCESS, 1, 12)
    lanes.handed(ACCESS, 1)
    assert not lanes.wants(ACCESS, 2, 12)
    lanes.done(ACCESS)
    assert lanes.wants(ACCESS, 2, 12)
    assert not lanes.paused


def test_pauses_grow_to_their_maximum() -> None:
    lanes, now, pauses = Lanes(2, 60), 0.0, []
    for _ in range(8):
        lanes.handed(ACCESS, 1)
        lanes.returned(ACCESS, 1, now)
        pauses.append(lanes.next_at(now) - now)
        now = lanes.next_at(now)
    assert pauses == [2, 4, 8, 16, 32, 60, 60, 60]


def test_a_whole_window_that_came_back_counts_as_one_pause() -> None:
    lanes = Lanes(2, 60)
    for seq in range(1, 17):
        lanes.handed(ACCESS, seq)
    for seq in range(1, 17):
        lanes.returned(ACCESS, seq, 5.0)
    assert lanes.next_at(5.0) == 7.0
    assert lanes.start(7.0) == 0


def test_rows_looked_at_are_not_read_again_except_for_paused_lanes() -> None:
    lanes = Lanes(2, 60)
    lanes.handed(ACCESS, 3)
    lanes.returned(ACCESS, 3, 0)
    lanes.passed(500, 1)
    assert lanes.start(1) == 500
    assert lanes.start(2) == 2


def test_how_often_one_row_was_refused_is_counted() -> None:
    lanes = Lanes(2, 60)
    times = []
    for now in (0.0, 2.0, 6.0):
        lanes.handed(ACCESS, 1)
        times.append(lanes.returned(ACCESS, 1, now))
    assert times == [1, 2, 3]


def test_nothing_paused_has_no_next_time() -> None:
    assert Lanes(2, 60).next_at(0) == math.inf
