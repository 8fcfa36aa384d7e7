import os
import signal
import threading
import time
from collections.abc import Callable

import pytest

from edged.errors import ConfigError
from edged.workers.supervisor import Supervisor
from edged.workers.worker import Worker


class Toy(Worker):
    """Beats until it is stopped; writes what happens to it into ``story``."""

    def __init__(self, name: str, story: list[str], turn: Callable[[], None] = lambda: None) -> None:
        super().__init__(name)
        self.story = story
        self.turn = turn

    def start(self) -> None:
        self.story.append(f"start {self.name}")
        super().start()

    def run(self) -> None:
        while not self.stopping.wait(0.005):
            self.beat()
            self.turn()
        self.story.append(f"stop {self.name}")


class Returning(Worker):
    def run(self) -> None:
        return


class Hanging(Worker):
    """Never beats; ends when the test lets it, whatever it is asked."""

    stall_seconds = 0.02

    def __init__(self, name: str, *, deaf: bool = False) -> None:
        super().__init__(name)
        self.deaf = deaf
        self.release = threading.Event()

    def stop(self) -> None:
        super().stop()
        if not self.deaf:
            self.release.set()

    def run(self) -> None:
        self.release.wait(10)


def supervised(*workers: Worker, stop_seconds: float = 30.0, **options: object) -> Supervisor:
    supervisor = Supervisor(tick_seconds=0.01, stop_seconds=stop_seconds, **options)  # type: ignore[arg-type]
    for worker in workers:
        supervisor.add(worker, stop_seconds=stop_seconds)
    return supervisor


def fail() -> None:
    raise ValueError("boom")


def test_stop_is_the_mirror_of_start_and_the_lock_comes_first() -> None:
    story: list[str] = []
    supervisor = supervised(
        Toy("a", story), Toy("b", story), Toy("c", story), first_on_stop=lambda: story.append("secure")
    )
    supervisor.after_stop("journal", lambda: story.append("close journal"))
    supervisor.after_stop("monitor", lambda: story.append("close monitor"))
    supervisor.start()
    supervisor.request_stop()
    assert supervisor.run_until_stopped() == 0
    assert story == [
        "start a", "start b", "start c", "secure", "stop c", "stop b", "stop a",
        "close monitor", "close journal",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "broken", [lambda: Toy("broken", [], fail), lambda: Returning("broken"), lambda: Hanging("broken")]
)
def test_a_worker_that_fails_stops_all_with_status_1(broken: Callable[[], Worker]) -> None:
    story: list[str] = []
    supervisor = supervised(Toy("a", story), broken(), first_on_stop=lambda: story.append("secure"))
    supervisor.start()
    assert supervisor.run_until_stopped() == 1
    assert story == ["start a", "secure", "stop a"]
    assert supervisor.fails


def test_a_failure_before_the_watch_begins_is_not_lost() -> None:
    broken = Returning("broken")
    supervisor = supervised(broken)
    supervisor.start()
    assert broken.join(30)
    assert supervisor.run_until_stopped() == 1


def test_a_signal_between_the_start_and_the_watch_is_a_stop_and_no_exception() -> None:
    def leave(_number: int, _frame: object) -> None:
        raise SystemExit

    class Signalling(Toy):
        def start(self) -> None:
            super().start()
            os.kill(os.getpid(), signal.SIGTERM)

    story: list[str] = []
    before = signal.signal(signal.SIGTERM, leave)
    try:
        assert supervised(Signalling("a", story), Toy("b", story)).run() == 0
    finally:
        signal.signal(signal.SIGTERM, before)
    assert story == ["start a", "start b", "stop b", "stop a"]


def test_steps_that_raise_do_not_keep_the_others_from_running() -> None:
    story: list[str] = []
    supervisor = supervised(Toy("a", story), first_on_stop=fail)
    supervisor.after_stop("last", lambda: story.append("last"))
    supervisor.after_stop("broken", fail)
    supervisor.start()
    supervisor.request_stop()
    assert supervisor.run_until_stopped() == 1
    assert story == ["start a", "stop a", "last"]
    assert not supervisor.fails  # somebody had asked for this stop


