import numpy as np
import pytest

from edged.domain.types import Box, Face
from edged.evaluation.faceless import GENERATORS, SIZE, without_faces

FACE = Face(Box(100, 90, 50, 60), np.zeros((5, 2), np.float32), 0.9)


@pytest.mark.parametrize("name", GENERATORS)
def test_pictures_differ_and_repeat_by_seed(name: str) -> None:
    first, second, again = (GENERATORS[name](np.random.default_rng(seed)) for seed in (1, 2, 1))
    assert first.shape == (*SIZE, 3)
    assert first.dtype == np.uint8
    assert first.std() > 0
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(first, again)


def test_nothing_of_the_face_is_left_as_it_was() -> None:
    image = np.random.default_rng(1).integers(0, 255, (250, 250, 3), np.uint8)
    original = image.copy()
    left = dict(without_faces(image, [FACE], np.random.default_rng(2)))
    assert set(left) == {"beside", "painted over", "in pieces"}
    np.testing.assert_array_equal(image, original)
    inside = np.s_[90:150, 100:150]
    for source in ("painted over", "in pieces"):
        same = (left[source][inside] == original[inside]).all(axis=-1).mean()
        assert same < 0.2, source
        np.testing.assert_array_equal(left[source][:60], original[:60])


def test_piece_beside_misses_all_faces() -> None:
    image = np.zeros((250, 250, 3), np.uint8)
    image[90:150, 100:150] = 255
    other = Face(Box(30, 90, 40, 50), FACE.landmarks, 0.4)
    image[90:140, 30:70] = 255
    assert dict(without_faces(image, [FACE, other], np.random.default_rng(1)))["beside"].max() == 0


def test_photograph_full_of_face_has_nothing_beside() -> None:
    image = np.zeros((100, 100, 3), np.uint8)
    whole = Face(Box(5, 5, 90, 90), FACE.landmarks, 0.9)
    assert "beside" not in dict(without_faces(image, [whole], np.random.default_rng(1)))


def test_tiny_face_and_no_face_are_no_error() -> None:
    image = np.zeros((100, 100, 3), np.uint8)
    tiny = Face(Box(50, 50, 2, 3), FACE.landmarks, 0.9)
    assert "in pieces" in dict(without_faces(image, [tiny], np.random.default_rng(1)))
    assert list(without_faces(image, [], np.random.default_rng(1))) == []
