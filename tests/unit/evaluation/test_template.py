"""Fitting a template to a detector's habit."""

import math
from pathlib import Path

import cv2
import numpy as np
import pytest

from edged.domain.types import FloatArray
from edged.errors import EvaluationError
from edged.evaluation.template import fitted_template, main_landmarks
from tests.unit.evaluation.conftest import GREY_FACES
from tests.unit.vision.conftest import ARCFACE

STANDARD = np.array(ARCFACE, np.float32)
HABIT = np.array([[0, 0], [0, 0], [0.5, 3], [-1, -2], [1, -2]], np.float32)


def placed(points: FloatArray, seed: int) -> FloatArray:
    rng = np.random.default_rng(seed)
    angle, scale = rng.uniform(-0.5, 0.5), rng.uniform(0.5, 4)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    return (points @ turn.T * scale + rng.uniform(0, 500, 2)).astype(np.float32)


def faces(points: FloatArray, count: int = 30) -> dict[str, FloatArray]:
    return {str(seed): placed(points, seed) for seed in range(count)}


def test_a_detector_without_habits_gets_the_standard_template() -> None:
    fitted, count = fitted_template(faces(STANDARD), STANDARD)
    assert count == 30
    np.testing.assert_allclose(fitted, STANDARD, atol=0.01)


def test_a_reference_shows_the_whole_habit() -> None:
    fitted, _ = fitted_template(faces(STANDARD + HABIT), STANDARD, faces(STANDARD))
    np.testing.assert_allclose(fitted, STANDARD + HABIT, atol=0.01)


def test_photographs_where_the_two_found_different_faces_are_left_out() -> None:
    own, reference = faces(STANDARD + HABIT), faces(STANDARD)
    reference["3"] = reference["3"] + 1000
    del reference["4"]
    fitted, count = fitted_template(own, STANDARD, reference)
    assert count == 28
    np.testing.assert_allclose(fitted, STANDARD + HABIT, atol=0.01)


def test_few_faces_are_refused() -> None:
    with pytest.raises(EvaluationError, match="got 9"):
        fitted_template(faces(STANDARD, 9), STANDARD)


def test_a_file_that_is_no_picture_is_left_out_and_told(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "face.png"), np.full((100, 100, 3), 200, np.uint8))
    (tmp_path / "text.png").write_text("no picture")
    told: dict[str, str] = {}
    found = main_landmarks(GREY_FACES.detect, tmp_path, ["face.png", "text.png"], pass_over=told.update)
    assert set(found) == {"face.png"}
    assert told == {"text.png": "not a picture"}