def test_a_thread_that_cannot_be_ended_is_named_and_left_behind(caplog: pytest.LogCaptureFixture) -> None:
    story: list[str] = []
    left: list[int] = []
    deaf = Hanging("deaf", deaf=True)
    supervisor = supervised(
        Toy("a", story), deaf, stop_seconds=0.1,
        first_on_stop=lambda: story.append("secure"), abandon=left.append,
    )  # fmt: skip
    supervisor.after_stop("journal", lambda: story.append("close journal"))
    supervisor.start()
    assert supervisor.run_until_stopped() == 1
    deaf.release.set()
    assert left == [1]
    assert story[:2] == ["start a", "secure"]
    assert "close journal" in story
    assert "thread left behind name=edged-deaf" in caplog.text
    for worker in (deaf, supervisor._workers[0][0]):
        assert worker.join(30)


def test_a_worker_that_cannot_start_stops_those_before_it() -> None:
    class Stillborn(Toy):
        def start(self) -> None:
            raise RuntimeError("can't start new thread")

    story: list[str] = []
    supervisor = supervised(Toy("a", story), Stillborn("b", story), Toy("c", story))
    with pytest.raises(RuntimeError, match="new thread"):
        supervisor.start()
    assert story == ["start a", "stop a"]


def when(event: threading.Event, number: signal.Signals) -> Callable[[], None]:
    """A worker's turn that signals this process once each time ``event`` says that handlers stand."""

    def turn() -> None:
        if event.is_set():
            event.clear()
            os.kill(os.getpid(), number)

    return turn


def once(action: Callable[[], None]) -> Callable[[], str]:
    """A status that acts the first time it is asked for, which is when the watch begins."""
    actions = [action]

    def status() -> str:
        if actions:
            actions.pop()()
        return "running"

    return status


def handlers() -> list[object]:
    return [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_and_the_old_handlers_come_back(number: signal.Signals) -> None:
    before = handlers()
    running = threading.Event()
    supervisor = supervised(Toy("a", [], when(running, number)), status=once(running.set))
    supervisor.start()
    assert supervisor.run_until_stopped() == 0
    assert handlers() == before


def test_sighup_reloads_and_a_refused_reload_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    calls: list[int] = []

    def reload() -> None:
        calls.append(1)
        if len(calls) == 1:
            running.set()
            raise ConfigError(["door.unlock_seconds: expected float <= 60, got 90"])
        supervisor.request_stop()

    running = threading.Event()
    supervisor = supervised(
        Toy("a", [], when(running, signal.SIGHUP)), on_reload=reload, status=once(running.set)
    )
    supervisor.start()
    assert supervisor.run_until_stopped() == 0
    assert len(calls) == 2
    assert "reload refused, the old configuration stays: door.unlock_seconds" in caplog.text


def test_a_flood_of_reloads_is_one_and_keeps_no_stop_waiting() -> None:
    calls: list[int] = []
    supervisor = supervised(on_reload=lambda: calls.append(1))
    for _ in range(1000):
        supervisor.request_reload()
    assert supervisor._orders.qsize() == 1
    supervisor.request_stop()
    for _ in range(1000):
        supervisor.request_reload()
    assert supervisor._orders.qsize() == 2
    assert supervisor.run() == 0
    assert calls == [1]


def test_a_second_interrupt_ends_at_once() -> None:
    left: list[int] = []

    def interrupt() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)

    supervisor = supervised(Toy("a", []), first_on_stop=lambda: None, abandon=left.append)
    supervisor.after_stop("slow", interrupt)
    supervisor.start()
    supervisor.request_stop()
    supervisor.run_until_stopped()
    assert left == [1]


def test_health_tells_the_dead_and_the_silent() -> None:
    hanging = Hanging("hanging")
    supervisor = supervised(Toy("a", []), hanging)
    report = supervisor.health()
    assert not report.ok
    assert report.checks["a"].detail == "not running"
    supervisor.start()
    time.sleep(0.05)
    checks = supervisor.health().checks
    supervisor.request_stop()
    supervisor.run_until_stopped()
    assert checks["a"].ok
    assert not checks["hanging"].ok


def test_silence_withholds_the_watchdog_and_longer_silence_fails(caplog: pytest.LogCaptureFixture) -> None:
    hanging = Hanging("hanging")
    supervisor = supervised(hanging)
    supervisor.start()
    now = hanging._beat_at = time.monotonic()
    supervisor._tick(now + 0.03)
    assert "watchdog withheld silent=hanging" in caplog.text
    assert not supervisor._failed
    supervisor._tick(now + 0.07)
    assert supervisor._failed
    assert supervisor.run_until_stopped() == 1
