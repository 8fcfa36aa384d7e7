import itertools
import queue
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from edged.config.sections import DoorConfig, FakeLockConfig
from edged.devices.fakes import FakeLock
from edged.errors import LockError
from edged.metrics import Metrics
from edged.workers.door import DoorChange, DoorWorker, UnlockRequest

CONFIG = DoorConfig(lock=FakeLockConfig(), unlock_seconds=3, max_unlock_seconds=10, max_grant_age_ms=1000)
# Whose grants are of this moment, also where a busy machine hears them seconds later.
QUICK = DoorConfig(lock=FakeLockConfig(), unlock_seconds=0.1, max_unlock_seconds=0.3, max_grant_age_ms=10_000)
# Whose pulse outlasts what a test does in it.
LONG = DoorConfig(lock=FakeLockConfig(), unlock_seconds=50, max_unlock_seconds=60, max_grant_age_ms=10_000)


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


class BrokenLock(FakeLock):
    """Fails where it is told to; ``blocker`` makes an unlock hang until it is set."""

    def __init__(self) -> None:
        super().__init__()
        self.unlock_fails = False
        self.secure_fails = 0
        self.blocker: threading.Event | None = None
        self.unlocking = threading.Event()

    def unlock(self) -> None:
        self.unlocking.set()
        if self.blocker is not None:
            self.blocker.wait(10)
        super().unlock()
        if self.unlock_fails:
            raise LockError("the line did not answer")  # after it moved: the worst case

    def secure(self) -> None:
        if self.secure_fails:
            self.secure_fails -= 1
            raise LockError("the line did not answer")
        super().secure()


@dataclass
class Door:
    """A worker whose turns the test takes itself, at the times of its own clock."""

    config: DoorConfig = CONFIG
    lock: BrokenLock = field(default_factory=BrokenLock)
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.metrics = Metrics(CollectorRegistry())
        self.reported: queue.SimpleQueue[DoorChange] = queue.SimpleQueue()
        self.worker = DoorWorker(self.lock, self.config, self.metrics, self.reported.put, clock=self.clock)
        self.worker._reports.start()

    def ask(self, event_id: str = "A", *, age: float = 0.0, first_seen_at: float | None = None) -> bool:
        return self.worker.request(UnlockRequest(event_id, "face", self.clock.now - age, first_seen_at))

    def turn(self, *, after: float = 0.0) -> None:
        self.clock.now += after
        self.worker.turn()

    def report(self) -> DoorChange:
        return self.reported.get(timeout=30)

    def count(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(name, labels)


@pytest.fixture
def door() -> Iterator[Door]:
    made = Door()
    yield made
    made.worker._reports.close(30)


def wait_for(condition: Any, timeout: float = 30.0) -> bool:
    deadline = time.monotonic() + timeout
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.002)
    return bool(condition())


# What a grant does


def test_a_grant_unlocks_until_its_deadline(door: Door) -> None:
    assert door.ask("A")
    door.turn()
    assert door.lock.unlocked
    assert door.report() == DoorChange("unlocked", 1000.0, "A", "face")
    door.turn(after=2.75)
    assert door.lock.unlocked
    door.turn(after=0.25)
    assert not door.lock.unlocked
    assert door.report() == DoorChange("locked", 1003.0, "A", "face", 3.0)


def test_a_relock_ends_the_period_and_no_later_one(door: Door) -> None:
    door.ask("A")
    door.turn()
    door.worker.relock()
    door.turn(after=0.1)
    assert not door.lock.unlocked
    assert [door.report().state for _ in range(2)] == ["unlocked", "locked"]
    door.worker.relock()
    door.turn(after=2.0)
    door.ask("B")
    door.turn()
    assert door.lock.unlocked
    door.turn(after=1.0)
    assert door.lock.unlocked


def test_nothing_is_unlocked_without_a_grant(door: Door) -> None:
    for _ in range(5):
        door.turn(after=1.0)
    assert [change.state for change in door.lock.transitions] == ["locked"]


