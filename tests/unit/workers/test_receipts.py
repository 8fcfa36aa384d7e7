from edged.domain.types import EventKind
from edged.workers.receipts import MOST, Receipts

ACCESS = EventKind.ACCESS


def waiting(count: int, seconds: float = 10.0) -> Receipts:
    receipts = Receipts(seconds)
    for seq in range(1, count + 1):
        receipts.sent(seq, f"e{seq}", ACCESS, 0.0)
        assert receipts.passed(seq, 0.0)
    return receipts


def test_a_row_is_due_when_the_collector_is_late_and_given_more_time_each_time() -> None:
    receipts = waiting(1)
    assert receipts.due(9.9, 5) == []
    assert receipts.next_at(0.0) == 10.0
    assert receipts.due(10.0, 5) == [1]
    receipts.sent(1, "e1", ACCESS, 10.0)
    assert receipts.due(1e6, 5) == []  # the broker has not answered
    receipts.passed(1, 10.0)
    assert receipts.due(29.0, 5) == []
    assert receipts.due(30.0, 5) == [1]


def test_a_collector_faster_than_the_broker_leaves_nothing_to_wait_for() -> None:
    receipts = Receipts(10.0)
    receipts.sent(1, "e1", ACCESS, 0.0)
    assert receipts.acknowledged(["e1", "e1", "unknown"], 0.1) == [1]
    assert not receipts.passed(1, 0.2)
    assert len(receipts) == 0


def test_a_collector_that_answers_holds_the_rest_back_and_a_silent_one_does_not() -> None:
    receipts = waiting(MOST)
    assert receipts.room(1.0) == 0
    assert receipts.room(20.1) == 1
    assert 1 not in receipts
    assert receipts.has_let_go(ACCESS, 1)
    assert receipts.taken_up() is None
    assert receipts.acknowledged(["e2"], 21.0) == [2]
    assert receipts.taken_up() == 1
    assert receipts.taken_up() is None
    assert not receipts.has_let_go(ACCESS, 1)


def test_once_a_silent_collector_speaks_everything_it_may_have_missed_is_due() -> None:
    receipts = waiting(3)
    for seq in (1, 2, 3):
        receipts.sent(seq, f"e{seq}", ACCESS, 10.0)
        receipts.passed(seq, 10.0)
    receipts.room(25.0)
    receipts.acknowledged(["e2"], 25.0)
    assert receipts.due(25.0, 9) == [1, 3]


def test_after_a_lost_connection_nothing_is_waited_for() -> None:
    receipts = waiting(3)
    receipts.disconnected()
    assert receipts.acknowledged(["e1"], 1.0) == []
    assert receipts.due(1e9, 9) == []
