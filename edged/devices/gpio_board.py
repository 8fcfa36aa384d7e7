"""GPIO chips of a board, found by what they are: a chip by label or path, a line by name or offset.

Chip numbers move between kernels and boards (a Raspberry Pi 5 has had its header on chip 4 and on chip 0), so
a chip is best named by its label, such as ``pinctrl-bcm2711``, ``pinctrl-rp1`` or ``tegra234-gpio``.
Whatever is missing or names two things is refused, with what there is instead.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

import gpiod
from gpiod.line import Value

from edged.errors import LockError

_SHOWN_NAMES = 40


class LineRequest(Protocol):
    """Lines that are ours: what is used of ``gpiod.LineRequest``."""

    def get_value(self, line: int | str) -> Value:
        """Read the line; ``ACTIVE`` and ``INACTIVE`` count the request's ``active_low`` in."""

    def set_value(self, line: int | str, value: Value) -> None:
        """Drive the line."""

    def release(self) -> None:
        """Give the lines back."""


class Chip(Protocol):
    """An open chip: what is used of ``gpiod.Chip``."""

    def get_info(self) -> gpiod.ChipInfo:
        """Return its name, label and number of lines."""

    def get_line_info(self, line: int | str) -> gpiod.LineInfo:
        """Return name, owner and direction of a line."""

    def request_lines(
        self,
        config: dict[Iterable[int | str] | int | str, gpiod.LineSettings | None],
        consumer: str | None = None,
    ) -> LineRequest:
        """Claim lines, direction and first value in one step."""

    def close(self) -> None:
        """Close the chip; requests made through it live on."""


class GpioBoard(Protocol):
    """Where chips are looked for."""

    def paths(self) -> Sequence[str]:
        """Device files of all chips, each chip once."""

    def open(self, path: str) -> Chip:
        """Open one. Raises ``OSError``."""


class LinuxBoard:
    """The machine that the program runs on."""

    def paths(self) -> Sequence[str]:
        """Return ``/dev/gpiochip*``; a link to another chip, as Raspberry Pi OS makes, is no second chip."""
        return sorted({str(path.resolve()) for path in Path("/dev").glob("gpiochip*")})

    def open(self, path: str) -> Chip:
        """Open the chip at ``path``."""
        return gpiod.Chip(path)


def board_for(chip: str) -> tuple[GpioBoard, str]:
    """Return where a configured chip is looked for, and what it is called there."""
    from edged.devices.folder_gpio import PREFIX, FolderBoard  # noqa: PLC0415 - boards have no use for it

    if chip.startswith(PREFIX):
        return FolderBoard(), str(Path(chip.removeprefix(PREFIX)).absolute())
    return LinuxBoard(), chip


def open_chip(board: GpioBoard, wanted: str) -> Chip:
    """Open the chip whose path or label is ``wanted``. Raises ``LockError``."""
    if wanted.startswith("/"):
        try:
            return board.open(wanted)
        except OSError as exc:
            raise LockError(f"GPIO chip {wanted}: {exc.strerror}; there is {_listed(board.paths())}") from exc
    found: list[tuple[str, Chip]] = []
    seen: list[str] = []
    try:
        for path in board.paths():
            _try_label(board, path, wanted, found, seen)
        if len(found) == 1:
            return found.pop()[1]
    finally:
        for _, chip in found:
            chip.close()
    if found:
        paths = _listed(path for path, _ in found)
        raise LockError(f"GPIO chip {wanted!r}: {len(found)} chips bear this label ({paths}); give the path")
    raise LockError(f"GPIO chip {wanted!r}: expected a label or a /dev path; there is {_listed(seen)}")


def find_line(chip: Chip, wanted: int | str) -> int:
    """Return the offset of the line called ``wanted``, or ``wanted`` itself if it is one.

    Raises ``LockError`` where the chip has no such line, or two of that name.
    """
    info = chip.get_info()
    where = f"GPIO chip {info.name} [{info.label}]"
    if isinstance(wanted, int):
        if 0 <= wanted < info.num_lines:
            return wanted
        raise LockError(f"{where}: expected a line offset of 0 to {info.num_lines - 1}, got {wanted}")
    names = [chip.get_line_info(offset).name for offset in range(info.num_lines)]
    offsets = [offset for offset, name in enumerate(names) if name == wanted]
    if len(offsets) == 1:
        return offsets[0]
    if offsets:
        raise LockError(
            f"{where}: lines {_listed(map(str, offsets))} are all named {wanted!r}; give the offset"
        )
    hint = "; an offset is written without quotes" if wanted.isdecimal() else ""
    raise LockError(f"{where}: no line is named {wanted!r}{hint}; there is {_listed(filter(None, names))}")


def _try_label(
    board: GpioBoard, path: str, wanted: str, found: list[tuple[str, Chip]], seen: list[str]
) -> None:
    """Open ``path``; keep the chip in ``found`` if its label fits, else note in ``seen`` what it is."""
    try:
        chip = board.open(path)
    except OSError as exc:
        seen.append(f"{path} ({exc.strerror})")
        return
    label = chip.get_info().label
    if label == wanted:
        found.append((path, chip))
        return
    seen.append(f"{path} [{label}]")
    chip.close()


def _listed(items: Iterable[str]) -> str:
    """Join names for a message: bounded, and something to read even if there are none."""
    names = list(items)
    more = f" and {len(names) - _SHOWN_NAMES} more" if len(names) > _SHOWN_NAMES else ""
    return (", ".join(names[:_SHOWN_NAMES]) or "none") + more
