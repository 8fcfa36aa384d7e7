"""Faces wait for the news of a line that came back, and never for long."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from edged.metrics import Metrics
from edged.workers.door import UnlockRequest
from edged.workers.fleet_return import REFUSAL, ReturnGate, ReturningDoor


class Time:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Line:
    def __init__(self) -> None:
        self.requests: list[UnlockRequest] = []

    def refusal(self, granted_at: float) -> str | None:
        return "stale" if granted_at < 50 else None

    def request(self, request: UnlockRequest) -> bool:
        self.requests.append(request)
        return True


@pytest.fixture
def clock() -> Time:
    return Time()


def test_a_face_waits_until_the_news_are_there(clock: Time) -> None:
    gate, line, metrics = ReturnGate(clock), Line(), Metrics(CollectorRegistry())
    door = ReturningDoor(line, gate, metrics)
    assert door.refusal(99.0) is None
    assert door.refusal(1.0) == "stale"
    gate.close()
    assert door.refusal(100.0) == REFUSAL
    assert not door.request(UnlockRequest("E1", "face", 100.0))
    assert line.requests == []
    clock.now = 101.3
    gate.open()
    assert door.refusal(101.2) == REFUSAL  # seen before: held against the gallery of before
    assert not door.request(UnlockRequest("E1", "face", 101.2))
    assert door.refusal(101.3) is None
    assert door.request(UnlockRequest("E2", "face", 101.3))
    count = metrics.registry.get_sample_value("edged_lock_refusals_total", {"reason": REFUSAL})
    assert count == 2


def test_a_line_without_news_keeps_nobody_outside_for_long(clock: Time) -> None:
    gate = ReturnGate(clock)
    gate.close()
    clock.now += 4.9
    assert gate.shut
    clock.now += 0.2
    assert not gate.shut
    assert not gate.refuses(clock.now)


@given(st.lists(st.tuples(st.floats(0, 8), st.floats(0, 30)), min_size=1, max_size=60))
def test_whoever_comes_and_goes_shuts_the_door_for_a_twelfth_of_the_time(
    turns: list[tuple[float, float]],
) -> None:
    clock = Time()
    gate, began, shut = ReturnGate(clock), clock.now, 0.0
    for there, away in turns:
        gate.close()
        gate.close()  # as after the start
        until = gate._until
        shut += min(there, max(0.0, until - clock.now))
        clock.now += there
        gate.open()
        assert not gate.shut
        clock.now += away
        assert shut <= 10 + (clock.now - began) / 12 + 1e-6
