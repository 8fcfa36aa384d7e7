"""Following faces finds who a search of every whole picture finds, and newcomers soon."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.domain.region_search import WHOLE_SECONDS, RegionPlan
from edged.domain.tracking import Tracker
from edged.domain.types import Box, Face, Image
from edged.vision.tracked_search import TrackedSearch

EVERY = 3
Place = tuple[int, int, int, int]  # left, top, width, height
SECONDS = 0.07


@dataclass
class Finder:
    """Finds painted rectangles, as much of each as is in the picture; counts its searches."""

    searched: list[tuple[int, int]] = field(default_factory=list)

    def detect(self, image: Image) -> list[Face]:
        self.searched.append(image.shape[1::-1])
        found = []
        for value in (100, 101):
            rows, columns = np.nonzero(image[..., 0] == value)
            if not rows.size:
                continue
            left, top = int(columns.min()), int(rows.min())
            width, height = int(columns.max()) + 1 - left, int(rows.max()) + 1 - top
            marks = np.full((5, 2), (left, top), np.float32)
            found.append(Face(Box(left, top, width, height), marks, value / 255))
        return found


def painted(*boxes: Place) -> Image:
    """A picture of 320 x 240 with rectangles (left, top, width, height)."""
    image = np.zeros((240, 320, 3), np.uint8)
    for number, (left, top, width, height) in enumerate(boxes):
        image[max(0, top) : max(0, top + height), max(0, left) : max(0, left + width)] = 100 + number
    return image


class Watch:
    """A search and the tracker whose faces it follows."""

    def __init__(self, every: int = EVERY) -> None:
        self.whole, self.part = Finder(), Finder()
        self.search = TrackedSearch(self.whole, self.part, RegionPlan(every, 120))
        self.tracker = Tracker()
        self.at = 5.0

    def show(self, image: Image) -> dict[int, Face]:
        self.at += SECONDS
        faces = self.search.find(image, self.tracker.followed, self.at)
        return {one.track_id: one.face for one in self.tracker.update(faces, self.at)}


def test_a_face_that_is_followed_is_told_in_pixels_of_the_picture() -> None:
    watch = Watch()
    for step in range(9):
        box = (100 + 4 * step, 60 + 2 * step, 50, 60)
        (face,) = watch.show(painted(box)).values()
        assert (face.box.x, face.box.y, face.box.width, face.box.height) == box
        assert face.landmarks[0] == pytest.approx(box[:2])
    assert len(watch.whole.searched) == 3
    assert len(watch.part.searched) == 6
    assert all(width * height < 320 * 240 / 3 for width, height in watch.part.searched)


def test_a_face_that_is_gone_is_looked_for_in_the_same_picture() -> None:
    watch = Watch()
    watch.show(painted((100, 60, 50, 60)))
    assert watch.show(painted()) == {}
    assert (len(watch.part.searched), len(watch.whole.searched)) == (1, 2)
    watch.show(painted())  # and as long as the track is open
    assert len(watch.whole.searched) == 3


def test_a_face_that_jumps_is_found_in_the_same_picture() -> None:
    watch = Watch()
    (first,) = watch.show(painted((20, 60, 50, 60)))
    (second,) = watch.show(painted((240, 60, 50, 60)))
    assert second != first


def test_a_network_of_one_size_searches_every_picture() -> None:
    finder = Finder()
    search = TrackedSearch(finder, None, RegionPlan(EVERY, 120))
    for step in range(6):
        assert search.find(painted((100, 60, 50, 60)), [Box(100, 60, 50, 60)], step * SECONDS)
    assert finder.searched == [(320, 240)] * 6


steps = st.lists(st.tuples(st.integers(-8, 8), st.integers(-8, 8)), min_size=12, max_size=25)
places = st.tuples(st.integers(0, 250), st.integers(0, 150), st.integers(40, 80), st.integers(40, 90))
walks = st.tuples(places, steps)


@given(walks, walks, st.integers(0, 11), st.integers(1, 25))
def test_nobody_is_missed_and_a_newcomer_is_found_soon(
    first: tuple[Place, list[tuple[int, int]]],
    second: tuple[Place, list[tuple[int, int]]],
    enters: int,
    stays: int,
) -> None:
    """Somebody walks about; a second one comes, walks too, goes. Held against the search of every picture."""
    watch, every = Watch(), Watch(every=1)
    one, other, waiting = first[0], second[0], 0
    for number, (step, other_step) in enumerate(zip(first[1], second[1], strict=False)):
        one = moved(one, step)
        shown = [one]
        if enters <= number < enters + stays:
            other = moved(other, other_step)
            shown.append(other)
        image = painted(*shown)
        seen, wanted = boxes(watch.show(image)), boxes(every.show(image))
        assert set(seen) <= set(wanted)
        waiting = waiting + 1 if len(seen) < len(wanted) else 0
        assert waiting < EVERY
        assert waiting * SECONDS < WHOLE_SECONDS
        followed = {value for value in wanted if value[4] == 100}
        assert followed <= set(seen)  # whoever was there first is there in every picture


def moved(box: Place, step: tuple[int, int]) -> Place:
    left, top = min(max(0, box[0] + step[0]), 320 - box[2]), min(max(0, box[1] + step[1]), 240 - box[3])
    return left, top, box[2], box[3]


def boxes(faces: dict[int, Face]) -> list[tuple[float, float, float, float, int]]:
    return [
        (one.box.x, one.box.y, one.box.width, one.box.height, round(one.score * 255))
        for one in faces.values()
    ]