def test_a_second_grant_extends_the_one_deadline(door: Door) -> None:
    door.ask("A")
    door.turn()
    door.ask("B")
    door.turn()
    door.clock.now += 2.0
    door.ask("C")
    door.turn()
    door.turn(after=2.75)
    assert door.lock.unlocked
    door.turn(after=0.25)
    assert not door.lock.unlocked
    seen = [door.report() for _ in range(4)]
    assert [(change.state, change.event_id, change.held_seconds) for change in seen] == [
        ("unlocked", "A", 0.0), ("unlocked", "B", 0.0), ("unlocked", "C", 2.0), ("locked", "C", 5.0),
    ]  # fmt: skip


def test_a_stream_of_people_cannot_hold_the_door_beyond_the_maximum(door: Door) -> None:
    spans: list[list[float]] = [[]]
    for _ in range(800):
        door.ask()
        door.turn(after=0.125)
        if door.lock.unlocked:
            spans[-1].append(door.clock.now)
        elif spans[-1]:
            spans.append([])
    full = [span[-1] - span[0] for span in spans[:-1]]
    assert len(full) >= 8
    assert set(full) == {9.875}  # seen unlocked until the last turn before the tenth second
    assert len(spans) < 800 / 80 + 2


def test_the_next_grant_waits_for_the_bolt_to_fall(door: Door) -> None:
    door.ask("A")
    door.turn()
    door.turn(after=3.0)
    door.ask("B")
    door.turn(after=0.2)
    assert not door.lock.unlocked
    door.turn(after=0.06)
    assert door.lock.unlocked


def test_a_grant_at_the_deadline_does_not_revive_the_period(door: Door) -> None:
    door.ask("A")
    door.turn()
    door.clock.now += 3.0
    door.ask("B")
    door.turn()
    assert not door.lock.unlocked


def test_a_clock_that_goes_backward_locks(door: Door) -> None:
    door.ask()
    door.turn()
    door.turn(after=-0.001)
    assert not door.lock.unlocked


# What is refused


@pytest.mark.parametrize("age", [1.001, 60.0, -0.5, float("nan"), float("inf")])
def test_a_grant_of_the_wrong_age_is_refused(door: Door, age: float) -> None:
    door.ask("old", age=age)
    door.turn()
    assert not door.lock.unlocked
    assert door.report() == DoorChange("refused", 1000.0, "old", "face", reason="stale")
    assert door.count("edged_lock_refusals_total", reason="stale") == 1


def test_a_grant_grows_old_while_it_waits(door: Door) -> None:
    door.ask(age=0.9)
    door.turn(after=0.2)
    assert not door.lock.unlocked
    assert door.report().reason == "stale"


def test_a_stale_grant_does_not_extend_either(door: Door) -> None:
    door.ask("A")
    door.turn()
    door.clock.now += 2.0
    door.ask("B", age=1.5)
    door.turn()
    door.turn(after=1.0)
    assert not door.lock.unlocked


def test_the_third_request_in_waiting_is_turned_away(door: Door) -> None:
    assert [door.ask(name) for name in "ABC"] == [True, True, False]
    assert door.count("edged_lock_refusals_total", reason="queue_full") == 1
    door.turn()
    assert door.ask("D")


def test_it_says_beforehand_what_it_would_refuse(door: Door) -> None:
    now = door.clock.now
    limit = CONFIG.max_grant_age_ms / 1000
    assert [door.worker.refusal(now - age) for age in (0.0, limit, limit + 0.1, -0.1)] == [
        None, None, "stale", "stale",
    ]  # fmt: skip
    assert door.ask("A")
    assert door.ask("B")
    assert door.worker.refusal(now) == "queue_full"
    door.worker.secure_now()
    assert door.worker.refusal(now) == "stopping"


