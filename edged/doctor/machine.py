"""The board as its kernel tells of it: the files below ``/sys``, ``/proc`` and ``/etc``."""

import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from edged.devices.board import Board
from edged.devices.clock import Clock

_MOST_BYTES = 1 << 20
# The firmware answers in milliseconds; one that hangs must not hold up the other checks.
_COMMAND_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Account:
    """One line of ``/etc/passwd``."""

    name: str
    uid: int
    gid: int


class Machine:
    """Reads below ``root``; what is not there is None or empty, never an error.

    ``/proc`` and ``/sys`` come from there too, so that a test lays out a tree of a board's own files.
    """

    def __init__(self, root: Path = Path("/"), clock: Clock | None = None) -> None:
        self.root = root
        self.board = Board(root)
        self.clock = clock or Clock()

    def text(self, name: str) -> str | None:
        """Return the stripped text of a file such as ``proc/locks``; None where there is none."""
        return read_text(self.root / name)

    def glob(self, pattern: str) -> list[Path]:
        """Return the files of ``pattern``, sorted."""
        return sorted(self.root.glob(pattern))

    @cached_property
    def model(self) -> str:
        """The board's own name, such as ``Raspberry Pi 5 Model B Rev 1.0``; "" where it has none."""
        return (self.text("proc/device-tree/model") or "").rstrip("\0").strip()

    @property
    def raspberry_pi(self) -> bool:
        """Whether it is one, a compute module included."""
        return self.model.startswith("Raspberry Pi")

    def account(self, name: str) -> Account | None:
        """Return the local account of that name."""
        for fields in _records(self.text("etc/passwd"), 7):
            if fields[0] == name and fields[2].isdecimal() and fields[3].isdecimal():
                return Account(name, int(fields[2]), int(fields[3]))
        return None

    def group_members(self, name: str) -> set[str] | None:
        """Return the accounts in a local group, those whose own group it is included; None without it."""
        for fields in _records(self.text("etc/group"), 4):
            if fields[0] == name:
                own = {row[0] for row in _records(self.text("etc/passwd"), 7) if row[3] == fields[2]}
                return own | set(filter(None, fields[3].split(",")))
        return None

    def firmware(self, question: str) -> str | None:
        """Return what ``vcgencmd`` of a Raspberry Pi answers, None where it does not."""
        program = self.root / "usr/bin/vcgencmd"
        if not program.exists():
            return None
        try:
            done = subprocess.run(  # noqa: S603 - a fixed program and fixed words
                [program, question], capture_output=True, text=True, timeout=_COMMAND_SECONDS, check=False
            )
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout.strip() if done.returncode == 0 else None


def read_text(path: Path) -> str | None:
    """Return the stripped text of a small file, None where it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(_MOST_BYTES).decode("utf-8", "replace").strip()
    except OSError:
        return None


def _records(text: str | None, fields: int) -> Iterable[list[str]]:
    rows = (line.split(":") for line in (text or "").splitlines())
    return [row for row in rows if len(row) == fields]
