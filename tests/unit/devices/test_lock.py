"""The rules of ``DoorLock``, held against every driver."""

from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

import pytest
from gpiozero.pins.mock import MockFactory

from edged.config.sections import GpiodLockConfig, GpiozeroLockConfig
from edged.devices.fake_gpio import FakeBoard, FakeChip, FakeLine
from edged.devices.fakes import FakeLock
from edged.devices.lock import DoorLock, Level, Levels, Power, levels
from edged.devices.lock_gpiod import GpiodLock
from edged.devices.lock_gpiozero import GpiozeroLock
from edged.errors import LockError

WIRINGS: list[tuple[Level, Power]] = list(product(("high", "low"), ("fail_secure", "fail_safe")))
Opener = Callable[[], DoorLock]


def gpiod_opener(active: Level, power: Power) -> Opener:
    board = FakeBoard({"/dev/gpiochip0": FakeChip("pinctrl-bcm2711", [FakeLine("GPIO17")])})
    config = GpiodLockConfig(chip="pinctrl-bcm2711", line="GPIO17", active=active, power=power)
    return lambda: GpiodLock(config, board)


def gpiozero_opener() -> Opener:
    factory = MockFactory()
    config = GpiozeroLockConfig(pin=17, active="high", power="fail_secure")
    return lambda: GpiozeroLock(config, factory)


@pytest.fixture(params=["fake", "gpiozero", *(f"gpiod {active} {power}" for active, power in WIRINGS)])
def opener(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opener]:
    if request.param == "fake":
        yield lambda: FakeLock(tmp_path / "trace.jsonl")
    elif request.param == "gpiozero":
        yield gpiozero_opener()
    else:
        _, active, power = request.param.split()
        yield gpiod_opener(active, power)


@pytest.mark.parametrize(
    ("active", "power", "expected"),
    [
        ("high", "fail_secure", Levels(secure="low", unlocked="high")),
        ("low", "fail_secure", Levels(secure="high", unlocked="low")),
        ("high", "fail_safe", Levels(secure="high", unlocked="low")),
        ("low", "fail_safe", Levels(secure="low", unlocked="high")),
    ],
)
def test_levels_follow_from_polarity_and_power(active: Level, power: Power, expected: Levels) -> None:
    assert levels(active, power) == expected


def test_is_claimed_secure(opener: Opener) -> None:
    with opener() as lock:
        assert not lock.unlocked


def test_unlocks_and_secures_as_often_as_asked(opener: Opener) -> None:
    with opener() as lock:
        for _ in range(3):
            lock.unlock()
            lock.unlock()
            assert lock.unlocked
            lock.secure()
            lock.secure()
            assert not lock.unlocked


def test_close_may_be_called_again(opener: Opener) -> None:
    lock = opener()
    lock.close()
    lock.close()


@pytest.mark.parametrize(
    "use", [lambda lock: lock.unlock(), lambda lock: lock.secure(), lambda lock: lock.unlocked]
)
def test_use_after_close_raises(opener: Opener, use: Callable[[DoorLock], object]) -> None:
    lock = opener()
    lock.close()
    with pytest.raises(LockError, match="after it was closed"):
        use(lock)


def test_a_line_has_one_owner(opener: Opener) -> None:
    with opener() as lock:
        lock.unlock()
        with pytest.raises(LockError, match="in use"):
            opener()
        assert lock.unlocked
    with opener() as again:
        assert not again.unlocked


def test_an_exception_in_the_block_secures_and_releases(opener: Opener) -> None:
    def fail_unlocked() -> None:
        with opener() as lock:
            lock.unlock()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_unlocked()
    with opener() as again:
        assert not again.unlocked
