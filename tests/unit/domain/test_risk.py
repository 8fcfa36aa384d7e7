"""What a risk means in a year."""

import pytest

from edged.domain.risk import Traffic, false_accepts_a_year


def test_visits_are_counted_a_day() -> None:
    assert Traffic(280, 28.0).visits_a_day == 10


def test_less_than_a_day_counts_as_a_day() -> None:
    assert Traffic(10, 0.1).visits_a_day == 10


def test_a_year_of_visits_each_of_a_stranger() -> None:
    assert false_accepts_a_year(1e-3, Traffic(100, 1.0)) == pytest.approx(36.525)
    assert false_accepts_a_year(1e-3, Traffic(0, 28.0)) == 0
