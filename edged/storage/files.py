"""Private files and directories: modes, owners, durable creation."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from edged.errors import StoreError

FILE_MODE = 0o600
DIRECTORY_MODE = 0o700


def is_there(path: Path) -> bool:
    """Whether ``path`` exists. Raises ``StoreError`` where we may not even look."""
    try:
        return path.exists()
    except OSError as exc:
        raise StoreError(
            f"{path}: cannot be looked at: {exc.strerror}; run this as the service's user"
        ) from exc


def identity(path: Path | str) -> tuple[int, ...] | None:
    """Return numbers that change once ``path`` is another file; None where there is none.

    They change now and then for the same file too, when it is written. Raises ``StoreError``.
    """
    try:
        found = os.stat(path)  # noqa: PTH116 - of a string it takes a fifth of what a Path of it does
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise StoreError(f"{path}: cannot be looked at: {exc.strerror}") from exc
    # The time as well: the number of a deleted file is soon given to a new one.
    return found.st_dev, found.st_ino, found.st_ctime_ns


def make_private_directory(path: Path) -> None:
    """Create ``path`` and its missing parents, mode 0700. Raises ``StoreError``."""
    missing = []
    while not is_there(path):
        missing.append(path)
        path = path.parent
    try:
        for directory in reversed(missing):
            directory.mkdir(mode=DIRECTORY_MODE, exist_ok=True)
            inherit_owner(directory)
    except OSError as exc:
        raise StoreError(f"{path}: a directory cannot be made below it: {exc.strerror}") from exc


def create_private_file(path: Path, content: bytes = b"", *, settle: bool = True) -> bool:
    """Create ``path`` with ``content``, mode 0600, durably; False if it existed and was left alone.

    Another process never sees half the content: it is written beside and linked into place. Whoever creates
    many does not ``settle`` each, and calls ``sync_directory`` before they are relied on.
    Raises ``StoreError``.
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    try:
        _write_private(beside, content)
        # link() fails where rename() would replace: two first starts must agree on one file.
        os.link(beside, path)
        beside.unlink()
        if settle:
            sync_directory(path.parent)
    except FileExistsError:
        return False
    except OSError as exc:
        raise StoreError(f"{path}: cannot be created: {exc.strerror}") from exc
    finally:
        _remove(beside)
    return True


def replace_private_file(path: Path, content: bytes) -> None:
    """Put ``content`` in place of ``path``, mode 0600, durably: after a power cut it is the old or the new.

    Raises ``StoreError``.
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    try:
        _write_private(beside, content)
        beside.replace(path)
        sync_directory(path.parent)
    except OSError as exc:
        raise StoreError(f"{path}: cannot be written: {exc.strerror}") from exc
    finally:
        _remove(beside)


@contextmanager
def private_output(path: Path) -> Iterator[TextIO]:
    """Yield a text file, mode 0600, that replaces ``path`` when the block ends well.

    A pipe or a device is written to as it is. Raises ``StoreError``.
    """
    try:
        if is_there(path) and not path.is_file():
            with path.open("w", encoding="utf-8", newline="") as file:
                yield file
            return
        beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, FILE_MODE)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
                yield file
            beside.replace(path)
        finally:
            _remove(beside)
    except StoreError:
        raise  # of whoever fills the file; it is an OSError too
    except OSError as exc:
        raise StoreError(f"{path}: cannot be written: {exc.strerror}") from exc


def _remove(path: Path) -> None:
    """Remove what was written beside, if it is there; that it cannot be is not what went wrong."""
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)


def _write_private(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, FILE_MODE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fchmod(file.fileno(), FILE_MODE)
        os.fsync(file.fileno())
    inherit_owner(path)


def inherit_owner(path: Path) -> None:
    """Give a new file to the owner of its directory when root made it.

    Otherwise ``sudo edged enrol ...`` would leave a gallery that the daemon's own user cannot read.
    """
    if os.geteuid() == 0:
        parent = path.parent.stat()
        os.chown(path, parent.st_uid, parent.st_gid, follow_symlinks=False)


def sync_directory(path: Path) -> None:
    """Make the names inside ``path`` survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
