"""The lock's line, as far as the board has a say in it: what becomes of it without its owner.

The header of a Raspberry Pi is known: from power-on until a program claims them, BCM 0 to 8 are pulled up
and 9 to 27 down (BCM2711 ARM Peripherals, table of alternative functions). RP1 is taken to do
the same; docs/board-check.md has the measurement that shows it.
"""

import re
from dataclasses import dataclass

from edged.config.door_lines import wired_lines
from edged.config.sections import Config, FakeLockConfig, GpiodLockConfig, GpiozeroLockConfig
from edged.doctor.finding import Finding, State
from edged.doctor.machine import Machine
from edged.doctor.patient import Patient

_NAME = re.compile(r"(?:GPIO|BCM)?_?(\d{1,2})", re.IGNORECASE)
_LAST_PULLED_UP, _LAST_ON_HEADER = 8, 27
# What the board itself does to a line while it starts, whatever its pull (raspberrypi.com: HAT specification,
# config.txt enable_uart and uart_2ndstage). A transmitter that is idle drives its line high.
_DRIVEN = {
    0: "the firmware asks it for a HAT",
    1: "the firmware asks it for a HAT",
    14: "a serial console talks on it",
}
# The modules of Raspberry Pi's kernels by the chips that they drive; both are built into one kernel, and
# only that of the chip in use matters.
_RP1, _BCM = "pinctrl_rp1", "pinctrl_bcm2835"
_PERSIST = "sys/module/pinctrl_*/parameters/persist_gpio_outputs"
_WITH_RP1 = re.compile(r"Raspberry Pi (5|500|Compute Module 5)\b")
_MEND = (
    "add dtparam=strict_gpiod to /boot/firmware/config.txt, restart, and fit a relay with a timer of its own"
)


def persistence(patient: Patient) -> Finding:
    """Look whether the kernel keeps the level of a line whose owner died: then a pulse might not end."""
    if not has_wires(patient.config):
        return Finding(State.NOT_APPLICABLE, "no line of this machine is used")
    wanted = _driver_of(patient.config, patient.machine)
    said = {
        path.parts[-3]: (path.read_text("ascii", "replace").strip() if path.is_file() else "")
        for path in patient.machine.glob(_PERSIST)
    }
    facts: dict[str, object] = {"persist_gpio_outputs": said}
    judged = {wanted: said[wanted]} if wanted in said else said
    keeping = sorted(name for name, value in judged.items() if value not in ("N", "0"))
    if keeping:
        detail = (
            f"{', '.join(keeping)} keeps a line's level when its owner dies, the unlocked one too: {_MEND}"
        )
        return Finding(State.FAILED, detail, facts)
    if judged:
        return Finding(State.OK, f"{', '.join(sorted(judged))} lets a line go when its owner dies", facts)
    if patient.machine.raspberry_pi:
        detail = f"the kernel does not say whether a line keeps its level when its owner dies: {_MEND}"
        return Finding(State.WARNING, detail, facts)
    detail = (
        "this kernel does not say what becomes of a line whose owner dies: measure it, docs/board-check.md"
    )
    return Finding(State.WARNING, detail, facts)


def boot_pull(patient: Patient) -> Finding:
    """Look where the board pulls the lock's line before a program has it: there the door must be locked."""
    lock = patient.config.door.lock
    if isinstance(lock, FakeLockConfig):
        return Finding(State.NOT_APPLICABLE, "the lock has no line")
    pin = _pin_of(lock, patient.machine)
    if pin is None:
        detail = (
            "what this line does at power-on is not known: watch the relay with a meter while the power "
            "comes back (docs/board-check.md)"
        )
        return Finding(State.WARNING, detail)
    pulled = "high" if pin <= _LAST_PULLED_UP else "low"
    return _judged(pin, pulled, lock)


def _judged(pin: int, pulled: str, lock: GpiodLockConfig | GpiozeroLockConfig) -> Finding:
    energised = pulled == lock.active
    facts: dict[str, object] = {"bcm": pin, "boot_pull": pulled, "active": lock.active, "power": lock.power}
    what = f"BCM {pin} is pulled {pulled} at power-on"
    if energised and lock.power == "fail_secure":
        other = "9 to 27" if pulled == "high" else "2 to 8"
        detail = (
            f"{what}, which energises the relay and opens the door at every start: take one of BCM {other}; "
            "where a resistor outweighs the pull, measure it and --skip boot-pull"
        )
        return Finding(State.FAILED, detail, facts)
    if lock.power == "fail_safe" and not energised:
        detail = (
            f"{what}, so the magnet lets go from power-on until the door process runs: take a pin that is "
            "pulled to the level of active, or know that this door is open for that long"
        )
        return Finding(State.WARNING, detail, facts)
    if pin in _DRIVEN:
        detail = f"{what}, but while the board starts {_DRIVEN[pin]}: take another pin"
        return Finding(State.WARNING, detail, facts)
    return Finding(State.OK, f"{what}: the door stays locked", facts)


@dataclass(frozen=True, slots=True)
class _Where:
    """Chip and line of a lock; a chip is a label or a path."""

    chip: str
    line: str | int


def has_wires(config: Config) -> bool:
    """Whether the door has any line of a GPIO chip."""
    return not isinstance(config.door.lock, FakeLockConfig) or bool(
        wired_lines(config.door.inputs, config.door.signals)
    )


def _where(lock: GpiodLockConfig | GpiozeroLockConfig) -> _Where:
    if isinstance(lock, GpiodLockConfig):
        return _Where(lock.chip, lock.line)
    return _Where("", lock.pin)


def _driver_of(config: Config, machine: Machine) -> str | None:
    """Return the kernel module of the lock's chip, None where it is not known."""
    lock = config.door.lock
    label = lock.chip if isinstance(lock, GpiodLockConfig) else ""
    if label.startswith("pinctrl-rp1"):
        return _RP1
    if label.startswith("pinctrl-bcm2"):
        return _BCM
    if machine.raspberry_pi:
        return _RP1 if _WITH_RP1.match(machine.model) else _BCM
    return None


def _pin_of(lock: GpiodLockConfig | GpiozeroLockConfig, machine: Machine) -> int | None:
    """Return the BCM number on a Raspberry Pi's header, None where it cannot be told."""
    where = _where(lock)
    if where.chip and not where.chip.startswith(("pinctrl-bcm2", "pinctrl-rp1")):
        return None
    if not where.chip and machine.model and not machine.raspberry_pi:
        return None
    name = _NAME.fullmatch(str(where.line))
    pin = None if name is None else int(name[1])
    return pin if pin is not None and pin <= _LAST_ON_HEADER else None
