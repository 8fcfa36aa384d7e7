"""Two files are one function within a tolerance, or they are not."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from edged.domain.types import FloatArray, Image
from edged.vision.compilation.comparison import TOLERANCE, Agreement, compare, drawn_pictures, race, tiled

Runner = Callable[[Image], list[FloatArray]]


def original(picture: Image) -> list[FloatArray]:
    values = picture.astype(np.float32)
    return [values[..., 0], values.sum(axis=2)]


def shifted(by: float) -> Runner:
    """The second output moved by a share of its largest value in one place."""

    def run(picture: Image) -> list[FloatArray]:
        first, second = original(picture)
        second[0, 0] += 765 * by
        return [first, second]

    return run


def agreement(other: Runner) -> Agreement:
    return compare(original, other, drawn_pictures((8, 8)))


def test_the_same_function_agrees() -> None:
    assert agreement(original) == Agreement(0.0, pytest.approx(1.0), 24)
    assert agreement(shifted(TOLERANCE / 2)).problem is None


def test_a_single_number_beyond_the_tolerance_is_a_problem() -> None:
    found = agreement(shifted(2 * TOLERANCE))
    assert found.deviation == pytest.approx(2 * TOLERANCE, rel=0.01)
    assert "differs from the original" in (found.problem or "")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_a_number_is_a_problem(value: float) -> None:
    def broken(picture: Image) -> list[FloatArray]:
        first, second = original(picture)
        first[0, 0] = value
        return [first, second]

    assert agreement(broken).problem


def test_an_output_that_is_silent_for_a_picture_has_no_direction() -> None:
    def silent_in_the_dark(noise: float) -> Runner:
        return lambda picture: [np.float32([[picture.mean(), 1e-6 * noise]])]

    assert compare(silent_in_the_dark(0), silent_in_the_dark(1), drawn_pictures((8, 8))).problem is None


def test_another_direction_of_small_numbers_is_a_problem() -> None:
    assert "cosine" in (Agreement(0.0, 0.9, 1).problem or "")


@pytest.mark.parametrize(
    "change", [lambda outs: outs[:1], lambda outs: [*outs, outs[0]], lambda outs: [outs[0][:4], outs[1]]]
)
def test_outputs_of_other_number_or_shape_are_a_problem(
    change: Callable[[list[FloatArray]], list[FloatArray]],
) -> None:
    assert agreement(lambda picture: change(original(picture))).problem


def test_drawn_pictures_reach_dark_light_and_single_colours() -> None:
    drawn = drawn_pictures((20, 10))
    assert {one.shape for one in drawn} == {(10, 20, 3)}
    assert {one.dtype for one in drawn} == {np.dtype(np.uint8)}
    means = [tuple(one.mean(axis=(0, 1))) for one in drawn]
    assert {(0, 0, 0), (255, 255, 255), (255, 0, 0), (0, 0, 255)} <= set(means)


def test_a_race_runs_everyone_as_often_and_goes_by_its_clock_alone() -> None:
    runs, now = [0, 0], [0.0]

    def runner(index: int, seconds: float) -> Runner:
        def run(_picture: Image) -> list[FloatArray]:
            runs[index] += 1
            # Others at work in every fifth run, half of a run's own time.
            now[0] += seconds * (1.5 if runs[index] % 5 == 0 else 1)
            return []

        return run

    speed = race([runner(0, 0.004), runner(1, 0.003)], drawn_pictures((4, 4)), 10, lambda: now[0])
    assert runs == [12, 12]
    assert speed.ms == pytest.approx((4, 3))
    assert speed.ratios == pytest.approx((1, 0.75))


def test_a_face_is_shown_large_smaller_and_small() -> None:
    picture = np.zeros((90, 60, 3), np.uint8)
    picture[30:60, 20:40] = 255
    shown = tiled(picture, (320, 288))
    assert all(one.shape == (288, 320, 3) and one.dtype == np.uint8 for one in shown)
    spots = [cv2.connectedComponents((one[..., 0] > 127).astype(np.uint8))[0] - 1 for one in shown]
    assert spots == [1, 9, 36]
