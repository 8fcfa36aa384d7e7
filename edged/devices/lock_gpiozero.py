"""The lock on a BCM pin of a Raspberry Pi, through gpiozero and lgpio.

gpiozero makes a pin an output first and writes its value second, and lgpio starts an output LOW. So the one
lock that this driver can claim without a moment at the wrong level is one whose secure level is low and
which a floating pin does not unlock: an active-high relay of a fail-secure lock. An active-low relay would
unlock a strike at every start, and a fail-safe magnet on an active-high relay would let go; both are refused.
The gpiod driver serves them.

gpiozero looks for another back end where one is missing. Here there is one, and its absence is an error.
"""

from typing import Any

import gpiozero

from edged.config.sections import GpiozeroLockConfig
from edged.devices.lock import ClaimedLock, confirm_secure
from edged.errors import LockError

_INSTEAD = "use driver: gpiod, which sets direction and level in one step"


class GpiozeroLock(ClaimedLock):
    """A ``DoorLock``. ``pin_factory`` is gpiozero's; without one it is lgpio's, opened and closed here."""

    def __init__(self, config: GpiozeroLockConfig, pin_factory: gpiozero.pins.Factory | None = None) -> None:
        self._name = f"GPIO pin {config.pin} (gpiozero)"
        self._check_wiring(config)
        self._owns_factory = pin_factory is None
        self._factory: Any = pin_factory or _open_lgpio(self._name)
        own_errors = _lgpio_errors() if self._owns_factory else ()
        self._faults = (gpiozero.GPIOZeroError, OSError, *own_errors)
        try:
            self._check_pull(config)
            self._device: Any = gpiozero.OutputDevice(
                config.pin, active_high=True, initial_value=False, pin_factory=self._factory
            )
        except LockError:
            self._close_factory()
            raise
        except self._faults as exc:
            self._close_factory()
            raise LockError(f"{self._name}: cannot be claimed: {exc}") from exc
        try:
            confirm_secure(self)
        except LockError:
            self._release()
            raise

    @property
    def name(self) -> str:
        """The pin and the library."""
        return self._name

    @property
    def unlocked(self) -> bool:
        """Whether the pin reads high."""
        self._check_open()
        try:
            return bool(self._device.value)
        except self._faults as exc:
            raise LockError(f"{self._name}: cannot be read: {exc}") from exc

    def unlock(self) -> None:
        """Drive the pin high."""
        self._drive(unlocked=True)

    def secure(self) -> None:
        """Drive the pin low and read it back."""
        self._drive(unlocked=False)
        confirm_secure(self)

    def _check_wiring(self, config: GpiozeroLockConfig) -> None:
        if config.active == "low":
            raise LockError(
                f"{self._name}: active: low is refused, since the pin is driven low before its first value "
                f"and the relay would be energised at every start; {_INSTEAD}"
            )
        if config.power == "fail_safe":
            raise LockError(
                f"{self._name}: power: fail_safe is refused, since the pin is driven low before its first "
                f"value and the lock would let go at every start; {_INSTEAD}"
            )

    def _check_pull(self, config: GpiozeroLockConfig) -> None:
        for _header, pin in self._factory.board_info.find_pin(config.pin):
            if pin.pull == "up":
                raise LockError(
                    f"{self._name}: the board pulls this pin up, so an active-high relay is on whenever the "
                    "program does not run; choose GPIO 9 to 27, which start pulled down"
                )

    def _drive(self, *, unlocked: bool) -> None:
        self._check_open()
        try:
            self._device.value = unlocked
        except self._faults as exc:
            raise LockError(f"{self._name}: cannot be driven: {exc}") from exc

    def _release(self) -> None:
        self._closed = True
        try:
            self._device.close()  # which would not drive the pin low by itself
        except self._faults as exc:
            raise LockError(f"{self._name}: cannot be released: {exc}") from exc
        finally:
            self._close_factory()

    def _close_factory(self) -> None:
        if self._owns_factory:
            self._factory.close()


def _open_lgpio(name: str) -> Any:
    try:
        from gpiozero.pins.lgpio import LGPIOFactory  # noqa: PLC0415 - importing lgpio starts its thread
    except ImportError as exc:
        raise LockError(f"{name}: expected the lgpio library (pip install 'edged[pi]'): {exc}") from exc
    except OSError as exc:
        # lgpio makes a named pipe in the working directory as soon as it is imported.
        raise LockError(f"{name}: lgpio needs a writable directory, see its variable LG_WD: {exc}") from exc
    try:
        return LGPIOFactory()
    except (gpiozero.GPIOZeroError, OSError, *_lgpio_errors()) as exc:
        raise LockError(f"{name}: expected a Raspberry Pi with lgpio: {exc}; elsewhere {_INSTEAD}") from exc


def _lgpio_errors() -> tuple[type[Exception], ...]:
    """Return lgpio's own exception, if lgpio is installed; it derives from nothing but ``Exception``."""
    try:
        import lgpio  # noqa: PLC0415 - optional, and importing it starts its thread
    except (ImportError, OSError):
        return ()
    return (lgpio.error,)
