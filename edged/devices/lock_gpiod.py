"""The lock on a line of a GPIO chip, through libgpiod: Raspberry Pi and Jetson alike.

Direction, polarity and first value go to the kernel in one request, so the line is never seen at
another level, whatever its polarity. The kernel gives a line to one owner at a time.
"""

import errno

import gpiod
from gpiod.line import Direction, Value

from edged.config.sections import GpiodLockConfig
from edged.devices.gpio_board import Chip, GpioBoard, LineRequest, board_for, find_line, open_chip
from edged.devices.lock import ClaimedLock, confirm_secure
from edged.errors import LockError

CONSUMER = "edged"


class GpiodLock(ClaimedLock):
    """A ``DoorLock``. ``board`` is where chips are looked for.

    ``released``: the first level is the unlocked one, for a door that a fire has opened.
    """

    def __init__(
        self, config: GpiodLockConfig, board: GpioBoard | None = None, *, released: bool = False
    ) -> None:
        # The request knows the polarity, so ACTIVE means "relay energised" from here on.
        energised_unlocks = config.power == "fail_secure"
        self._secure_value = Value.INACTIVE if energised_unlocks else Value.ACTIVE
        self._unlocked_value = Value.ACTIVE if energised_unlocks else Value.INACTIVE
        self._name = f"GPIO chip {config.chip} line {config.line}"
        first = self._unlocked_value if released else self._secure_value
        self._offset, self._request = self._claim(config, board, first)
        if released:
            return
        try:
            confirm_secure(self)
        except LockError:
            self._release()
            raise

    @property
    def name(self) -> str:
        """Chip, line and offset."""
        return self._name

    @property
    def unlocked(self) -> bool:
        """Whether the pin reads its unlocked level."""
        self._check_open()
        try:
            return self._request.get_value(self._offset) is self._unlocked_value
        except OSError as exc:
            raise LockError(f"{self._name}: cannot be read: {exc.strerror}") from exc

    def unlock(self) -> None:
        """Drive the line to its unlocked level."""
        self._drive(self._unlocked_value)

    def secure(self) -> None:
        """Drive the line to its secure level and read it back."""
        self._drive(self._secure_value)
        confirm_secure(self)

    def _claim(
        self, config: GpiodLockConfig, board: GpioBoard | None, first: Value
    ) -> tuple[int, LineRequest]:
        found, wanted = board_for(config.chip)
        chip = open_chip(board or found, wanted)
        settings = gpiod.LineSettings(
            direction=Direction.OUTPUT,
            active_low=config.active == "low",
            output_value=first,
        )
        try:
            offset = find_line(chip, config.line)
            self._name = f"GPIO chip {config.chip} line {config.line} (offset {offset})"
            return offset, chip.request_lines({offset: settings}, consumer=CONSUMER)
        except LockError:
            raise
        except OSError as exc:
            raise LockError(f"{self._name}: cannot be claimed: {_why(chip, config.line, exc)}") from exc
        finally:
            chip.close()  # the request lives on without it

    def _drive(self, value: Value) -> None:
        self._check_open()
        try:
            self._request.set_value(self._offset, value)
        except OSError as exc:
            raise LockError(f"{self._name}: cannot be driven: {exc.strerror}") from exc

    def _release(self) -> None:
        self._closed = True
        self._request.release()


def _why(chip: Chip, line: int | str, exc: OSError) -> str:
    if exc.errno == errno.EBUSY:
        return f"in use by {chip.get_line_info(line).consumer!r}; a lock needs a line of its own"
    return str(exc.strerror)
