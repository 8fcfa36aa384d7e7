"""Which face is whose from frame to frame."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edged.domain.tracking import Tracker
from edged.domain.types import Box, Face


def face(x: float, width: float = 100.0) -> Face:
    return Face(Box(x, 50, width, width), np.zeros((5, 2), np.float32), 0.9)


def test_a_moving_face_keeps_its_track() -> None:
    tracker = Tracker()
    ids = [tracker.update([face(x)], x / 100)[0].track_id for x in range(0, 400, 20)]
    assert set(ids) == {1}


def test_a_face_that_jumps_is_somebody_else() -> None:
    tracker = Tracker()
    assert tracker.update([face(0)], 0)[0].track_id != tracker.update([face(500)], 0.1)[0].track_id


def test_nearest_comes_first() -> None:
    tracked = Tracker().update([face(0, 60), face(300, 120), face(600, 90)], 0)
    assert [item.face.box.width for item in tracked] == [120, 90, 60]


def test_crossing_faces_keep_to_the_greater_overlap() -> None:
    tracker = Tracker()
    first = {item.face.box.x: item.track_id for item in tracker.update([face(0), face(150)], 0)}
    second = {item.face.box.x: item.track_id for item in tracker.update([face(40), face(120)], 0.1)}
    assert (first[0], first[150]) == (second[40], second[120])


def test_a_track_ends_after_absence_and_its_number_is_not_used_again() -> None:
    tracker = Tracker(lost_after_seconds=1)
    number = tracker.update([face(0)], 0)[0].track_id
    assert tracker.expire(1.0) == []
    assert tracker.expire(1.01) == [number]
    assert tracker.update([face(0)], 1.1)[0].track_id > number


def test_a_split_gives_the_same_face_a_new_number() -> None:
    tracker = Tracker()
    old = tracker.update([face(0)], 0)[0].track_id
    fresh = tracker.split(old)
    assert tracker.update([face(2)], 0.1)[0].track_id == fresh != old


@given(st.lists(st.lists(st.tuples(st.floats(-500, 500), st.floats(1, 300)), max_size=5), max_size=20))
def test_every_face_gets_a_track_of_its_own(frames: list[list[tuple[float, float]]]) -> None:
    tracker = Tracker()
    for number, boxes in enumerate(frames):
        tracked = tracker.update([face(x, width) for x, width in boxes], number * 0.1)
        assert len(tracked) == len(boxes)
        assert len({item.track_id for item in tracked}) == len(boxes)


def test_faces_are_followed_while_each_is_in_the_newest_picture() -> None:
    tracker = Tracker()
    assert tracker.followed == []
    tracker.update([face(0), face(300)], 0)
    assert [box.x for box in tracker.followed] == [0, 300]
    tracker.update([face(10)], 0.1)
    assert tracker.followed == []  # one is lost and may be anywhere
    tracker.update([face(20), face(310)], 0.2)
    assert [box.x for box in tracker.followed] == [20, 310]
    tracker.update([], 0.3)
    assert tracker.followed == []