def test_a_cause_that_metrics_do_not_know_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a cause of face, test"):
        UnlockRequest("A", "person-17", 0.0)


# What is measured


def test_latency_actuations_and_state_are_measured(door: Door) -> None:
    door.ask(first_seen_at=999.4)
    door.turn()
    assert door.count("edged_lock_unlocked") == 1
    assert door.count("edged_lock_actuations_total", cause="face") == 1
    assert door.count("edged_decision_latency_seconds_sum") == pytest.approx(0.6)
    assert door.count("edged_stage_duration_seconds_count", stage="actuate") == 1
    door.ask()
    door.turn(after=0.1)
    door.turn(after=5.0)
    assert door.count("edged_lock_unlocked") == 0
    assert door.count("edged_lock_actuations_total", cause="face") == 1
    assert door.count("edged_decision_latency_seconds_count") == 1


@pytest.mark.parametrize(("late", "overruns"), [(0.04, 0), (0.06, 1)])
def test_a_late_relock_is_counted(door: Door, late: float, overruns: int) -> None:
    door.ask()
    door.turn()
    door.turn(after=3.0 + late)
    assert not door.lock.unlocked
    assert door.count("edged_lock_overrun_total") == overruns


# What a broken line does


def test_a_failing_unlock_secures_reports_and_raises(door: Door) -> None:
    door.lock.unlock_fails = True
    door.ask("A")
    with pytest.raises(LockError, match="did not answer"):
        door.turn()
    assert not door.lock.unlocked
    assert door.count("edged_lock_refusals_total", reason="line_failed") == 1
    assert door.count("edged_lock_unlocked") == 0
    assert door.report() == DoorChange("failed", 1000.0, "A", "face", reason="line_failed")


def test_a_worker_whose_line_fails_ends_with_the_error_and_a_secure_line() -> None:
    door = Door(config=QUICK, clock=Clock())
    door.worker._reports.close(30)
    lock = BrokenLock()
    lock.unlock_fails = True
    lock.secure_fails = 1
    reported: queue.SimpleQueue[DoorChange] = queue.SimpleQueue()
    worker = DoorWorker(lock, QUICK, Metrics(CollectorRegistry()), reported.put)
    worker.start()
    worker.request(UnlockRequest("A", "face", time.monotonic()))
    assert worker.join(30)
    assert isinstance(worker.failure, LockError)
    assert lock.transitions[-1].state == "locked"
    assert [reported.get(timeout=30).state for _ in range(2)] == ["failed", "locked"]


def test_a_relock_that_fails_is_tried_again_before_the_worker_ends() -> None:
    lock = BrokenLock()
    reported: queue.SimpleQueue[DoorChange] = queue.SimpleQueue()
    worker = DoorWorker(lock, QUICK, Metrics(CollectorRegistry()), reported.put)
    worker.start()
    lock.secure_fails = 2
    worker.request(UnlockRequest("A", "face", time.monotonic()))
    assert reported.get(timeout=30).state == "unlocked"
    assert worker.join(30)
    assert isinstance(worker.failure, LockError)
    assert reported.get(timeout=30).state == "failed"
    assert lock.transitions[-1].state == "locked"  # the third try, on close


# The thread


@dataclass
class Running:
    worker: DoorWorker
    lock: BrokenLock
    reported: "queue.SimpleQueue[DoorChange]"
    metrics: Metrics


@pytest.fixture(params=[LONG])
def running(request: pytest.FixtureRequest) -> Iterator[Running]:
    lock, metrics = BrokenLock(), Metrics(CollectorRegistry())
    reported: queue.SimpleQueue[DoorChange] = queue.SimpleQueue()
    worker = DoorWorker(lock, request.param, metrics, reported.put)
    worker.start()
    yield Running(worker, lock, reported, metrics)
    worker.stop()
    assert worker.join(30)


