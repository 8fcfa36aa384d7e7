"""A connection of packets between a reader and the door process."""

import contextlib
import os
import select
import socket
import struct
from pathlib import Path

from edged.doorway.messages import MAX_BYTES, FromDoor, FromReader, encode
from edged.errors import DoorwayError

# struct ucred of unix(7): pid, uid, gid
_UCRED = struct.Struct("3i")


class Channel:
    """One end; never blocks. ``uid`` and ``pid`` are the peer's, as the kernel says."""

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(False)
        self._socket = end
        credentials = end.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
        self.pid, self.uid, _ = _UCRED.unpack(credentials)

    def fileno(self) -> int:
        """Return the descriptor, for a selector."""
        return self._socket.fileno()

    @property
    def gone(self) -> bool:
        """Whether the other end has been closed, whatever it said before and waits to be received."""
        look = select.poll()
        look.register(self._socket, 0)  # POLLHUP is always told
        return bool(look.poll(0))

    def send(self, message: FromReader | FromDoor) -> None:
        """Send a message whole. Raises ``DoorwayError`` where the peer is gone or does not read."""
        try:
            self._socket.send(encode(message), socket.MSG_NOSIGNAL)
        except OSError as exc:
            raise DoorwayError(f"the other end takes no message: {exc.strerror}") from exc

    def receive(self) -> bytes | None:
        """Return the next packet, None where none is there. Raises ``DoorwayError`` at the end."""
        try:
            packet = self._socket.recv(MAX_BYTES + 1)
        except BlockingIOError:
            return None
        except OSError as exc:
            raise DoorwayError(f"the connection broke: {exc.strerror}") from exc
        if not packet:  # an empty packet is not distinguished from the end, and is no message either
            raise DoorwayError("the other end is gone")
        return packet

    def close(self) -> None:
        """End the connection."""
        self._socket.close()


def pair() -> tuple[socket.socket, socket.socket]:
    """Return two connected ends."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def connect(path: Path) -> socket.socket:
    """Connect to the door process at ``path``. Raises ``DoorwayError``."""
    end = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        end.settimeout(1)
        end.connect(os.fspath(path))
    except OSError as exc:
        end.close()
        raise DoorwayError(f"door process at {path}: {exc.strerror or exc}") from exc
    return end


def listen(path: Path) -> socket.socket:
    """Listen at ``path``, in place of whoever did before. Raises ``DoorwayError``.

    Called by the owner of the lock line alone, so nobody else can be listening there rightfully. The socket
    takes its place in one step: a reader finds the old one, the new one, never none.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.unlink(missing_ok=True)
        listener.bind(os.fspath(beside))
        # Whoever may pass the folder may connect; who may speak is decided by the kernel's word on the peer.
        beside.chmod(0o666)
        listener.listen(8)
        listener.setblocking(False)
        beside.replace(path)
    except OSError as exc:
        listener.close()
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
        raise DoorwayError(f"door socket {path}: cannot be made: {exc.strerror or exc}") from exc
    return listener
