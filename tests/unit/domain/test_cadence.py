"""Which pictures of the camera are looked at."""

import numpy as np
import pytest

from edged.domain.cadence import LINGER_SECONDS, Cadence

FPS = 15


def taken(cadence: Cadence, start: float, seconds: float, jitter: float = 0.0) -> list[float]:
    """The times of the pictures that were wanted, of a camera that is late by up to ``jitter`` seconds."""
    late = np.random.default_rng(1).random(round(seconds * FPS)) * jitter
    times = [start + step / FPS + float(late[step]) for step in range(round(seconds * FPS))]
    return [at for at in times if cadence.wanted(at)]


@pytest.mark.parametrize("jitter", [0.0, 0.02])
def test_asleep_it_takes_every_third_of_fifteen_a_second(jitter: float) -> None:
    times = taken(Cadence(5), 100, 10, jitter)
    assert len(times) == pytest.approx(50, abs=2)
    assert max(np.diff(times)) <= 0.2 + 2 * jitter + 1e-9


def test_the_first_picture_is_wanted() -> None:
    assert Cadence(1).wanted(5.0)


def test_awake_it_takes_all_of_them_and_falls_asleep_again() -> None:
    cadence = Cadence(5)
    assert cadence.wanted(100.0)
    cadence.wake(100.0)
    assert len(taken(cadence, 100.0, LINGER_SECONDS)) == FPS
    assert len(taken(cadence, 101.1, 2)) == pytest.approx(10, abs=1)


def test_a_camera_slower_than_that_is_taken_whole() -> None:
    cadence = Cadence(5)
    assert all(cadence.wanted(100 + step / 4) for step in range(20))


def test_a_clock_that_went_back_is_no_reason_to_sleep() -> None:
    cadence = Cadence(1)
    assert cadence.wanted(100.0)
    assert cadence.wanted(50.0)


def test_another_pace_holds_at_once() -> None:
    cadence = Cadence(5)
    taken(cadence, 100, 1)
    cadence.idle_fps = 2.5
    assert len(taken(cadence, 101, 10)) == pytest.approx(25, abs=2)
