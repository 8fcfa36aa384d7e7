from hypothesis import given
from hypothesis import strategies as st

from edged.fleet.backoff import STABLE_SECONDS, Backoff


def test_delays_double_up_to_the_maximum() -> None:
    backoff = Backoff(1, 8, jitter=lambda: 1.0)
    assert [backoff.delay() for _ in range(6)] == [1, 2, 4, 8, 8, 8]


def test_a_connection_that_lasted_starts_afresh_and_a_short_one_does_not() -> None:
    backoff = Backoff(1, 60, jitter=lambda: 1.0)
    assert [backoff.delay() for _ in range(3)] == [1, 2, 4]
    assert backoff.delay(STABLE_SECONDS / 2) == 8
    assert backoff.delay(STABLE_SECONDS) == 1


@given(st.floats(0, 1), st.integers(1, 40))
def test_a_delay_stays_between_half_the_minimum_and_the_maximum(jitter: float, times: int) -> None:
    backoff = Backoff(2, 30, jitter=lambda: jitter)
    assert all(1 <= backoff.delay() <= 30 for _ in range(times))


def test_two_devices_do_not_retry_in_step() -> None:
    first, second = Backoff(1, 60), Backoff(1, 60)
    assert [first.delay() for _ in range(5)] != [second.delay() for _ in range(5)]
