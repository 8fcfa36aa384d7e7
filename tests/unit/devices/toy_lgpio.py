"""A module in the place of ``lgpio``, with its rules, that writes down every level of every line.

An output starts at the level given to the claim, low by default; a claimed input floats.
"""

import types


class ToyError(Exception):
    """Stands for ``lgpio.error``, which derives from nothing else either."""


class ToyLgpio(types.ModuleType):
    error = ToyError
    SET_PULL_NONE, SET_PULL_UP, SET_PULL_DOWN = 0, 1, 2
    RISING_EDGE, FALLING_EDGE, BOTH_EDGES = 1, 2, 3

    def __init__(self) -> None:
        super().__init__("lgpio")
        self.outputs: dict[int, bool] = {}
        self.levels: list[str] = []
        self.busy = False
        self.broken = False
        self.chips_open = 0

    def gpiochip_open(self, chip: int) -> int:
        self.chips_open += 1
        return chip

    def gpiochip_close(self, handle: int) -> int:
        self.chips_open -= 1
        return 0

    def gpio_claim_input(self, handle: int, gpio: int, flags: int = 0) -> int:
        if self.busy:
            raise ToyError("GPIO busy")
        self.outputs.pop(gpio, None)
        self.levels.append("floating")
        return 0

    def gpio_claim_output(self, handle: int, gpio: int, level: int = 0, flags: int = 0) -> int:
        self._drive(gpio, bool(level))
        return 0

    def gpio_write(self, handle: int, gpio: int, level: int) -> int:
        if self.broken:
            raise ToyError("bad write")
        self._drive(gpio, bool(level))
        return 0

    def gpio_read(self, handle: int, gpio: int) -> int:
        if self.broken:
            raise ToyError("bad read")
        return int(self.outputs.get(gpio, False))

    def gpio_get_mode(self, handle: int, gpio: int) -> int:
        return (1 << 1) if gpio in self.outputs else 0

    def _drive(self, gpio: int, level: bool) -> None:
        self.outputs[gpio] = level
        self.levels.append("high" if level else "low")
