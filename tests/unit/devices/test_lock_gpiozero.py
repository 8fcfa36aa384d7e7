import sys
from typing import Any

import gpiozero
import pytest
from gpiozero.pins.mock import MockFactory, MockPin

from edged.config.sections import GpiozeroLockConfig
from edged.devices.lock import Level, Power
from edged.devices.lock_gpiozero import GpiozeroLock
from edged.errors import LockError
from tests.unit.devices.toy_lgpio import ToyLgpio


class LgpioLikePin(MockPin):  # type: ignore[misc]
    """A mock pin that begins an output low and ends as a floating input, as lgpio's does."""

    def _set_function(self, value: str) -> None:
        super()._set_function(value)
        if value == "output":
            self._change_state(False)

    def close(self) -> None:
        super().close()
        self._pull = "floating"


def config(pin: int | str = 17, active: Level = "high", power: Power = "fail_secure") -> GpiozeroLockConfig:
    return GpiozeroLockConfig(pin=pin, active=active, power=power)


def factory() -> Any:
    return MockFactory(pin_class=LgpioLikePin)


def states(pins: Any) -> list[bool]:
    return [sample.state for sample in pins.pin(17).states]


def test_a_hundred_starts_and_stops_never_raise_the_line() -> None:
    pins = factory()
    for _ in range(100):
        GpiozeroLock(config(), pins).close()
    assert states(pins) == [False]


def test_a_pulse_is_one_change_there_and_one_back() -> None:
    pins = factory()
    with GpiozeroLock(config(), pins) as lock:
        lock.unlock()
        lock.secure()
    pins.pin(17).assert_states([False, True, False])
    assert states(pins) == [False, True, False]


def test_close_drives_low_before_the_pin_becomes_an_input() -> None:
    pins = factory()
    lock = GpiozeroLock(config(), pins)
    lock.unlock()
    lock.close()
    assert states(pins) == [False, True, False]
    assert pins.pin(17).function == "input"


def test_the_blip_that_the_refusals_are_about_is_real() -> None:
    pins = factory()
    pins.pin(17).drive_high()  # where a pull-up keeps an active-low relay off
    gpiozero.OutputDevice(17, active_high=False, initial_value=False, pin_factory=pins).close()
    assert states(pins) == [False, True, False, True]


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        (config(active="low"), "active: low is refused, since the pin is driven low"),
        (config(active="low", power="fail_safe"), "active: low is refused"),
        (config(power="fail_safe"), "power: fail_safe is refused, .* the lock would let go"),
    ],
)
def test_wirings_that_the_library_cannot_claim_securely_are_refused(
    wanted: GpiozeroLockConfig, reason: str
) -> None:
    pins = factory()
    with pytest.raises(LockError, match=f"{reason}.*; use driver: gpiod"):
        GpiozeroLock(wanted, pins)
    assert states(pins) == [False]


def test_a_pin_with_a_pull_up_on_the_board_is_refused() -> None:
    with pytest.raises(LockError, match="the board pulls this pin up"):
        GpiozeroLock(config(pin=2), factory())


def test_a_pin_that_the_board_lacks_is_refused() -> None:
    with pytest.raises(LockError, match=r"GPIO pin 99 \(gpiozero\): cannot be claimed: 99"):
        GpiozeroLock(config(pin=99), factory())


def test_a_pin_that_cannot_be_driven_raises() -> None:
    pins = factory()
    with GpiozeroLock(config(), pins) as lock:
        pins.pin(17).function = "input"
        with pytest.raises(LockError, match="cannot be driven"):
            lock.unlock()
        pins.pin(17).function = "output"


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> ToyLgpio:
    """Stand in for lgpio beneath gpiozero's own back end, on what looks like a Raspberry Pi 4."""
    module = ToyLgpio()
    monkeypatch.setitem(sys.modules, "lgpio", module)
    monkeypatch.delitem(sys.modules, "gpiozero.pins.lgpio", raising=False)
    monkeypatch.setattr("gpiozero.pins.local.get_pi_revision", lambda: 0xC03111)
    return module


def test_the_real_back_end_never_drives_high_unless_unlocked(toy: ToyLgpio) -> None:
    with GpiozeroLock(config()) as lock:
        assert set(toy.levels) == {"floating", "low"}
        lock.unlock()
        assert toy.levels[-1] == "high"
        lock.secure()
        assert toy.levels[-1] == "low"
        lock.unlock()
    after = toy.levels[toy.levels.index("high") + 1 :]
    assert after[after.index("high") + 1 :] == ["low", "floating", "floating"]
    assert toy.chips_open == 0


def test_a_pin_held_by_another_program_is_a_lock_error(toy: ToyLgpio) -> None:
    toy.busy = True
    with pytest.raises(LockError, match=r"GPIO pin 17 \(gpiozero\): cannot be claimed: GPIO busy"):
        GpiozeroLock(config())
    assert toy.chips_open == 0


def test_a_back_end_that_stops_working_is_a_lock_error(toy: ToyLgpio) -> None:
    lock = GpiozeroLock(config())
    toy.broken = True
    with pytest.raises(LockError, match="cannot be driven: bad write"):
        lock.unlock()
    with pytest.raises(LockError, match="cannot be read: bad read"):
        _ = lock.unlocked
    with pytest.raises(LockError, match="cannot be driven: bad write"):
        lock.close()
    assert toy.chips_open == 0
    lock.close()


def test_off_a_raspberry_pi_the_other_driver_is_named(toy: ToyLgpio, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown() -> int:
        raise gpiozero.PinUnknownPi("no revision")

    monkeypatch.setattr("gpiozero.pins.local.get_pi_revision", unknown)
    with pytest.raises(
        LockError, match="expected a Raspberry Pi with lgpio: no revision; elsewhere use driver: gpiod"
    ):
        GpiozeroLock(config())


def test_without_its_back_end_it_fails_and_takes_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lgpio", None)
    monkeypatch.delitem(sys.modules, "gpiozero.pins.lgpio", raising=False)
    with pytest.raises(LockError, match=r"GPIO pin 17 \(gpiozero\): expected the lgpio library"):
        GpiozeroLock(config())
