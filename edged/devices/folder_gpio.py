"""A GPIO chip that is a folder: for doors without hardware, and for tests of whole processes.

``chip: folder:/some/where`` names it, for the lock and for every other line. It obeys the kernel's rules as
``fake_gpio`` does, between processes: a line has one owner, and a second claim fails with EBUSY; direction,
polarity and first value are set in one step; the level of a line whose owner dies stays, as with Raspberry Pi
kernels. The world outside is played by whoever writes "0", "1", "" (floating: the pull decides) or "!" (an
expander that does not answer: the line cannot be read) to the file ``line-N``. Each level that an output is
driven to is appended to ``timeline.jsonl``.
"""

import errno
import fcntl
import json
import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import gpiod
from gpiod.line import Bias, Direction, Value

from edged.devices.line_info import line_info

PREFIX = "folder:"
LINES = 32

LineConfig = dict[Iterable[int | str] | int | str, gpiod.LineSettings | None]


class FolderBoard:
    """A machine whose chips are folders; see ``gpio_board.GpioBoard``."""

    def paths(self) -> Sequence[str]:
        """Return nothing: such a chip is named, never found."""
        return ()

    def open(self, path: str) -> "FolderChip":
        """Open the chip in the folder ``path``. Raises ``OSError``."""
        return FolderChip(Path(path))


class FolderChip:
    """Stands for ``gpiod.Chip``."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder

    def get_info(self) -> gpiod.ChipInfo:
        """Return its name, label and number of lines."""
        return gpiod.ChipInfo(self._folder.name, self._folder.name, LINES)

    def get_line_info(self, line: int | str) -> gpiod.LineInfo:
        """Return what is known of a line; its name is ``GPIO`` and its offset."""
        offset = _offset(line)
        # Whose a line is cannot be told without claiming it.
        return line_info(
            offset, f"GPIO{offset}", used=False, consumer="another process", direction=Direction.INPUT
        )

    def request_lines(self, config: LineConfig, consumer: str | None = None) -> "FolderRequest":
        """Claim lines: all of them, or none and EBUSY."""
        del consumer
        wanted = {
            _offset(line): settings or gpiod.LineSettings()
            for lines, settings in config.items()
            for line in ([lines] if isinstance(lines, (int, str)) else lines)
        }
        return FolderRequest(self._folder, wanted)

    def close(self) -> None:
        """Close the chip; requests live on."""


class FolderRequest:
    """Lines with an owner: stands for ``gpiod.LineRequest``."""

    def __init__(self, folder: Path, settings: dict[int, gpiod.LineSettings]) -> None:
        self._folder = folder
        self._settings = settings
        self._files: dict[int, int] = {}
        try:
            for offset in settings:
                self._files[offset] = _claim(folder, offset)
        except OSError:
            self.release()
            raise
        for offset, wanted in settings.items():
            if wanted.direction is Direction.OUTPUT:
                self._drive(offset, wanted.output_value)

    def get_value(self, line: int | str) -> Value:
        """Read the physical level as this request's polarity sees it."""
        offset = self._held(line)
        level = os.pread(self._files[offset], 1, 0)
        if level == b"!":
            raise OSError(errno.EREMOTEIO, os.strerror(errno.EREMOTEIO))
        high = level == b"1" or (not level and self._settings[offset].bias is Bias.PULL_UP)
        return Value.ACTIVE if high != self._settings[offset].active_low else Value.INACTIVE

    def set_value(self, line: int | str, value: Value) -> None:
        """Drive an output; an input cannot be driven."""
        offset = self._held(line)
        if self._settings[offset].direction is not Direction.OUTPUT:
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
        self._drive(offset, value)

    def release(self) -> None:
        """Give the lines back; their levels stay."""
        while self._files:
            os.close(self._files.popitem()[1])

    def _drive(self, offset: int, value: Value) -> None:
        high = (value is Value.ACTIVE) != self._settings[offset].active_low
        os.pwrite(self._files[offset], b"1" if high else b"0", 0)
        sample = json.dumps({"at": time.monotonic(), "line": offset, "high": high})
        with (self._folder / "timeline.jsonl").open("ab", buffering=0) as timeline:
            timeline.write(sample.encode() + b"\n")

    def _held(self, line: int | str) -> int:
        if not isinstance(line, int) or line not in self._files:
            raise ValueError(f"unknown line name: {line}")
        return line


def _offset(line: int | str) -> int:
    text = str(line).removeprefix("GPIO")
    if not text.isdecimal() or int(text) >= LINES:
        raise ValueError("line offset of out range")
    return int(text)


def _claim(folder: Path, offset: int) -> int:
    descriptor = os.open(folder / f"line-{offset}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as exc:
        os.close(descriptor)
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY)) from exc
    return descriptor
