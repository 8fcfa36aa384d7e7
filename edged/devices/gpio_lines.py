"""The lines of a door beside its lock: switches that are read, lamps that are driven.

Direction, pull and polarity go to the kernel in one request, as with the lock (``lock_gpiod``).
"""

from collections.abc import Mapping

import gpiod
from gpiod.line import Bias, Direction, Value

from edged.config.door_lines import InputConfig, InputsConfig, LineConfig, SignalsConfig
from edged.devices.gpio_board import GpioBoard, LineRequest, board_for, find_line, open_chip
from edged.errors import LockError

_BIASES = {"up": Bias.PULL_UP, "down": Bias.PULL_DOWN, "none": Bias.DISABLED}


class Switches:
    """The configured inputs, by name; claimed until ``close``. Raises ``LockError`` if one is missing."""

    def __init__(self, config: InputsConfig, board: GpioBoard | None = None) -> None:
        self._lines: dict[str, _Line] = {}
        try:
            for name, wired in _wired(config).items():
                pull = wired.pull if isinstance(wired, InputConfig) else "none"
                settings = gpiod.LineSettings(
                    direction=Direction.INPUT, active_low=wired.active == "low", bias=_BIASES[pull]
                )
                self._lines[name] = _Line(f"door.inputs.{name}", wired, settings, board)
        except LockError:
            self.close()
            raise

    @property
    def names(self) -> tuple[str, ...]:
        """Which there are."""
        return tuple(self._lines)

    def active(self, name: str) -> bool:
        """Whether the line stands at its active level now. Raises ``LockError``."""
        return self._lines[name].read()

    def close(self) -> None:
        """Give the lines back."""
        while self._lines:
            self._lines.popitem()[1].close()


class Lamps:
    """The configured outputs, by name, dark at first; claimed until ``close``, which leaves them dark."""

    def __init__(self, config: SignalsConfig, board: GpioBoard | None = None) -> None:
        self._lines: dict[str, _Line] = {}
        self._lit: set[str] = set()
        try:
            for name, wired in _wired(config).items():
                settings = gpiod.LineSettings(
                    direction=Direction.OUTPUT, active_low=wired.active == "low", output_value=Value.INACTIVE
                )
                self._lines[name] = _Line(f"door.signals.{name}", wired, settings, board)
        except LockError:
            self.close()
            raise

    def light(self, wanted: set[str]) -> None:
        """Light the lamps of ``wanted`` that there are, and no others. Raises ``LockError``."""
        for name in (wanted ^ self._lit) & self._lines.keys():
            self._lines[name].drive(active=name in wanted)
            self._lit ^= {name}

    def close(self) -> None:
        """Put all out and give the lines back."""
        while self._lines:
            _, line = self._lines.popitem()
            try:
                line.drive(active=False)
            finally:
                line.close()


class _Line:
    """One claimed line."""

    def __init__(
        self, where: str, config: LineConfig, settings: gpiod.LineSettings, board: GpioBoard | None
    ) -> None:
        self._name = f"{where}: GPIO chip {config.chip} line {config.line}"
        found, wanted = board_for(config.chip)
        chip = open_chip(board or found, wanted)
        try:
            self._offset = find_line(chip, config.line)
            self._request: LineRequest = chip.request_lines({self._offset: settings}, consumer="edged")
        except LockError:
            raise
        except OSError as exc:
            raise LockError(f"{self._name}: cannot be claimed: {exc.strerror}") from exc
        finally:
            chip.close()

    def read(self) -> bool:
        try:
            return self._request.get_value(self._offset) is Value.ACTIVE
        except OSError as exc:
            raise LockError(f"{self._name}: cannot be read: {exc.strerror}") from exc

    def drive(self, *, active: bool) -> None:
        try:
            self._request.set_value(self._offset, Value.ACTIVE if active else Value.INACTIVE)
        except OSError as exc:
            raise LockError(f"{self._name}: cannot be driven: {exc.strerror}") from exc

    def close(self) -> None:
        self._request.release()


def _wired(config: InputsConfig | SignalsConfig) -> Mapping[str, LineConfig]:
    lines = {name: getattr(config, name) for name in config.__struct_fields__}
    return {name: line for name, line in lines.items() if isinstance(line, LineConfig)}