@pytest.mark.parametrize("running", [QUICK], indirect=True)
def test_the_thread_unlocks_and_relocks_in_time(running: Running) -> None:
    running.worker.request(UnlockRequest("A", "face", time.monotonic()))
    assert running.reported.get(timeout=30).state == "unlocked"
    locked = running.reported.get(timeout=30)
    assert locked.state == "locked"
    assert 0.1 <= locked.held_seconds < 10.0  # how late a busy machine is, nobody knows


def test_a_flood_of_requests_cannot_keep_the_door_unlocked(door: Door) -> None:
    periods: list[list[float]] = []  # when it was unlocked, and when locked again
    for _ in range(20_000):
        door.ask("A")
        unlocked = door.lock.unlocked
        door.turn(after=0.002)
        if door.lock.unlocked != unlocked:
            periods += [] if unlocked else [[]]
            periods[-1].append(door.clock.now)
    assert len(periods) > 2
    assert all(locked - unlocked <= CONFIG.max_unlock_seconds + 0.003 for unlocked, locked in periods[:-1])
    assert all(after[0] - before[1] >= 0.25 for before, after in itertools.pairwise(periods))


def test_stop_secures_the_line_before_anything_else(running: Running) -> None:
    running.worker.request(UnlockRequest("A", "face", time.monotonic()))
    assert running.lock.unlocking.wait(30)
    running.reported.get(timeout=30)
    running.worker.stop()
    assert running.lock.transitions[-1].state == "locked"
    assert running.worker.join(30)
    assert running.worker.failure is None
    assert running.reported.get(timeout=30).state == "locked"


def test_what_waits_at_the_stop_is_answered_and_nothing_is_accepted_after() -> None:
    lock, reported = BrokenLock(), queue.SimpleQueue[DoorChange]()
    worker = DoorWorker(lock, QUICK, Metrics(CollectorRegistry()), reported.put)
    worker.request(UnlockRequest("A", "face", time.monotonic()))
    worker.request(UnlockRequest("B", "face", time.monotonic()))
    worker.stop()
    assert not worker.request(UnlockRequest("C", "face", time.monotonic()))
    worker.start()
    assert worker.join(30)
    answers = [reported.get(timeout=30) for _ in range(2)]
    assert [(change.event_id, change.reason) for change in answers] == [("A", "stopping"), ("B", "stopping")]
    assert [change.state for change in lock.transitions] == ["locked"]


def test_secure_now_ends_a_pulse_at_once_and_for_good(running: Running) -> None:
    running.worker.request(UnlockRequest("A", "face", time.monotonic()))
    assert running.reported.get(timeout=30).state == "unlocked"
    running.worker.secure_now()
    assert running.lock.transitions[-1].state == "locked"
    assert running.reported.get(timeout=30).state == "locked"
    assert not running.worker.request(UnlockRequest("B", "face", time.monotonic()))
    assert running.worker.alive
    assert running.metrics.registry.get_sample_value("edged_lock_unlocked") == 0


def test_a_request_that_waits_when_the_door_is_shut_is_refused(door: Door) -> None:
    door.ask("A")
    door.worker.secure_now()
    door.turn()
    assert door.report() == DoorChange("refused", 1000.0, "A", "face", reason="stopping")
    assert [change.state for change in door.lock.transitions] == ["locked"]


def test_a_stop_that_cannot_secure_leaves_it_to_the_worker_and_tells(
    running: Running, caplog: pytest.LogCaptureFixture
) -> None:
    running.worker.request(UnlockRequest("A", "face", time.monotonic()))
    assert running.reported.get(timeout=30).state == "unlocked"
    running.lock.secure_fails = 1
    running.worker.stop()
    assert running.worker.join(30)
    assert running.lock.transitions[-1].state == "locked"
    assert "line not secured" in caplog.text or running.worker.failure is not None


