"""Pictures in numbers."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edged.vision.picture import _quantile, measure

NOISE = np.random.default_rng(7)


def noisy(level: float, sigma: float) -> np.ndarray:
    return np.clip(NOISE.normal(level, sigma, (720, 1280, 3)), 0, 255).astype(np.uint8)


def test_equal_pictures_have_equal_digests_and_noise_tells_them_apart() -> None:
    picture = noisy(120, 2)
    assert measure(picture).digest == measure(picture.copy()).digest
    assert measure(picture).digest != measure(noisy(120, 2)).digest


@pytest.mark.parametrize("level", [0, 90, 255])
def test_a_covered_lens_is_blind_in_spite_of_sensor_noise(level: float) -> None:
    assert measure(noisy(level, 12)).blind


def test_small_and_odd_sizes_are_measured() -> None:
    for shape in [(1, 1, 3), (120, 160, 3), (97, 1001, 3)]:
        assert measure(np.zeros(shape, np.uint8)).blind


@given(arrays(np.uint8, st.tuples(st.integers(1, 30), st.integers(2, 40))), st.floats(0, 0.99))
def test_a_quantile_is_that_of_numpy(values: np.ndarray, share: float) -> None:
    assert _quantile(np.sort(values, axis=None), share) == float(np.quantile(values, share))


@pytest.mark.weights
def test_no_portrait_is_blind(photos_dir: Path) -> None:
    photographs = sorted(photos_dir.rglob("*.jpg"))[::150]
    assert len(photographs) > 50
    assert not any(measure(cv2.imread(str(path))).blind for path in photographs)
