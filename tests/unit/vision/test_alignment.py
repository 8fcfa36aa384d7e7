"""The similarity transform and the aligned face."""

import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.domain.types import FloatArray
from edged.vision.alignment import align, similarity, transformed
from tests.unit.vision.conftest import ARCFACE

TEMPLATE = np.array(ARCFACE, np.float32)
angles = st.floats(-math.pi, math.pi)
scales = st.floats(0.05, 20)
shifts = st.floats(-2000, 2000)


def moved(points: FloatArray, angle: float, scale: float, dx: float, dy: float) -> FloatArray:
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    return (points @ turn.T * scale + (dx, dy)).astype(np.float32)


@given(angles, scales, shifts, shifts)
def test_an_exact_similarity_is_undone(angle: float, scale: float, dx: float, dy: float) -> None:
    points = moved(TEMPLATE, angle, scale, dx, dy)
    back = transformed(points, similarity(points, TEMPLATE))
    # float32 points far from the origin are rounded to about 1e-4 px, which 1/scale enlarges.
    np.testing.assert_allclose(back, TEMPLATE, atol=2e-3 / min(1, scale))


@given(st.integers(0, 2**32 - 1), st.floats(-0.1, 0.1), st.floats(-0.1, 0.1), shifts, shifts)
def test_no_other_similarity_is_nearer(seed: int, da: float, db: float, dx: float, dy: float) -> None:
    points = TEMPLATE + np.random.default_rng(seed).normal(0, 5, (5, 2)).astype(np.float32)
    best = similarity(points, TEMPLATE)
    other = best + np.array([[da, -db, dx / 500], [db, da, dy / 500]])

    def error(matrix: np.ndarray) -> float:
        return float(np.sum((points @ matrix[:, :2].T + matrix[:, 2] - TEMPLATE) ** 2))

    assert error(best) <= error(other) + 1e-6


def test_a_mirrored_face_is_not_mirrored_back() -> None:
    mirrored = TEMPLATE * (-1, 1) + (112, 0)
    matrix = similarity(mirrored.astype(np.float32), TEMPLATE)
    assert np.linalg.det(matrix[:, :2]) > 0


def test_aligning_what_is_aligned_changes_nothing() -> None:
    image = np.random.default_rng(0).integers(0, 256, (112, 112, 3), np.uint8)
    np.testing.assert_array_equal(align(image, TEMPLATE, TEMPLATE), image)


@pytest.mark.parametrize("degrees", [0, 30, -90, 180])
def test_landmarks_land_on_the_template(degrees: float) -> None:
    points = moved(TEMPLATE, math.radians(degrees), 2.5, 300, 260)
    image = np.zeros((700, 700, 3), np.uint8)
    for x, y in points:
        image[round(y) - 3 : round(y) + 4, round(x) - 3 : round(x) + 4] = 255
    aligned = align(image, points, TEMPLATE)
    assert aligned.shape == (112, 112, 3)
    assert aligned.dtype == np.uint8
    for x, y in TEMPLATE:
        assert aligned[round(y), round(x)].min() > 100


@pytest.mark.parametrize("scale", [2.0, 3.3, 7.9])
@pytest.mark.parametrize(("dx", "dy"), [(40, 30), (-60, -80), (500, 300)])
def test_a_large_face_is_averaged_into_place(scale: float, dx: float, dy: float) -> None:
    rng = np.random.default_rng(1)
    small = cv2.GaussianBlur(rng.integers(0, 256, (112, 112, 3), np.uint8), (0, 0), 4)
    frame = np.zeros((1000, 1200, 3), np.uint8)
    # The face as a frame shows it: template pixel p lies at scale * p + (dx, dy).
    cv2.warpAffine(
        small, np.array([[scale, 0, dx], [0, scale, dy]]), (1200, 1000), dst=frame, flags=cv2.INTER_CUBIC
    )
    noisy = np.clip(frame + rng.normal(0, 20, frame.shape), 0, 255).astype(np.uint8)
    points = (TEMPLATE * scale + (dx, dy)).astype(np.float32)
    visible = align(frame, points, TEMPLATE).any(axis=2)
    visible = cv2.erode(visible.astype(np.uint8), np.ones((5, 5)), borderValue=0) > 0
    assert visible.mean() > 0.2
    error = align(noisy, points, TEMPLATE)[visible].astype(float) - small[visible]
    assert abs(error.mean()) < 1.5
    # A plain warp would leave the noise at 13 or more; averaging factor**2 pixels divides it by factor.
    assert error.std() < 20 / int(scale)


def test_a_large_face_outside_the_picture_is_black() -> None:
    frame = np.full((300, 300, 3), 200, np.uint8)
    points = (TEMPLATE * 4 + 2000).astype(np.float32)
    assert not align(frame, points, TEMPLATE).any()


def test_a_face_at_the_border_is_filled_with_black() -> None:
    image = np.full((60, 60, 3), 200, np.uint8)
    aligned = align(image, TEMPLATE, TEMPLATE)
    assert aligned[10, 10].tolist() == [200, 200, 200]
    assert aligned[100, 100].tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    "points", [np.zeros((5, 2)), np.full((5, 2), 77.0), np.full((5, 2), np.nan), TEMPLATE * np.inf]
)
def test_degenerate_landmarks_are_refused(points: FloatArray) -> None:
    with pytest.raises(ValueError, match="landmarks"):
        align(np.zeros((112, 112, 3), np.uint8), points.astype(np.float32), TEMPLATE)
