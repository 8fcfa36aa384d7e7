"""A listening Unix socket that only those may open who are let."""

import os
import socket
import stat
from pathlib import Path

from edged.errors import DeviceError

SOCKET_MODE = 0o660
_BACKLOG = 8


def listen_at(path: Path, group: int | None) -> socket.socket:
    """Listen at ``path``, mode 0660; what a dead process left there is replaced.

    Raises ``DeviceError`` where another process listens, something else lies there, or it cannot be made.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _make_way(path)
        listener.bind(str(path))
        # Nobody can connect before ``listen``, so the mode of the first instant lets nobody in.
        path.chmod(SOCKET_MODE)
        if group is not None:
            os.chown(path, -1, group)
        listener.listen(_BACKLOG)
    except OSError as exc:
        listener.close()
        raise DeviceError(f"{path}: cannot listen there: {exc.strerror or exc}") from exc
    return listener


def _make_way(path: Path) -> None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise DeviceError(f"{path}: cannot listen there: something else than a socket lies there")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
        else:
            raise DeviceError(f"{path}: cannot listen there: another process does")
