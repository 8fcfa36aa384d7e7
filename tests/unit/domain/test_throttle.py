from edged.domain.debounce import Debounced
from edged.domain.throttle import Throttle, ThrottleLimits


def test_so_many_requests_are_heard_in_ten_seconds() -> None:
    throttle = Throttle(ThrottleLimits(3, 1.0))
    assert [throttle.admits(at) for at in (0.0, 1.0, 2.0, 3.0, 9.9, 10.0, 10.5, 11.0)] == [
        True, True, True, False, False, True, False, True,
    ]  # fmt: skip


def test_time_unlocked_counts_for_two_minutes() -> None:
    throttle = Throttle(ThrottleLimits(20, 0.5))
    throttle.ended(0.0, 50.0)
    assert throttle.affords(50.0, None, 10.0)
    assert not throttle.affords(50.0, None, 10.1)
    assert not throttle.affords(55.0, 50.0, 5.1)
    assert throttle.spent(130.0) == 40.0
    assert throttle.affords(170.0, None, 60.0)


def test_a_level_counts_once_it_has_stood_still() -> None:
    switch = Debounced(0.03)
    samples = [
        (False, 0.0),
        (False, 0.03),
        (True, 0.04),
        (False, 0.05),
        (True, 0.06),
        (True, 0.08),
        (True, 0.09),
    ]
    changed = [switch.feed(level, at) for level, at in samples]
    assert changed == [False, True, False, False, False, False, True]
    assert switch.settled


def test_without_a_bounce_time_the_first_sample_counts() -> None:
    switch = Debounced(0)
    assert switch.feed(True, 5.0)
    assert not switch.feed(True, 6.0)
    assert switch.feed(False, 7.0)
