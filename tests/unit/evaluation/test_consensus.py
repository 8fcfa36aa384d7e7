import cv2
import numpy as np
import pytest

from edged.domain.types import Box, Face, Image
from edged.evaluation.consensus import VIEWS, consensus

POINTS = np.array([[100, 110], [140, 110], [120, 130], [105, 150], [135, 150]], np.float32)
FACE = Face(Box(80, 80, 80, 100), POINTS, 0.9)


def picture() -> Image:
    """A spot at every landmark, each of its own brightness, and a bar where the face is."""
    image = np.full((260, 250, 3), 20, np.uint8)
    for index, (x, y) in enumerate(POINTS.astype(int)):
        cv2.circle(image, (int(x), int(y)), 4, (255, 60 + 40 * index, 255), -1)
    return image


def spots(image: Image) -> list[Face]:
    """Find the spots and order them as a detector would: by rows, left to right."""
    _, _, _, centres = cv2.connectedComponentsWithStats((image[:, :, 0] > 90).astype(np.uint8))
    found = sorted(centres[1:].tolist(), key=lambda point: (round(point[1] / 8), point[0]))
    points = np.array(found, np.float32)
    low, span = points.min(axis=0), np.ptp(points, axis=0)
    box = Box(
        float(low[0] - span[0] / 2), float(low[1] - span[1] * 0.75), float(span[0] * 2), float(span[1] * 2.5)
    )
    return [Face(box, points, 0.9)]


def test_views_of_a_steady_detector_agree() -> None:
    (face,) = spots(picture())
    agreed, spread = consensus(spots, picture(), face)
    assert agreed.landmarks == pytest.approx(POINTS, abs=0.6)
    assert spread is not None
    assert spread < 0.02
    assert agreed.box == face.box


def test_one_view_is_the_face_itself() -> None:
    agreed, spread = consensus(spots, picture(), FACE, views=1)
    assert agreed is FACE
    assert spread is None


def test_detector_that_errs_to_the_left_is_right_with_its_mirror() -> None:
    def left(image: Image) -> list[Face]:
        return [Face(one.box, one.landmarks - np.float32([3, 0]), one.score) for one in spots(image)]

    (face,) = left(picture())
    agreed, spread = consensus(left, picture(), face, views=2)
    assert agreed.landmarks == pytest.approx(POINTS, abs=0.3)
    assert spread == pytest.approx(6 / 40, abs=0.01)


def test_face_that_no_other_view_shows_stays() -> None:
    agreed, spread = consensus(lambda _image: [], picture(), FACE)
    assert agreed is FACE
    assert spread is None


def test_first_view_is_the_photograph() -> None:
    assert VIEWS[0] == (1.0, False)
    assert len(set(VIEWS)) == 8
