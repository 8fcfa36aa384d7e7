"""A door process of one's own: started with ``edged run``, ended with it.

It owns the line and nothing else, so a fault of the reader, be it a crash of native code in mid-pulse or a
hang, leaves the line in the hands of a process that goes on living for as long as it takes to secure it.
"""

import logging
import os
import select
import socket
import subprocess
import sys
from pathlib import Path

from edged.config.document import write_document
from edged.config.effective import effective
from edged.config.sections import Config
from edged.doorway.channel import pair
from edged.errors import DoorwayError, LockError

logger = logging.getLogger(__name__)

# It claims the line within half a second, and a small board that starts everything at once is slower.
_START_SECONDS = 20.0
_END_SECONDS = 5.0


class DoorChild:
    """``connect`` starts it, or starts it anew, and returns the one connection to it."""

    def __init__(self, config: Config, state: Path) -> None:
        self._document = write_document({"door": effective(config)["door"]})
        self._state = state
        self._process: subprocess.Popen[str] | None = None
        self._first: socket.socket | None = None

    def start(self) -> None:
        """Start it and wait until it has the line. Raises ``LockError``."""
        try:
            self._first = self._spawn()
        except DoorwayError as exc:
            raise LockError(str(exc)) from exc

    def connect(self) -> socket.socket:
        """Return a connection to a process that has the line. Raises ``DoorwayError``."""
        first, self._first = self._first, None
        return first or self._spawn()

    def close(self) -> None:
        """End it: it secures the line and leaves when nobody is connected."""
        if self._first is not None:
            self._first.close()
            self._first = None
        process, self._process = self._process, None
        if process is None:
            return
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            logger.error("door process does not end, terminating it pid=%d", process.pid)  # noqa: TRY400 - the text says it all
            process.terminate()
            try:
                process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _spawn(self) -> socket.socket:
        self.close()
        ours, theirs = pair()
        command = ["-m", "edged.doorway", "--config", "-", "--peer", str(theirs.fileno())]
        try:
            with theirs:
                self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                    [sys.executable, *command, "--state", os.fspath(self._state)],
                    stdin=subprocess.PIPE, pass_fds=[theirs.fileno()], text=True,
                )  # fmt: skip
            stdin = self._process.stdin
            if stdin is not None:
                with stdin:
                    stdin.write(self._document)
            self._wait(ours)
        except OSError as exc:
            ours.close()
            self.close()
            raise DoorwayError(f"the door process does not start: {exc}") from exc
        return ours

    def _wait(self, ours: socket.socket) -> None:
        """Wait for its first word, which it says once it has the line."""
        ready, _, _ = select.select([ours], [], [], _START_SECONDS)
        if not ready or not ours.recv(1, socket.MSG_PEEK):
            raise DoorwayError("the door process did not claim the line; its own message stands above")
