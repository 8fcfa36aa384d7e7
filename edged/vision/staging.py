"""Installing a folder so that a reader sees the old one or the new one, whole, at any moment.

The new folder is built beside its place, forced to disk, and exchanged with the old one in a single
rename. A power cut leaves at worst a hidden folder, which the next installation clears away.
"""

import ctypes
import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edged.errors import ModelError

_STAGED = ".install-"
_REPLACED = ".replaced-"
_LOCK = ".lock"
# linux/fs.h and linux/fcntl.h
_RENAME_EXCHANGE = 2
_AT_FDCWD = -100


@contextmanager
def installing(root: Path) -> Iterator[None]:
    """Hold ``root`` for one installation at a time; clear away what a crash left there.

    Raises ``ModelError`` where another process installs, or ``root`` cannot be written.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        stream = (root / _LOCK).open("wb")
    except OSError as exc:
        raise ModelError(f"{root}: cannot install here: {exc.strerror or exc}") from exc
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise ModelError(f"{root}: another installation is running") from exc
        _recover(root)
        yield


@contextmanager
def staged(root: Path) -> Iterator[Path]:
    """Give an empty folder below ``root``; what is still in it at the end is removed."""
    path = Path(tempfile.mkdtemp(prefix=_STAGED, dir=root))
    # mkdtemp makes it private; the daemon that reads the models may be another user.
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def put_in_place(source: Path, destination: Path) -> None:
    """Make ``source``, a staged folder, the content of ``destination``; the old content goes.

    Raises ``ModelError`` with the old content still in place.
    """
    try:
        _sync(source)
        if destination.is_symlink():
            raise ModelError(f"{destination}: a symbolic link; expected a folder")
        if not destination.exists():
            source.rename(destination)
        elif not _exchange(source, destination):
            _replace(source, destination)
        _sync_entry(destination.parent)
    except OSError as exc:
        raise ModelError(f"{destination}: cannot install: {exc.strerror or exc}") from exc


def _exchange(source: Path, destination: Path) -> bool:
    """Swap two folders in one step; False where kernel or file system cannot."""
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except AttributeError:
        return False
    if renameat2(_AT_FDCWD, bytes(source), _AT_FDCWD, bytes(destination), _RENAME_EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP):
        return False
    raise OSError(code, os.strerror(code), str(destination))


def _replace(source: Path, destination: Path) -> None:
    """Swap by two renames: there is a moment with neither, which ``_recover`` mends."""
    aside = destination.with_name(_REPLACED + destination.name)
    destination.rename(aside)
    try:
        source.rename(destination)
    except OSError:
        aside.rename(destination)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _recover(root: Path) -> None:
    for path in root.glob(f"{_REPLACED}*"):
        original = root / path.name.removeprefix(_REPLACED)
        if original.exists():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.rename(original)
    for path in root.glob(f"{_STAGED}*"):
        shutil.rmtree(path, ignore_errors=True)


def _sync(folder: Path) -> None:
    for path in [*folder.iterdir(), folder]:
        _sync_entry(path)


def _sync_entry(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
