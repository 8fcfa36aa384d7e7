"""The motion gate."""

import numpy as np
import pytest

from edged.config.sections import MotionConfig
from edged.domain.glance import Glance
from edged.domain.types import Image
from edged.vision.motion import MotionGate

FORCE = 2.0
GRAINS = np.random.default_rng(1).standard_normal((24, 240, 320, 3), np.float32)


def gate(**changes: object) -> MotionGate:
    return MotionGate(MotionConfig(**{"force_detection_ms": 2000, **changes}))  # type: ignore[arg-type]


def look(one: MotionGate, image: Image, now: float) -> Glance:
    """Ask, and search whenever there is a reason."""
    glance = one.look(image, now)
    if glance is not Glance.STILL:
        one.searched(now)
    return glance


def scene(seed: int = 0, sigma: float = 0.0, person_at: int | None = None, *, person: int = 180) -> Image:
    image = np.full((240, 320, 3), 90, np.float32)
    image[:, 200:] = 140
    if person_at is not None:
        image[60:210, person_at : person_at + 60] = person
    noise = sigma * GRAINS[seed % len(GRAINS)] if sigma else 0
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def quiet_gate(image: Image, now: float = 100.0) -> MotionGate:
    """A gate that has seen nothing but ``image`` until its hold time was over."""
    one = gate()
    assert look(one, image, now - 5) is Glance.DUE
    assert look(one, image, now) is Glance.DUE
    return one


def test_the_first_picture_is_always_looked_at() -> None:
    assert gate().look(scene(), 100.0) is Glance.DUE


def test_a_still_scene_is_skipped_until_detection_is_due() -> None:
    one = quiet_gate(scene())
    answers = [look(one, scene(), 100 + step / 10) for step in range(1, 61)]
    due = [round((step + 1) / 10, 1) for step, answer in enumerate(answers) if answer is not Glance.STILL]
    assert due == [2.0, 4.0, 6.0]
    assert set(answers) == {Glance.STILL, Glance.DUE}


@pytest.mark.parametrize("pause", [0.07, 0.2, 0.3, 0.4])
def test_no_pause_between_two_searches_is_longer_than_stated(pause: float) -> None:
    one = quiet_gate(scene())
    times = [100 + step * pause for step in range(1, 100)]
    searched = [100.0, *[at for at in times if look(one, scene(), at) is not Glance.STILL]]
    assert max(np.diff(searched)) <= FORCE + 0.011
    assert min(np.diff(searched)) >= FORCE - pause - 0.011


@pytest.mark.parametrize("sigma", [2, 5, 8])
def test_noise_is_not_motion(sigma: float) -> None:
    one = quiet_gate(scene(seed=1, sigma=sigma))
    seen = [look(one, scene(seed=seed, sigma=sigma), 100 + seed / 5) for seed in range(2, 200)]
    assert Glance.MOTION not in seen


@pytest.mark.parametrize("person", [180, 110, 75])
def test_somebody_entering_is_seen_at_once_in_clothes_like_the_wall(person: int) -> None:
    one = quiet_gate(scene(seed=1, sigma=2))
    calm = [look(one, scene(seed=seed, sigma=2), 100 + seed / 5) for seed in range(2, 100)]
    assert Glance.MOTION not in calm
    assert look(one, scene(sigma=2, person_at=0, person=person), 119.9) is Glance.MOTION


def test_somebody_who_stops_is_looked_at_for_another_second() -> None:
    one = quiet_gate(scene())
    still = scene(person_at=100)
    answers = [look(one, still, 100.1 + step / 10) for step in range(10)]
    assert answers == [Glance.MOTION, *[Glance.LINGER] * 9]
    assert one.restless(101.0)
    assert look(one, still, 101.2) is Glance.STILL
    assert not one.restless(101.2)


def test_slow_movement_adds_up() -> None:
    one = quiet_gate(scene(person_at=0))
    seen = [look(one, scene(person_at=step // 4), 100 + step / 30) for step in range(60)]
    assert Glance.MOTION in seen


def test_what_was_not_searched_stays_news() -> None:
    one = quiet_gate(scene())
    assert one.look(scene(person_at=0), 100.1) is Glance.MOTION
    assert one.look(scene(person_at=0), 100.9) is Glance.MOTION


@pytest.mark.parametrize("level", [0.6, 0.8, 1.25, 1.6])
def test_another_light_is_not_motion_and_somebody_in_it_is(level: float) -> None:
    one = quiet_gate(scene())
    lit = (scene() * level).clip(0, 255).astype(np.uint8)
    assert look(one, lit, 100.1) is Glance.STILL
    entering = (scene(person_at=30) * level).clip(0, 255).astype(np.uint8)
    assert look(one, entering, 100.2) is Glance.MOTION


def test_a_light_that_changes_everything_is_looked_at() -> None:
    one = quiet_gate(scene())
    assert look(one, (scene() * 0.4).astype(np.uint8), 100.1) is Glance.MOTION


def test_a_lamp_that_flickers_is_learnt_and_somebody_under_it_is_seen() -> None:
    one = quiet_gate(scene())
    flicker = np.random.default_rng(5).random(300) > 0.5
    answers = []
    for step, dark in enumerate(flicker):
        image = scene(seed=step, sigma=2)
        if dark:
            image[:60, 100:220] = 30
        answers.append(look(one, image, 100 + step / 15))
    assert answers[0] is Glance.MOTION or answers[1] is Glance.MOTION
    assert Glance.MOTION not in answers[150:]
    assert not one.restless(120.0)
    look(one, scene(seed=1, sigma=2, person_at=100), 120.1)
    assert one.restless(120.1)


def test_a_picture_that_changes_all_over_is_never_trusted() -> None:
    one = quiet_gate(scene())
    noise = np.random.default_rng(1)
    wild = [
        look(
            one,
            np.kron(noise.integers(0, 256, (24, 32, 3)), np.ones((10, 10, 1))).astype(np.uint8),
            100 + step / 15,
        )
        for step in range(200)
    ]
    assert set(wild) == {Glance.MOTION}


def test_who_is_in_view_teaches_nothing() -> None:
    one = quiet_gate(scene())
    for step in range(100):
        one.occupied(100 + step / 10)
    assert look(one, scene(), 110.5) is Glance.MOTION  # nothing to compare with yet
    assert look(one, scene(), 111.0) is Glance.LINGER
    assert look(one, scene(), 111.6) is Glance.STILL
    assert look(one, scene(person_at=10, person=110), 111.7) is Glance.MOTION


def test_another_resolution_is_looked_at() -> None:
    one = quiet_gate(scene())
    assert look(one, np.full((720, 1280, 3), 90, np.uint8), 100.1) is Glance.MOTION


def test_a_clock_that_went_back_is_no_reason_to_sleep() -> None:
    assert look(quiet_gate(scene()), scene(), 50.0) is Glance.DUE


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 640, 3), (2000, 3, 3), (120, 160, 3)])
def test_any_picture_is_taken(shape: tuple[int, int, int]) -> None:
    one = gate()
    assert look(one, np.zeros(shape, np.uint8), 1.0) is Glance.DUE
    assert look(one, np.full(shape, 255, np.uint8), 1.1) is Glance.MOTION
