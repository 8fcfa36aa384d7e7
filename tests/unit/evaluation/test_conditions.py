import numpy as np
import pytest

from edged.domain.types import Box, Face, Image
from edged.evaluation.conditions import CONDITIONS, FRAME_SIDE, dark, masked, rolled, sized, sunglasses

POINTS = np.array([[100, 110], [140, 110], [120, 130], [105, 150], [135, 150]], np.float32)


@pytest.fixture
def picture() -> Image:
    """White dots of 5 pixels at the landmarks, on grey."""
    image = np.full((250, 250, 3), 60, np.uint8)
    for x, y in POINTS.astype(int):
        image[y - 2 : y + 3, x - 2 : x + 3] = 255
    return image


@pytest.fixture
def face() -> Face:
    return Face(Box(80, 85, 80, 90), POINTS, 0.9)


@pytest.mark.parametrize("name", [name for name in CONDITIONS if name not in {"sunglasses", "mask", "dark"}])
def test_landmarks_stay_on_what_they_mark(name: str, picture: Image, face: Face) -> None:
    shown, moved = CONDITIONS[name](picture, face, np.random.default_rng(1))
    for x, y in np.round(moved.landmarks).astype(int):
        assert shown[y, x].min() > 110, (name, x, y)


@pytest.mark.parametrize("width", [20, 40, 260])
def test_size_is_the_width_in_the_frame(width: float, picture: Image, face: Face) -> None:
    shown, moved = sized(width)(picture, face, np.random.default_rng(1))
    assert shown.shape == (FRAME_SIDE, FRAME_SIDE, 3)
    assert moved.box.width == pytest.approx(width)
    assert moved.box.centre == pytest.approx((FRAME_SIDE / 2, FRAME_SIDE / 2))


def test_rolled_head_leans_by_thirty_degrees(picture: Image, face: Face) -> None:
    _, moved = rolled(picture, face, np.random.default_rng(1))
    across, down = moved.landmarks[1] - moved.landmarks[0]
    assert abs(np.degrees(np.arctan2(down, across))) == pytest.approx(30, abs=0.1)
    assert moved.box.centre == pytest.approx(face.box.centre)


def test_night_is_dark(picture: Image, face: Face) -> None:
    shown, same = dark(picture, face, np.random.default_rng(1))
    assert shown.mean() < 0.2 * picture.mean()
    assert same is face


def test_covers_hide_their_own_points_only(picture: Image, face: Face) -> None:
    rng = np.random.default_rng(1)
    left_eye, mouth = POINTS[0].astype(int), POINTS[3].astype(int)
    behind_glasses, _ = sunglasses(picture, face, rng)
    behind_mask, _ = masked(picture, face, rng)
    assert behind_glasses[left_eye[1], left_eye[0]].max() < 60
    assert behind_glasses[mouth[1], mouth[0]].min() == 255
    assert behind_mask[left_eye[1], left_eye[0]].min() == 255
    assert behind_mask[mouth[1], mouth[0]].min() < 255
    assert picture[left_eye[1], left_eye[0]].min() == 255
