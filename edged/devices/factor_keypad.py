"""The keypad's end of the second factor's socket: lines out, lines in."""

import socket
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from edged.errors import DeviceError

_CONNECT_SECONDS = 5.0


class FactorKeypad:
    """A connection to the door's socket at ``path``. Raises ``DeviceError`` where there is none."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._received = b""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self._socket.settimeout(_CONNECT_SECONDS)
        try:
            self._socket.connect(str(path))
        except OSError as exc:
            self._socket.close()
            raise DeviceError(
                f"{path}: nobody listens there ({exc.strerror or exc}); does `edged run` run with "
                "second_factor.enabled, and as which user?"
            ) from exc

    def send(self, line: bytes) -> None:
        """Send one line. Raises ``DeviceError``."""
        try:
            self._socket.sendall(line)
        except OSError as exc:
            raise DeviceError(f"{self._path}: the door closed the connection") from exc

    def line(self, timeout: float | None) -> bytes | None:
        """Return the next line without its end, None where none came within ``timeout`` seconds.

        Raises ``DeviceError`` where the door closed the connection.
        """
        until = None if timeout is None else time.monotonic() + timeout
        while b"\n" not in self._received:
            left = None if until is None else until - time.monotonic()
            if left is not None and left <= 0:
                return None
            self._socket.settimeout(left)
            try:
                part = self._socket.recv(4096)
            except TimeoutError:
                return None
            except OSError as exc:
                raise DeviceError(f"{self._path}: the door closed the connection") from exc
            if not part:
                raise DeviceError(f"{self._path}: the door closed the connection")
            self._received += part
        line, _, self._received = self._received.partition(b"\n")
        return line

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
