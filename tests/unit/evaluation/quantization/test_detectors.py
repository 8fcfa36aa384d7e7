"""Whether an int8 detector may take the place of float32."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edged.domain.types import Box, Face, Image
from edged.errors import EvaluationError
from edged.evaluation.quantization.detectors import Detect, DetectorFigures, compare_detectors, views

GOOD = DetectorFigures(
    pictures=1000, float32_found=0.99, int8_found=0.986, recall=0.995, iou=0.98, landmark_shift=0.01,
    landmark_shift_p95=0.02, invented=0.002,
)  # fmt: skip


def face(x: float = 20.0, shift: float = 0.0) -> Face:
    marks = np.array([[5, 5], [15, 5], [10, 10], [6, 15], [14, 15]], np.float32)
    marks += np.array([x + shift, 20], np.float32)
    return Face(Box(x, 20, 20, 20), marks, 0.9)


def pictures(count: int = 200) -> list[Image]:
    """Each knows its number."""
    return [np.full((60, 60, 3), index % 256, np.uint8) for index in range(count)]


def always(*faces: Face) -> Detect:
    return lambda _image: list(faces)


def test_one_detector_twice_is_accepted() -> None:
    found = compare_detectors(always(face()), always(face()), pictures())
    assert (found.float32_found, found.int8_found, found.recall, found.iou) == (1, 1, 1, 1)
    assert (found.landmark_shift, found.invented, found.problems()) == (0, 0, [])


def test_landmarks_are_compared_in_eye_distances() -> None:
    found = compare_detectors(always(face()), always(face(shift=1.0)), pictures())
    assert found.landmark_shift == pytest.approx(0.1)
    assert found.landmark_shift_p95 == pytest.approx(0.1)
    assert found.problems() == [
        "landmarks lie 0.100 eye distances off float32's on average, expected at most 0.03"
    ]


def test_missed_and_invented_faces_are_counted() -> None:
    missing = [image[0, 0, 0] < 20 for image in pictures()]
    found = compare_detectors(
        always(face()), lambda image: [] if image[0, 0, 0] < 20 else [face(), face(0)], pictures()
    )
    assert found.int8_found == found.recall == 1 - np.mean(missing)
    assert found.invented == pytest.approx(0.9)
    assert len(found.problems()) == 3


def test_a_box_elsewhere_is_no_find() -> None:
    found = compare_detectors(always(face()), always(face(40)), pictures())
    assert (found.int8_found, found.recall, found.invented) == (1, 0, 1)
    assert "nan eye distances" in " ".join(found.problems())


def test_too_few_faces_are_refused_with_what_is_needed() -> None:
    with pytest.raises(EvaluationError, match="199 in 199 pictures, expected at least 200"):
        compare_detectors(always(face()), always(face()), pictures(199))


def test_small_losses_are_accepted() -> None:
    assert GOOD.problems() == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"int8_found": 0.984}, "found in 98.40% of the pictures in int8 and in 99.00% in float32"),
        ({"recall": 0.98}, "finds 98.00% of float32's faces, expected at least 99%"),
        ({"landmark_shift": 0.05}, "0.050 eye distances"),
        ({"invented": 0.02}, "2.00% faces more"),
        ({"landmark_shift": float("nan")}, "nan eye distances"),
    ],
)
def test_what_is_worse_is_told_with_both_figures(change: dict[str, Any], told: str) -> None:
    (problem,) = replace(GOOD, **change).problems()
    assert told in problem


def test_a_far_view_is_a_third_in_the_corner() -> None:
    near, far = views(np.full((90, 60, 3), 200, np.uint8))
    assert near.shape == far.shape == (90, 60, 3)
    assert (far[:30, :20] == 200).all()
    assert not far[30:].any()
    assert not far[:, 20:].any()
