"""The judge of the soak: noise is no leak, and a leak is seen through noise."""

import math
import random

import pytest

from tests.chaos.slope import slope, student_t


def walk(per_hour: float, noise: float, seed: int, seconds: int = 1200) -> list[tuple[float, float]]:
    chance = random.Random(seed)
    return [(float(at), 100 + per_hour * at / 3600 + chance.gauss(0, noise)) for at in range(seconds)]


def test_the_slope_of_a_line_is_found_to_its_last_digit() -> None:
    found = slope(walk(12.0, 0.0, 1))
    assert found.per_hour == pytest.approx(12.0)
    assert found.low == pytest.approx(found.high)
    assert found.grown == pytest.approx(12.0 * 855 / 3600, rel=0.02)


def test_the_truth_lies_within_the_interval_as_often_as_it_says() -> None:
    within = sum(
        found.low <= 3.0 <= found.high for found in (slope(walk(3.0, 1.0, seed)) for seed in range(200))
    )
    assert 180 <= within <= 199


def test_a_leak_is_seen_through_noise_and_noise_is_none() -> None:
    assert slope(walk(20.0, 1.0, 3)).grows(2.0)
    assert not slope(walk(0.0, 1.0, 3)).grows(2.0)


def test_growth_that_is_certain_and_too_small_to_matter_is_forgiven() -> None:
    found = slope(walk(1.0, 0.001, 4))
    assert found.low > 0
    assert not found.grows(2.0)


def test_what_a_start_fills_is_no_leak() -> None:
    filled = [(at, min(value, 100.0) + min(at, 200.0)) for at, value in walk(0.0, 0.0, 5)]
    assert not slope(filled).grows(1.0)


def test_a_pool_that_fills_ever_more_slowly_is_no_leak() -> None:
    chance = random.Random(6)
    for minutes in (7, 14):
        filling = [
            (float(at), 200 - 12 * math.exp(-at / 100) + chance.gauss(0, 0.3)) for at in range(60 * minutes)
        ]
        assert slope(filling).late < slope(filling).per_hour / 2
        assert not slope(filling).grows(0.5)


def test_noise_that_follows_itself_widens_the_interval() -> None:
    """A walk that returns to its mean within minutes, as the memory of a busy process does."""
    chance, widths, alarms = random.Random(7), [], 0
    for _ in range(30):
        value, samples = 0.0, []
        for at in range(900):
            value = 0.98 * value + chance.gauss(0, 0.2)
            samples.append((float(at), 180 + value))
        found = slope(samples)
        widths.append(found.high - found.low)
        alarms += found.grows(0.5)
    assert min(widths) > 2 * (slope(walk(0.0, 1.0, 8, 900)).high - slope(walk(0.0, 1.0, 8, 900)).low)
    assert alarms <= 2


def test_a_leak_is_seen_through_such_noise_too() -> None:
    chance, value, samples = random.Random(9), 0.0, []
    for at in range(1200):
        value = 0.98 * value + chance.gauss(0, 0.2)
        samples.append((float(at), 180 + 30 * at / 3600 + value))
    assert slope(samples).grows(2.0)


def test_one_descriptor_a_minute_is_a_leak() -> None:
    assert slope([(float(at), 20.0 + at // 60) for at in range(600)]).grows(1.0)


def test_too_few_samples_are_refused() -> None:
    with pytest.raises(ValueError, match="12 samples"):
        slope([(0.0, 1.0)] * 11)


@pytest.mark.parametrize(
    ("freedom", "quantile"), [(3, 3.182), (5, 2.571), (10, 2.228), (18, 2.101), (60, 2.000)]
)
def test_students_t_is_that_of_the_tables(freedom: int, quantile: float) -> None:
    assert student_t(freedom) == pytest.approx(quantile, rel=0.01)