def test_secure_now_does_not_wait_for_a_driver_that_hangs(running: Running) -> None:
    running.lock.blocker = threading.Event()
    running.worker.request(UnlockRequest("A", "face", time.monotonic()))
    assert running.lock.unlocking.wait(30)
    running.worker.secure_now()
    running.lock.blocker.set()  # the late unlock goes through, and is undone at once
    assert wait_for(
        lambda: [change.state for change in running.lock.transitions][1:] == ["unlocked", "locked"]
    )


def test_the_lock_is_closed_at_the_end_and_a_late_call_is_harmless(running: Running) -> None:
    running.worker.stop()
    assert running.worker.join(30)
    with pytest.raises(LockError, match="after it was closed"):
        running.lock.unlock()
    running.worker.secure_now()
    running.worker.stop()


def test_a_listener_that_raises_does_not_touch_the_relock(caplog: pytest.LogCaptureFixture) -> None:
    def listener(change: DoorChange) -> None:
        raise RuntimeError(change.state)

    lock = BrokenLock()
    worker = DoorWorker(lock, QUICK, Metrics(CollectorRegistry()), listener)
    worker.start()
    worker.request(UnlockRequest("A", "face", time.monotonic()))
    assert wait_for(lambda: [change.state for change in lock.transitions] == ["locked", "unlocked", "locked"])
    worker.stop()
    assert worker.join(30)
    assert worker.failure is None
    assert "report failed" in caplog.text


def test_a_listener_that_hangs_does_not_delay_the_relock() -> None:
    hang = threading.Event()

    def listener(_change: DoorChange) -> None:
        hang.wait(100)

    lock = BrokenLock()
    worker = DoorWorker(lock, QUICK, Metrics(CollectorRegistry()), listener)
    worker.start()
    worker.request(UnlockRequest("A", "face", time.monotonic()))
    assert wait_for(lambda: len(lock.transitions) == 3)
    assert not hang.is_set()  # and it hangs for much longer
    hang.set()
    worker.stop()
    assert worker.join(30)


def test_a_listener_that_hangs_for_long_is_seen_by_the_watchdog(door: Door) -> None:
    hang, called = threading.Event(), threading.Event()

    def listener(_change: DoorChange) -> None:
        called.set()
        hang.wait(10)

    worker = DoorWorker(FakeLock(), CONFIG, door.metrics, listener, clock=door.clock)
    worker._reports.start()
    worker.stall_seconds = 0.01
    worker.request(UnlockRequest("A", "face", door.clock.now))
    worker.turn()
    assert called.wait(30)
    time.sleep(0.02)
    before = worker._beat_at
    worker.turn()
    assert worker._beat_at == before
    hang.set()
    assert worker._reports.close(30)


# Whatever happens


steps = st.lists(
    st.tuples(
        st.one_of(st.just(0.0), st.floats(0, 0.3), st.floats(0, 20)),  # zero: a clock that stands still
        st.integers(0, 3),
        st.floats(-0.1, 1.5),
    ),
    max_size=40,
)


@given(steps)
def test_whatever_the_grants_and_times_the_door_is_never_unlocked_too_long_or_unasked(
    sequence: list[tuple[float, int, float]],
) -> None:
    clock, lock = Clock(), FakeLock()
    worker = DoorWorker(lock, CONFIG, Metrics(CollectorRegistry()), lambda _change: None, clock=clock)
    worker._reports.start()
    unlocked_at: float | None = None
    granted: list[float] = []
    for step, grants, age in sequence:
        clock.now += step
        for _ in range(grants):
            request = UnlockRequest("A", "face", clock.now - age)
            granted += [request.granted_at] if worker.request(request) else []
        worker.turn()
        if not lock.unlocked:
            unlocked_at = None
        elif unlocked_at is None:
            assert any(0 <= clock.now - granted_at <= 1.0 for granted_at in granted)
            unlocked_at = clock.now
        assert unlocked_at is None or clock.now - unlocked_at < CONFIG.max_unlock_seconds
    assert worker._reports.close(30)
    lock.close()
