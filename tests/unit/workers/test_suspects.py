import math

from edged.workers.suspects import Suspects


def test_pauses_grow_to_their_maximum() -> None:
    suspects, now, pauses = Suspects(30, 1800), 0.0, []
    for _ in range(8):
        suspects.failed(7, now)
        pauses.append(suspects.next_at(now) - now)
        now = suspects.next_at(now)
        assert suspects.due(now) == 7
    assert pauses == [30, 60, 120, 240, 480, 960, 1800, 1800]


def test_after_a_failed_try_the_others_wait_too() -> None:
    suspects = Suspects(30, 1800)
    suspects.failed(1, 0)
    suspects.failed(2, 1)
    assert suspects.due(30) is None
    assert suspects.due(31) == 1
    suspects.failed(1, 31)
    assert suspects.due(60) is None
    assert suspects.next_at(31) == 61
    assert suspects.due(61) == 2


def test_one_that_went_through_lets_all_be_tried_at_once() -> None:
    suspects = Suspects(30, 1800)
    for seq in (1, 2, 3):
        suspects.failed(seq, 0)
    suspects.left(1)
    suspects.cleared(5)
    assert suspects.due(5) == 2
    suspects.left(2)
    assert suspects.due(5) == 3


def test_a_row_that_failed_often_is_tried_after_those_that_did_not() -> None:
    suspects = Suspects(30, 1800)
    suspects.failed(1, 0)
    suspects.failed(1, 30)
    suspects.failed(2, 30)
    suspects.failed(3, 30)
    assert suspects.due(100) == 2
    suspects.left(2)
    suspects.cleared(100)
    assert suspects.due(100) == 3
    suspects.left(3)
    suspects.cleared(100)
    assert suspects.due(100) == 1
    suspects.failed(1, 100)
    assert suspects.next_at(100) == 220


def test_what_is_held_is_bounded() -> None:
    suspects = Suspects(30, 1800)
    for seq in range(1, 1031):
        suspects.failed(seq, 0)
    assert len(suspects) == 1024
    assert 6 not in suspects
    assert 7 in suspects


def test_nothing_held_has_no_next_time() -> None:
    suspects = Suspects(30, 1800)
    suspects.failed(1, 0)
    suspects.left(1)
    assert suspects.next_at(0) == math.inf
    assert suspects.due(1e9) is None
