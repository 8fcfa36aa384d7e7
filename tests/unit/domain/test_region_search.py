"""Where to look between two searches of the whole picture: never at the price of a face."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.domain.region_search import WHOLE_SECONDS, Region, RegionPlan, nothing_missed
from edged.domain.types import Box, Face

SIZE = (640, 480)
FACE = Box(280, 150, 100, 120)


def face(box: Box) -> Face:
    return Face(box, np.zeros((5, 2), np.float32), 0.9)


def plan(every: int = 3) -> RegionPlan:
    one = RegionPlan(every, 160)
    one.searched(10.0, None)
    return one


def test_around_a_face_there_is_room_for_a_step() -> None:
    region = plan().region(SIZE, [FACE], 10.1)
    assert region is not None
    assert region.left <= FACE.x - 50
    assert region.left + region.width >= FACE.x + FACE.width + 50
    assert region.top <= FACE.y - 50
    assert region.top + region.height >= FACE.y + FACE.height + 50
    assert region.width == region.height


@pytest.mark.parametrize("every", [1, 2, 3, 5])
def test_every_so_many_pictures_one_is_searched_as_a_whole(every: int) -> None:
    one, whole = plan(every), []
    for number in range(1, 13):
        at = 10 + number * 0.01
        region = one.region(SIZE, [FACE], at)
        one.searched(at, region)
        whole.append(region is None)
    assert whole == [number % every == 0 for number in range(1, 13)]


def test_a_slow_camera_waits_no_longer_for_a_whole_picture() -> None:
    assert plan().region(SIZE, [FACE], 10 + WHOLE_SECONDS) is None
    assert plan().region(SIZE, [FACE], 9.9) is None  # a clock that went back


def test_nobody_to_follow_means_the_whole_picture() -> None:
    assert plan().region(SIZE, [], 10.1) is None
    assert RegionPlan(3, 160).region(SIZE, [FACE], 10.1) is None  # none was searched as a whole yet


def test_faces_too_small_in_what_would_be_searched_mean_the_whole_picture() -> None:
    assert plan().region(SIZE, [Box(0, 0, 60, 70), Box(560, 400, 60, 70)], 10.1) is None


boxes = st.builds(Box, st.floats(-200, 800), st.floats(-200, 600), st.floats(1, 600), st.floats(1, 600))


@given(st.lists(boxes, min_size=1, max_size=3), st.integers(1, 2000), st.integers(1, 2000))
def test_a_region_lies_in_the_picture(followed: list[Box], width: int, height: int) -> None:
    region = plan().region((width, height), followed, 10.1)
    if region is not None:
        assert 0 <= region.left <= region.left + region.width <= width
        assert 0 <= region.top <= region.top + region.height <= height
        assert min(region.width, region.height) > 0


class TestWhatIsFound:
    region = Region(200, 80, 240, 240)

    def test_the_face_where_it_was(self) -> None:
        moved = Box(FACE.x + 10, FACE.y - 10, FACE.width, FACE.height)
        assert nothing_missed([FACE], [face(moved)], self.region, SIZE)

    def test_no_face(self) -> None:
        assert not nothing_missed([FACE], [], self.region, SIZE)

    def test_a_face_elsewhere(self) -> None:
        assert not nothing_missed([FACE], [face(Box(230, 100, 60, 70))], self.region, SIZE)

    def test_one_face_for_two(self) -> None:
        assert not nothing_missed([FACE, FACE], [face(FACE)], self.region, SIZE)

    def test_a_second_person_in_what_was_searched(self) -> None:
        assert nothing_missed([FACE], [face(FACE), face(Box(210, 100, 60, 70))], self.region, SIZE)

    @pytest.mark.parametrize(
        "cut", [Box(190, 100, 60, 70), Box(390, 100, 60, 70), Box(300, 70, 50, 40), Box(300, 270, 50, 60)]
    )
    def test_one_that_may_go_on_outside(self, cut: Box) -> None:
        assert not nothing_missed([FACE], [face(FACE), face(cut)], self.region, SIZE)

    def test_the_edge_of_the_picture_is_none_of_the_region(self) -> None:
        whole = Region(0, 0, *SIZE)
        near = Box(-20, -10, 700, 500)
        assert nothing_missed([near], [face(near)], whole, SIZE)
