"""The motion gate."""

import numpy as np
import pytest

from edged.config.sections import MotionConfig
from edged.domain.types import Image
from edged.vision.motion import MotionGate

FORCE = 2.0


def gate(**changes: object) -> MotionGate:
    return MotionGate(MotionConfig(**{"force_detection_ms": 2000, **changes}))  # type: ignore[arg-type]


def scene(seed: int = 0, sigma: float = 0.0, person_at: int | None = None) -> Image:
    image = np.full((240, 320, 3), 90, np.float32)
    if person_at is not None:
        image[60:210, person_at : person_at + 60] = 180
    noise = np.random.default_rng(seed).normal(0, sigma, image.shape) if sigma else 0
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def test_the_first_picture_is_always_looked_at() -> None:
    assert gate().changed(scene(), 100.0)


def quiet_gate(image: Image, now: float = 100.0) -> MotionGate:
    """A gate that has seen nothing but ``image`` until its hold time was over."""
    one = gate()
    assert one.changed(image, now - 5)
    assert one.changed(image, now)
    return one


def test_a_still_scene_is_skipped_until_detection_is_forced() -> None:
    one = quiet_gate(scene())
    answers = [one.changed(scene(), 100 + step / 10) for step in range(1, 61)]
    forced = [round((step + 1) / 10, 1) for step, answer in enumerate(answers) if answer]
    assert forced == [2.0, 4.0, 6.0]


@pytest.mark.parametrize("sigma", [2, 5, 8])
def test_noise_is_not_motion(sigma: float) -> None:
    one = quiet_gate(scene(seed=1, sigma=sigma))
    assert not any(one.changed(scene(seed=seed, sigma=sigma), 100 + seed / 20) for seed in range(2, 22))


def test_somebody_entering_is_seen_at_once() -> None:
    one = quiet_gate(scene(sigma=5))
    assert one.changed(scene(sigma=5, person_at=0), 100.1)


def test_somebody_who_stops_is_looked_at_for_another_second() -> None:
    one = quiet_gate(scene())
    still = scene(person_at=100)
    assert all(one.changed(still, 100.1 + step / 10) for step in range(10))
    assert not one.changed(still, 101.2)


def test_slow_movement_adds_up() -> None:
    one = quiet_gate(np.full((240, 320, 3), 90, np.uint8))
    seen = [one.changed(np.full((240, 320, 3), 90 + step, np.uint8), 100 + step / 100) for step in range(60)]
    assert any(seen)
    assert not all(seen)


def test_another_resolution_is_looked_at() -> None:
    one = quiet_gate(scene())
    assert one.changed(np.full((720, 1280, 3), 90, np.uint8), 100.1)


def test_a_clock_that_went_back_is_no_reason_to_sleep() -> None:
    assert quiet_gate(scene()).changed(scene(), 50.0)


def test_a_gate_switched_off_is_open() -> None:
    one = gate(enabled=False)
    assert all(one.changed(scene(), 100 + step / 10) for step in range(5))


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 640, 3), (2000, 3, 3), (120, 160, 3)])
def test_any_picture_is_taken(shape: tuple[int, int, int]) -> None:
    one = gate()
    assert one.changed(np.zeros(shape, np.uint8), 1.0)
    assert one.changed(np.full(shape, 255, np.uint8), 1.1)
