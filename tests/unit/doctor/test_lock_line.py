"""What becomes of the lock's line without its owner: at power-on, and after a crash."""

import pytest

from edged.doctor.finding import State
from edged.doctor.lock_line import boot_pull, persistence
from tests.unit.doctor.conftest import Site, strike, with_lock

BCM = "sys/module/pinctrl_bcm2835/parameters/persist_gpio_outputs"
RP1 = "sys/module/pinctrl_rp1/parameters/persist_gpio_outputs"
MODEL = "proc/device-tree/model"


@pytest.mark.parametrize(("told", "state"), [("Y", State.FAILED), ("N", State.OK), ("", State.FAILED)])
def test_a_kernel_that_keeps_the_unlocked_level_fails(site: Site, told: str, state: State) -> None:
    site.kernel(BCM, told)
    found = persistence(site.patient(**with_lock(strike())))
    assert found.state is state
    if state is State.FAILED:
        assert "dtparam=strict_gpiod" in found.detail


@pytest.mark.parametrize(
    ("lock", "model", "state"),
    [
        (strike(chip="pinctrl-rp1"), "Raspberry Pi 5 Model B Rev 1.0", State.OK),
        (strike(chip="/dev/gpiochip0"), "Raspberry Pi 5 Model B Rev 1.0", State.OK),
        (strike(chip="/dev/gpiochip0"), "Raspberry Pi 4 Model B Rev 1.4", State.FAILED),
        (strike(chip="/dev/gpiochip0"), "NVIDIA Jetson Orin Nano", State.FAILED),
    ],
)
def test_only_the_driver_of_the_chip_in_use_counts(
    site: Site, lock: dict[str, str], model: str, state: State
) -> None:
    """One kernel holds the drivers of all boards, each with its own parameter."""
    site.kernel(BCM, "Y")
    site.kernel(RP1, "N")
    site.kernel(MODEL, f"{model}\0")
    assert persistence(site.patient(**with_lock(lock))).state is state


def test_what_the_kernel_does_not_say_has_to_be_measured(site: Site) -> None:
    assert persistence(site.patient()).state is State.NOT_APPLICABLE
    unknown = persistence(site.patient(**with_lock(strike(chip="tegra234-gpio"))))
    assert unknown.state is State.WARNING
    assert "docs/board-check.md" in unknown.detail
    button = {"exit": {"chip": "pinctrl-bcm2711", "line": "GPIO23", "active": "low"}}
    assert persistence(site.patient(**with_lock({"driver": "fake"}, inputs=button))).state is State.WARNING


@pytest.mark.parametrize(
    ("line", "active", "power", "state"),
    [
        ("GPIO17", "high", "fail_secure", State.OK),
        ("GPIO17", "low", "fail_secure", State.FAILED),
        ("GPIO5", "high", "fail_secure", State.FAILED),
        ("GPIO5", "low", "fail_secure", State.OK),
        (8, "high", "fail_secure", State.FAILED),
        (9, "high", "fail_secure", State.OK),
        ("GPIO17", "low", "fail_safe", State.OK),
        ("GPIO17", "high", "fail_safe", State.WARNING),
        ("GPIO14", "high", "fail_secure", State.WARNING),
        (1, "low", "fail_secure", State.WARNING),
        ("SPI_MOSI", "high", "fail_secure", State.WARNING),
        ("GPIO45", "high", "fail_secure", State.WARNING),
    ],
)
def test_the_pull_at_power_on_must_leave_the_door_locked(
    site: Site, line: str | int, active: str, power: str, state: State
) -> None:
    found = boot_pull(site.patient(**with_lock(strike(line, active=active, power=power))))
    assert found.state is state


def test_gpiozero_pins_are_bcm_numbers_and_other_boards_are_not_known(site: Site) -> None:
    site.kernel(MODEL, "Raspberry Pi 4 Model B Rev 1.4\0")
    zero = {"driver": "gpiozero", "pin": 5, "active": "high", "power": "fail_secure"}
    assert boot_pull(site.patient(**with_lock(zero))).state is State.FAILED
    assert boot_pull(site.patient(**with_lock(zero | {"pin": "BOARD11"}))).state is State.WARNING
    assert boot_pull(site.patient(**with_lock(strike(5, chip="tegra234-gpio")))).state is State.WARNING
    assert boot_pull(site.patient()).state is State.NOT_APPLICABLE
