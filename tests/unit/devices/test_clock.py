"""What a door may take for the time."""

import time
from datetime import UTC, datetime

import pytest

from edged.devices import timekeeping
from edged.devices.clock import Clock
from edged.domain.access import AccessRules
from edged.domain.people import Person
from edged.domain.types import Reason


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


class Nobody:
    """What says nothing, then what a test lets it say."""

    word: bool | None = None

    def __call__(self) -> bool | None:
        return self.word


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A machine that does not let itself be asked."""
    monkeypatch.setattr(timekeeping, "by_kernel", lambda: None)
    monkeypatch.setattr(timekeeping, "by_timesyncd", lambda: None)
    return monkeypatch


def test_the_kernel_is_asked_first_then_the_other_then_timesyncd(silent: pytest.MonkeyPatch) -> None:
    clock, other = Clock(), Nobody()
    assert clock.word() is None
    clock.ask(other)
    assert (clock.word(), clock.synced()) == (None, False)
    silent.setattr(timekeeping, "by_timesyncd", lambda: True)
    assert clock.word() is True
    other.word = False
    assert clock.word() is False
    silent.setattr(timekeeping, "by_kernel", lambda: True)
    assert clock.word() is True


def test_the_word_of_another_stands_for_a_while(silent: pytest.MonkeyPatch) -> None:
    now, other = 100.0, Nobody()
    silent.setattr("edged.devices.clock.time.monotonic", lambda: now)
    clock = Clock()
    clock.ask(other)
    other.word = True
    assert clock.word() is True
    other.word, now = None, 159.0
    assert clock.word() is True
    now = 160.0
    assert clock.word() is None


EXPIRED = Person("p-eve", "Eve", valid_until=datetime(2026, 6, 1, tzinfo=UTC))
NOON = datetime(2026, 7, 6, 12, tzinfo=UTC).timestamp()
WORDS = pytest.mark.parametrize("word", [True, False, None])


@WORDS
@pytest.mark.parametrize("wall", [0.0, 3600.0, datetime(2025, 12, 31, tzinfo=UTC).timestamp()])
@pytest.mark.parametrize("newest", [float("-inf"), 1800.0, NOON])
def test_whose_right_has_ended_is_not_let_in_by_a_clock_that_says_1970(
    silent: pytest.MonkeyPatch, word: bool | None, wall: float, newest: float
) -> None:
    silent.setattr("edged.devices.clock.time.time", lambda: wall)
    clock = Clock("UTC")
    clock.ask(lambda: word)
    for _ in range(2):  # before and after the journal was read
        assert clock.door_time() is None
        assert AccessRules().refusal(EXPIRED, clock.door_time()) is Reason.OUTSIDE_SCHEDULE
        assert AccessRules().refusal(Person("p-ada", "Ada"), clock.door_time()) is None
        clock.not_before(float("-inf"), newest)


@pytest.mark.parametrize("word", [False, None])
def test_a_clock_behind_the_journal_tells_no_time_unless_it_is_right(
    silent: pytest.MonkeyPatch, word: bool | None
) -> None:
    """Nothing in the journal counts as certain: each of its times was recorded while nobody could tell."""
    now, other = NOON, Nobody()
    silent.setattr("edged.devices.clock.time.time", lambda: now)
    clock = Clock("UTC")
    clock.ask(other)
    other.word = word
    clock.not_before(float("-inf"), NOON + 60)
    assert clock.door_time() is None
    now = NOON + 60
    assert clock.door_time() == datetime.fromtimestamp(now, UTC)
    now, other.word = NOON, True
    assert clock.door_time() == datetime.fromtimestamp(now, UTC)


@WORDS
def test_a_clock_that_is_not_evidently_wrong_is_told_whoever_vouches(
    silent: pytest.MonkeyPatch, word: bool | None
) -> None:
    silent.setattr("edged.devices.clock.time.time", lambda: NOON)
    clock = Clock("UTC")
    clock.ask(lambda: word)
    clock.not_before(NOON - 3600, NOON - 60)
    assert clock.door_time() == datetime.fromtimestamp(NOON, UTC)
    assert clock.unix() == NOON


@pytest.mark.parametrize("word", [False, None])
def test_a_clock_at_1970_goes_on_from_a_journal_in_which_nothing_is_certain(
    silent: pytest.MonkeyPatch, word: bool | None
) -> None:
    wall, mono = 30.0, 30.0
    silent.setattr("edged.devices.clock.time.time", lambda: wall)
    silent.setattr("edged.devices.clock.time.monotonic", lambda: mono)
    clock = Clock("UTC")
    clock.ask(lambda: word)
    assert clock.unix() == 30
    clock.not_before(float("-inf"), float("-inf"))
    assert clock.unix() == 30
    clock.not_before(float("-inf"), NOON)
    wall, mono = 35.0, 35.0
    assert clock.unix() == NOON + 5
