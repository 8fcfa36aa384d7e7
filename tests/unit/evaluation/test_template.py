"""Fitting a template to a detector's habit."""

import math

import numpy as np
import pytest

from edged.domain.types import FloatArray
from edged.errors import EvaluationError
from edged.evaluation.template import fitted_template
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
