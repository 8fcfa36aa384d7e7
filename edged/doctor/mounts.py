"""Which file system a folder is on, by the kernel's table of mounts."""

import re
from dataclasses import dataclass
from pathlib import Path

from edged.doctor.machine import Machine

_OCTAL = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Mount:
    """One line of ``/proc/self/mountinfo`` (proc(5)).

    ``device`` is ``major:minor``, ``kind`` the file system's type. ``read_only``: for this mount or, as
    after an error with ``errors=remount-ro``, for the whole file system.
    """

    point: Path
    device: str
    kind: str
    source: str
    read_only: bool


def mount_of(machine: Machine, folder: Path) -> Mount | None:
    """Return the mount that ``folder``, resolved, lies on; None where the kernel does not say."""
    mounts = [
        found for line in (machine.text("proc/self/mountinfo") or "").splitlines() if (found := _parsed(line))
    ]
    # Of two mounts at one point the later covers the earlier: max() would keep the first.
    over = [mount for mount in reversed(mounts) if folder == mount.point or mount.point in folder.parents]
    return max(over, key=lambda mount: len(mount.point.parts), default=None)


def standing(path: Path) -> Path:
    """Return ``path``, resolved, or the nearest folder above it that exists."""
    path = path.resolve()
    while not path.exists() and path != path.parent:
        path = path.parent
    return path


def _parsed(line: str) -> Mount | None:
    head, found, tail = line.partition(" - ")
    fields, rest = head.split(" "), tail.split(" ")
    if not found or len(fields) < 6 or len(rest) < 3:
        return None
    options = fields[5].split(",") + rest[2].split(",")
    return Mount(Path(_plain(fields[4])), fields[2], rest[0], _plain(rest[1]), read_only="ro" in options)


def _plain(text: str) -> str:
    """Undo the kernel's octal escapes of blanks and backslashes."""
    return _OCTAL.sub(lambda match: chr(int(match[1], 8)), text)
