"""What a door may take for the time."""

import time

import pytest

from edged.devices.clock import Clock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    monkeypatch.setattr(Clock, "synced", lambda _self: False)
    return Clock("Europe/Paris")


def test_a_clock_that_was_not_set_since_power_on_tells_no_time(clock: Clock) -> None:
    assert clock.door_time() is not None
    clock.not_before(known=time.time() + 3600, newest=time.time() + 3600)
    assert clock.door_time() is None


def test_a_clock_that_is_right_tells_it_whatever_was_known(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock.not_before(known=time.time() + 3600, newest=time.time() + 3600)
    monkeypatch.setattr(Clock, "synced", lambda _self: True)
    told = clock.door_time()
    assert told is not None
    assert abs(told.timestamp() - time.time()) < 5
