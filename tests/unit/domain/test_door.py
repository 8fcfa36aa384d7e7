import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.domain.door import DoorState, Locked, PulseLimits, Unlocked, due_in, grant, lapse, lock

LIMITS = PulseLimits(unlock_seconds=3.0, max_unlock_seconds=10.0, rest_seconds=0.25)


@pytest.mark.parametrize(
    ("state", "now", "expected"),
    [
        (Locked(), 100.0, Unlocked(100.0, 103.0)),
        (Locked(rests_until=100.0), 100.0, Unlocked(100.0, 103.0)),
        (Locked(rests_until=100.1), 100.0, Locked(rests_until=100.1)),
        (Unlocked(100.0, 103.0), 100.0, Unlocked(100.0, 103.0)),
        (Unlocked(100.0, 103.0), 102.0, Unlocked(100.0, 105.0)),
        (Unlocked(100.0, 109.0), 108.0, Unlocked(100.0, 110.0)),
        (Unlocked(100.0, 110.0), 109.9, Unlocked(100.0, 110.0)),
        (Unlocked(100.0, 109.0), 101.0, Unlocked(100.0, 109.0)),
        (Unlocked(100.0, 103.0), 103.0, Unlocked(100.0, 103.0)),
        (Unlocked(100.0, 103.0), 99.0, Unlocked(100.0, 103.0)),
    ],
    ids=[
        "starts", "starts after the rest", "waits for the rest", "same instant", "extends", "is clamped",
        "cannot pass the maximum", "never shortens", "is over", "clock behind the start",
    ],
)  # fmt: skip
def test_grant(state: DoorState, now: float, expected: DoorState) -> None:
    assert grant(state, now, LIMITS) == expected


@pytest.mark.parametrize(
    ("state", "now", "expected"),
    [
        (Locked(rests_until=5.0), 9.0, Locked(rests_until=5.0)),
        (Unlocked(100.0, 103.0), 102.999, Unlocked(100.0, 103.0)),
        (Unlocked(100.0, 103.0), 103.0, Locked(rests_until=103.25)),
        (Unlocked(100.0, 103.0), 500.0, Locked(rests_until=500.25)),
        (Unlocked(100.0, 103.0), 99.9, Locked(rests_until=100.15)),
        (Unlocked(100.0, 103.0), float("nan"), None),
    ],
    ids=["locked", "running", "at the deadline", "long past it", "clock went back", "no clock"],
)
def test_lapse(state: DoorState, now: float, expected: DoorState | None) -> None:
    after = lapse(state, now, LIMITS)
    assert isinstance(after, Locked) if expected is None else after == expected


def test_a_pulse_longer_than_the_maximum_is_clamped() -> None:
    limits = PulseLimits(unlock_seconds=30.0, max_unlock_seconds=10.0)
    assert grant(Locked(), 0.0, limits) == Unlocked(0.0, 10.0)


def test_due_in_counts_down_to_the_next_change() -> None:
    assert due_in(Unlocked(100.0, 103.0), 101.0) == 2.0
    assert due_in(Unlocked(100.0, 103.0), 104.0) == 0.0
    assert due_in(lock(100.0, LIMITS), 100.0) == 0.25
    assert due_in(Locked(), 100.0) == 0.0


seconds = st.floats(min_value=0.01, max_value=60)
limits_strategy = st.builds(PulseLimits, seconds, seconds, st.floats(min_value=0.01, max_value=1))
# Steps of zero are a clock that stands still; each step may bring a grant.
steps_strategy = st.lists(st.tuples(st.one_of(st.just(0.0), st.floats(0, 30)), st.booleans()), max_size=60)


@given(limits_strategy, steps_strategy)
def test_no_period_outlasts_the_maximum_and_none_begins_without_a_grant(
    limits: PulseLimits, steps: list[tuple[float, bool]]
) -> None:
    state: DoorState = Locked()
    now = 1000.0
    ended_at = float("-inf")
    for step, granted in steps:
        now += step
        before = lapse(state, now, limits)
        if isinstance(state, Unlocked) and isinstance(before, Locked):
            ended_at = now
        state = grant(before, now, limits) if granted else before
        if isinstance(state, Unlocked):
            assert now < state.relock_at <= state.started_at + limits.max_unlock_seconds
            if isinstance(before, Locked):
                assert granted
                assert state.started_at == now >= ended_at + limits.rest_seconds
        elif granted and isinstance(before, Locked):
            assert now < before.rests_until


@given(limits_strategy, steps_strategy, st.floats(-1e6, 1e6))
def test_any_jump_of_the_clock_ends_a_period_or_leaves_it_bounded(
    limits: PulseLimits, steps: list[tuple[float, bool]], jump: float
) -> None:
    state: DoorState = Locked()
    now = 0.0
    for step, granted in steps:
        now += step
        state = lapse(state, now, limits)
        state = grant(state, now, limits) if granted else state
    after = lapse(state, now + jump, limits)
    if isinstance(after, Unlocked):
        assert after == state
        assert after.started_at <= now + jump < after.started_at + limits.max_unlock_seconds
