"""A disk that loses and tears what was not synchronised when the power goes.

An apsw VFS writes everything through to the real files and keeps beside them what would survive a power
cut: the bytes of the last ``xSync``, sector by sector of 512 bytes. Names of files are taken to be
durable, and so is whatever the daemon writes without SQLite, which calls fsync itself.
"""

import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw

SECTOR = 512


@dataclass
class _File:
    durable: bytearray
    current: bytearray
    dirty: set[int] = field(default_factory=set)

    def write(self, at: int, data: bytes) -> None:
        if len(self.current) < at:
            self.current.extend(bytes(at - len(self.current)))
        self.current[at : at + len(data)] = data
        self.dirty.update(range(at // SECTOR, (at + len(data) - 1) // SECTOR + 1))

    def truncate(self, size: int) -> None:
        self.dirty.update(range(size // SECTOR, len(self.current) // SECTOR + 1))
        del self.current[size:]

    def sync(self) -> None:
        self.durable = bytearray(self.current)
        self.dirty.clear()

    def after_the_cut(self, chance: random.Random) -> bytes:
        """Return what a later start finds: each sector old, new, or half of each."""
        size = chance.choice((len(self.durable), len(self.current)))
        length = max(len(self.durable), len(self.current), size)
        old, new = (bytes(each).ljust(length, b"\0") for each in (self.durable, self.current))
        found = bytearray(old)
        for sector in self.dirty:
            here = slice(sector * SECTOR, (sector + 1) * SECTOR)
            tear = chance.choice((0, SECTOR, chance.randrange(SECTOR)))
            found[here] = (new[here][:tear] + old[here][tear:])[: len(found[here])]
        return bytes(found[:size])


class TornDisk:
    """Counts writes, truncations and synchronisations; from number ``cut_at`` on each one fails."""

    def __init__(self, cut_at: int) -> None:
        self._cut_at = cut_at
        self._files: dict[str, _File] = {}
        self.operations = 0

    @property
    def cut(self) -> bool:
        """Whether the power is gone."""
        return self.operations >= self._cut_at

    def file(self, path: str) -> _File:
        """Return the file of ``path``, which is durable as it stands when it is first seen."""
        if path not in self._files:
            content = Path(path).read_bytes() if Path(path).exists() else b""
            self._files[path] = _File(bytearray(content), bytearray(content))
        return self._files[path]

    def step(self) -> None:
        """Count one operation. Raises ``apsw.IOError`` once the power is gone."""
        if self.cut:
            raise apsw.IOError("the power is gone")
        self.operations += 1

    def forget(self, path: str) -> None:
        """Note that a file was removed."""
        self._files.pop(path, None)

    def leave(self, directory: Path, chance: random.Random) -> None:
        """Write into ``directory`` what the disk holds after the cut."""
        for path, file in self._files.items():
            (directory / Path(path).name).write_bytes(file.after_the_cut(chance))


class TornVfs(apsw.VFS):
    """The file system of ``disk`` under ``name``."""

    def __init__(self, name: str, disk: TornDisk) -> None:
        self._disk = disk
        super().__init__(name, "unix")

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 - apsw's name
        """Open a file whose writes are watched."""
        return _TornFile(self._disk, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802 - apsw's signature
        """Remove a file, unless the power is gone."""
        self._disk.step()
        self._disk.forget(filename)
        super().xDelete(filename, syncdir)


class _TornFile(apsw.VFSFile):
    def __init__(self, disk: TornDisk, name: Any, flags: list[int]) -> None:
        path = name if isinstance(name, str) or name is None else name.filename()
        self._disk = disk
        self._file = None if path is None else disk.file(path)
        super().__init__("unix", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - apsw's name
        """Write through, and note that it is not durable yet."""
        if self._file is not None:
            self._disk.step()
            self._file.write(offset, bytes(data))
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802 - apsw's name
        """Cut short, and note that it is not durable yet."""
        if self._file is not None:
            self._disk.step()
            self._file.truncate(newsize)
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:  # noqa: N802 - apsw's name
        """Make durable what was written; the real disk need not know."""
        if self._file is not None:
            self._disk.step()
            self._file.sync()
