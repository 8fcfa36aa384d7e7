"""What is shed when the board is in trouble, and what never is."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.domain.glance import Glance
from edged.domain.governor import (
    CALM_SECONDS,
    DEEPEST,
    STEP_SECONDS,
    Bucket,
    Condition,
    Governor,
    Limits,
    Pressure,
)

LIMITS = Limits(75, 82, 0.85)
WELL = Condition(60, 0, 0.2, 0.0)
WARM = Condition(78, 0, 0.2, 0.0)


def governor(level: int = 0) -> Governor:
    one = Governor(LIMITS)
    one.level = level
    return one


@pytest.mark.parametrize(
    ("condition", "pressure"),
    [
        (WARM, Pressure.HEAT),
        (Condition(60, 1, 0.2, 0), Pressure.THROTTLED),
        (Condition(60, 0, 0.9, 0), Pressure.LOAD),
        (Condition(60, 0, 0.2, 0.9), Pressure.LOAD),
    ],
)
def test_each_pressure_steps_down_and_names_itself(condition: Condition, pressure: Pressure) -> None:
    one = governor()
    levels = []
    for step in range(5):
        one.observe(condition, 100 + step * STEP_SECONDS)
        levels.append(one.level)
    assert levels == [1, 2, 3, 3, 3]
    assert one.pressures == {pressure}


def test_a_board_about_to_slow_itself_down_does_the_least_at_once() -> None:
    one = governor()
    one.observe(Condition(82, math.nan, 0, 0), 100)
    assert one.level == DEEPEST


def test_a_board_that_says_nothing_of_itself_presses_nothing() -> None:
    one = governor()
    one.observe(Condition(math.nan, math.nan, 0, 0), 100)
    assert (one.level, one.pressures) == (0, frozenset())


def test_it_steps_up_slowly_and_not_before_the_board_is_cooler() -> None:
    one = governor()
    one.observe(WARM, 100)
    one.observe(Condition(74, 0, 0, 0), 101 + CALM_SECONDS)
    assert one.pressures == {Pressure.HEAT}  # 75 was where it began
    one.level = 2
    seen = []
    for second in range(0, 100, 2):
        one.observe(WELL, 133 + second)
        seen.append(one.level)
    assert seen[0] == 2
    assert seen[-1] == 0
    assert seen.count(1) * 2 == CALM_SECONDS


def test_without_limits_nothing_is_ever_shed() -> None:
    one = Governor(None)
    one.observe(Condition(120, 1, 1, 1), 100)
    assert one.level == 0


@pytest.mark.parametrize(
    ("level", "admitted"),
    [
        (0, {Glance.FACE, Glance.DUE, Glance.MOTION, Glance.LINGER}),
        (1, {Glance.FACE, Glance.DUE, Glance.MOTION, Glance.LINGER}),
        (2, {Glance.FACE, Glance.DUE, Glance.MOTION}),
        (3, {Glance.FACE, Glance.DUE, Glance.MOTION}),
    ],
)
def test_work_is_shed_in_the_stated_order(level: int, admitted: set[Glance]) -> None:
    one = governor(level)
    assert {glance for glance in Glance if one.admits(glance, 100)} == admitted
    assert one.idle_share == (0.5 if level else 1.0)


def test_at_the_deepest_level_movement_without_a_face_gets_a_tenth_of_a_core() -> None:
    one = governor(DEEPEST)
    searched = 0
    for step in range(15 * 60):
        now = 100 + step / 15
        if one.admits(Glance.MOTION, now):
            searched += 1
            one.spent(Glance.MOTION, 0.05, now)
    assert searched * 0.05 / 60 == pytest.approx(0.1, rel=0.1)


def test_what_is_owed_is_never_paid_on_credit() -> None:
    one = governor(DEEPEST)
    for step in range(100):
        one.spent(Glance.FACE, 0.5, 100 + step / 15)
    assert one.admits(Glance.MOTION, 107)  # the next one to come is not kept waiting for those before


GLANCES = st.sampled_from(list(Glance))
CONDITIONS = st.builds(
    Condition,
    st.one_of(st.just(math.nan), st.floats(-20, 130)),
    st.sampled_from([0.0, 1.0, math.nan]),
    st.floats(0, 1),
    st.floats(0, 1),
)


@given(st.lists(st.tuples(CONDITIONS, GLANCES, st.floats(0, 5), st.floats(0, 2)), max_size=60))
def test_what_is_owed_is_admitted_whatever_happens(
    steps: list[tuple[Condition, Glance, float, float]],
) -> None:
    one, now = governor(), 0.0
    for condition, glance, passed, cost in steps:
        now += passed
        one.observe(condition, now)
        assert 0 <= one.level <= DEEPEST
        assert one.admits(Glance.FACE, now)
        assert one.admits(Glance.DUE, now)
        if one.admits(glance, now):
            one.spent(glance, cost, now)


@given(st.lists(st.tuples(st.floats(0, 10), st.floats(0, 3), st.booleans()), max_size=50))
def test_a_bucket_gives_no_more_than_it_was_given(steps: list[tuple[float, float, bool]]) -> None:
    bucket, now, given_out, largest = Bucket(0.1, 0.2), 0.0, 0.0, 0.0
    for passed, cost, owed in steps:
        now += passed
        if owed:
            bucket.take(cost, now, credit=False)
        elif bucket.has(now):
            bucket.take(cost, now, credit=True)
            given_out += cost
            largest = max(largest, cost)
    assert given_out <= 0.2 + 0.1 * now + largest + 1e-6
