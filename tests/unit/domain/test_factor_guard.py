"""How much nonsense is borne."""

import math

from hypothesis import given
from hypothesis import strategies as st

from edged.domain.factor_desk import FactorLimits
from edged.domain.factor_guard import NonsenseGuard

LIMITS = FactorLimits(wait_seconds=10, max_wrong=3, max_door_wrong=5, lockout_seconds=60)


def test_one_too_many_shuts_for_a_while() -> None:
    guard = NonsenseGuard(LIMITS)
    assert [guard.count(float(at)) for at in range(5)] == [False] * 4 + [True]
    assert guard.shut(5)
    assert guard.shut(63.9)
    assert not guard.shut(64)
    assert not guard.count(65)


def test_what_lies_long_back_does_not_count() -> None:
    guard = NonsenseGuard(LIMITS)
    assert not any(guard.count(at * 16.0) for at in range(50))


def test_a_time_that_is_none_or_runs_backwards_is_shut() -> None:
    guard = NonsenseGuard(LIMITS)
    assert not guard.shut(10)
    assert guard.shut(9.9)
    assert guard.shut(math.nan)
    assert not guard.shut(10)


@given(st.lists(st.tuples(st.floats(0, 30), st.booleans()), max_size=80))
def test_in_no_stretch_of_the_lockout_are_more_borne_than_the_limit(steps: list[tuple[float, bool]]) -> None:
    guard, now, borne = NonsenseGuard(LIMITS), 0.0, []
    for pause, nonsense in steps:
        now += pause
        if guard.shut(now):
            continue
        if nonsense:
            borne.append(now)
            guard.count(now)
    for at in borne:
        assert sum(at <= other < at + LIMITS.lockout_seconds for other in borne) <= LIMITS.max_door_wrong
