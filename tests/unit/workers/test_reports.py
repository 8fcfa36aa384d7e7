import queue
import threading

import pytest

from edged.workers.reports import Reporter


def test_items_are_delivered_in_order_and_all_before_the_end() -> None:
    seen: list[int] = []
    reporter: Reporter[int] = Reporter("toy", seen.append)
    for number in range(100):
        reporter.put(number)
    reporter.start()
    assert reporter.close(30)
    assert seen == list(range(100))


def test_a_listener_that_raises_is_logged_and_called_again(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[int] = []

    def listener(number: int) -> None:
        seen.append(number)
        raise ValueError(number)

    reporter: Reporter[int] = Reporter("toy", listener)
    reporter.start()
    reporter.put(1)
    reporter.put(2)
    assert reporter.close(30)
    assert seen == [1, 2]
    assert caplog.text.count("report failed thread=edged-toy") == 2


def test_put_never_waits_and_says_when_the_listener_is_lost() -> None:
    reporter: Reporter[int] = Reporter("toy", lambda _: None, capacity=2)
    reporter.put(1)
    reporter.put(2)
    with pytest.raises(queue.Full):
        reporter.put(3)
    assert not reporter.close(0.01)


def test_a_listener_at_work_is_visible_and_the_end_does_not_wait_for_ever() -> None:
    called, go = threading.Event(), threading.Event()

    def listener(_number: int) -> None:
        called.set()
        go.wait(10)

    reporter: Reporter[int] = Reporter("toy", listener)
    assert reporter.busy_seconds(1e9) == 0.0
    reporter.start()
    reporter.put(1)
    assert called.wait(30)
    assert reporter.busy_seconds(1e9) > 0
    assert not reporter.close(0.01)
    go.set()
    assert reporter.close(30)
    assert reporter.busy_seconds(1e9) == 0.0


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_has_died_counts_as_busy_for_ever() -> None:
    def die(_item: int) -> None:
        raise SystemExit

    reporter: Reporter[int] = Reporter("test", die)
    reporter.start()
    reporter.put(1)
    reporter._thread.join(10)
    assert reporter.busy_seconds(0.0) == float("inf")
    reporter.close(1)
    assert reporter.busy_seconds(1e9) == 0.0
