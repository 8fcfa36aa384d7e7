"""GPIO chips in memory that obey the rules of the kernel and of libgpiod.

A line has one owner; a second request fails with EBUSY. A request sets direction, polarity and first value
in one step. What a released line does is set per chip: ``keep`` its level, as Raspberry Pi kernels do, or
become an ``input`` that follows its pull resistor. Every physical level is written down with its time.
"""

import errno
import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import gpiod
from gpiod.line import Direction, Value

from edged.devices.line_info import line_info

LineConfig = dict[Iterable[int | str] | int | str, gpiod.LineSettings | None]


@dataclass(frozen=True, slots=True)
class LevelSample:
    """The level of a line from ``at`` (monotonic seconds) on; True is high."""

    at: float
    offset: int
    high: bool


@dataclass
class FakeLine:
    """A pin: its name, the level that its pull resistor gives it, and its owner."""

    name: str = ""
    pulled_high: bool = False
    stuck_high: bool | None = None  # wired to a level that no output can move
    high: bool = False
    direction: Direction = Direction.INPUT
    owner: "FakeLineRequest | None" = None


@dataclass
class FakeChip:
    """One chip; it outlives the programs that open it. ``timeline`` begins with the levels at power-on."""

    label: str
    lines: list[FakeLine]
    on_release: Literal["keep", "input"] = "keep"
    name: str = "gpiochip0"
    timeline: list[LevelSample] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Let every line follow its pull."""
        for offset, line in enumerate(self.lines):
            self.drive(offset, high=line.pulled_high)

    def drive(self, offset: int, *, high: bool) -> None:
        """Put a physical level on a line and write it down."""
        line = self.lines[offset]
        line.high = high if line.stuck_high is None else line.stuck_high
        self.timeline.append(LevelSample(time.monotonic(), offset, line.high))

    def free(self, offset: int) -> None:
        """Release a line as this chip's driver does."""
        line = self.lines[offset]
        line.owner = None
        if self.on_release == "input":
            line.direction = Direction.INPUT
            self.drive(offset, high=line.pulled_high)

    def kill_owners(self) -> None:
        """Do what the kernel does when the owning programs die: release, with no last word of theirs."""
        for line in self.lines:
            if line.owner is not None:
                line.owner.release()


class FakeChipHandle:
    """An open ``FakeChip``: stands for ``gpiod.Chip``."""

    def __init__(self, chip: FakeChip) -> None:
        self._chip = chip
        self._closed = False

    def get_info(self) -> gpiod.ChipInfo:
        """Return its name, label and number of lines."""
        self._check_open()
        return gpiod.ChipInfo(self._chip.name, self._chip.label, len(self._chip.lines))

    def get_line_info(self, line: int | str) -> gpiod.LineInfo:
        """Return name, owner and direction of a line."""
        offset = self._offset(line)
        found = self._chip.lines[offset]
        owner = found.owner
        return line_info(
            offset,
            found.name,
            used=owner is not None,
            consumer="" if owner is None else owner.consumer,
            direction=found.direction,
            active_low=owner is not None and owner.active_low(offset),
        )

    def request_lines(self, config: LineConfig, consumer: str | None = None) -> "FakeLineRequest":
        """Claim lines: all of them, or none and EBUSY."""
        wanted: dict[int, gpiod.LineSettings] = {}
        for lines, settings in config.items():
            for line in [lines] if isinstance(lines, (int, str)) else lines:
                wanted[self._offset(line)] = settings or gpiod.LineSettings()
        if any(self._chip.lines[offset].owner is not None for offset in wanted):
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        return FakeLineRequest(self._chip, wanted, consumer or "?")

    def close(self) -> None:
        """Close the chip."""
        self._closed = True

    def _offset(self, line: int | str) -> int:
        self._check_open()
        if isinstance(line, int):
            if line >= len(self._chip.lines):
                raise ValueError("line offset of out range")
            return line
        for offset, known in enumerate(self._chip.lines):
            if known.name == line:
                return offset
        raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))

    def _check_open(self) -> None:
        if self._closed:
            raise gpiod.ChipClosedError


class FakeLineRequest:
    """Lines with an owner: stands for ``gpiod.LineRequest``."""

    def __init__(self, chip: FakeChip, settings: dict[int, gpiod.LineSettings], consumer: str) -> None:
        self.consumer = consumer
        self._chip = chip
        self._settings = settings
        self._released = False
        for offset, wanted in settings.items():
            chip.lines[offset].owner = self
            if wanted.direction is not Direction.AS_IS:
                chip.lines[offset].direction = wanted.direction
            if wanted.direction is Direction.OUTPUT:
                chip.drive(offset, high=self._high(offset, wanted.output_value))

    def active_low(self, offset: int) -> bool:
        """Whether ACTIVE means a low level."""
        return self._settings[offset].active_low

    def get_value(self, line: int | str) -> Value:
        """Read the physical level as this request's polarity sees it."""
        offset = self._offset(line)
        return Value.ACTIVE if self._chip.lines[offset].high != self.active_low(offset) else Value.INACTIVE

    def set_value(self, line: int | str, value: Value) -> None:
        """Drive an output; an input cannot be driven."""
        offset = self._offset(line)
        if self._chip.lines[offset].direction is not Direction.OUTPUT:
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
        self._chip.drive(offset, high=self._high(offset, value))

    def release(self) -> None:
        """Give the lines back; using them afterwards raises."""
        self._check_held()
        self._released = True
        for offset in self._settings:
            self._chip.free(offset)

    def _high(self, offset: int, value: Value) -> bool:
        return (value is Value.ACTIVE) != self.active_low(offset)

    def _offset(self, line: int | str) -> int:
        self._check_held()
        if not isinstance(line, int) or line not in self._settings:
            raise ValueError(f"unknown line name: {line}")
        return line

    def _check_held(self) -> None:
        if self._released:
            raise gpiod.RequestReleasedError


class FakeBoard:
    """A machine with ``chips`` by device path; a chip that is an ``OSError`` cannot be opened."""

    def __init__(self, chips: dict[str, FakeChip | OSError]) -> None:
        self._chips = chips
        self.handles: list[FakeChipHandle] = []

    def paths(self) -> Sequence[str]:
        """Return the device paths."""
        return sorted(self._chips)

    def open(self, path: str) -> FakeChipHandle:
        """Open a chip, or raise as opening a device file would."""
        if path not in self._chips:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        chip = self._chips[path]
        if isinstance(chip, OSError):
            raise chip
        handle = FakeChipHandle(chip)
        self.handles.append(handle)
        return handle
