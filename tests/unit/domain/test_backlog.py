"""Pictures that piled up during a stall are told from fresh ones."""

from hypothesis import given
from hypothesis import strategies as st

from edged.domain.backlog import Backlog

FRAME = 0.066


def feed(backlog: Backlog, waits: list[float], start: float = 0.0) -> list[bool]:
    old, now = [], start
    for waited in waits:
        now += waited
        old.append(backlog.is_old(waited, now))
    return old


def test_a_steady_camera_is_never_old() -> None:
    assert not any(feed(Backlog(0.5), [2.5] + [FRAME] * 100))


def test_after_a_stall_the_burst_is_passed_over_and_the_present_is_not() -> None:
    old = feed(Backlog(0.5), [FRAME] * 20 + [1.5] + [0.004] * 22 + [0.05] + [FRAME] * 10)
    assert old == [False] * 20 + [True] * 23 + [False] * 11


def test_a_pause_without_a_burst_costs_one_picture() -> None:
    old = feed(Backlog(0.5), [FRAME] * 20 + [1.5] + [FRAME] * 10)
    assert old.count(True) == 1


def test_a_camera_that_is_slow_by_nature_is_not_stalled() -> None:
    assert not any(feed(Backlog(0.5), [1.0] * 50))


def test_a_camera_that_became_faster_is_believed_after_two_seconds() -> None:
    old = feed(Backlog(0.5), [FRAME] * 20 + [1.5] + [0.01] * 400)
    assert old[-1] is False
    assert 150 < old.count(True) < 220


@given(st.lists(st.floats(0, 5), max_size=200))
def test_no_rhythm_hides_the_present_for_ever(waits: list[float]) -> None:
    backlog = Backlog(0.5)
    feed(backlog, waits)
    assert not all(feed(backlog, [FRAME] * 60, start=1e6))
