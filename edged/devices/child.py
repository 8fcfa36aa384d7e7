"""A child process that writes to its standard output, with a reader that never hangs on it."""

import contextlib
import logging
import os
import re
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from edged.devices.camera import CameraTimeoutError
from edged.devices.handle import Handle
from edged.errors import CameraError

logger = logging.getLogger(__name__)

_CHUNK = 1 << 16  # the capacity of a Linux pipe
# How soon a reader notices that it was closed, where the child keeps its pipe open.
_WAKE_SECONDS = 0.2
# An encoder that stops on SIGTERM needs some 100 ms to write its trailer.
_GRACE_SECONDS = 1.0
_KEPT_BYTES = 4096
_QUOTED_CHARACTERS = 300
_CREDENTIALS = re.compile(r"//[^/\s@]*@")


class Child:
    """One run of a command, in its own process group, so that a shell's children end with it."""

    def __init__(self, argv: Sequence[str]) -> None:
        self.name = Path(argv[0]).name
        try:
            self._process = subprocess.Popen(  # noqa: S603 - the operator's own command, without a shell
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as exc:
            raise CameraError(f"command {self.name!r} cannot be started: {exc.strerror}") from exc
        self._handle = Handle(self._release)
        self._last_words = b""
        self._ending_once = threading.Lock()
        self._selector = selectors.DefaultSelector()
        for stream in (self._process.stdout, self._process.stderr):
            assert stream is not None
            os.set_blocking(stream.fileno(), False)
            self._selector.register(stream, selectors.EVENT_READ, stream is self._process.stdout)

    def read(self, limit: int, deadline: float) -> bytes:
        """Return 1 to ``limit`` bytes of standard output; ``deadline`` in monotonic seconds.

        Raises ``CameraTimeoutError`` after the deadline, ``CameraError`` when the output has ended.
        """
        with self._handle.use():
            while (remaining := deadline - time.monotonic()) > 0:
                for key, _ in self._selector.select(min(remaining, _WAKE_SECONDS)):
                    chunk = os.read(key.fd, min(limit, _CHUNK) if key.data else _CHUNK)
                    if key.data and chunk:
                        return chunk
                    self._note(key, chunk)
                self._handle.check()
            raise CameraTimeoutError(f"command {self.name!r} wrote no frame in time{self.quoted()}")

    def close(self) -> None:
        """Ask the process group to end, then make it; a reader lets go of the pipes when it leaves."""
        self._handle.closing.set()
        self._end()
        self._handle.close()

    def quoted(self) -> str:
        """Return the last line of standard error, shortened, for the end of a message."""
        lines = self._last_words.decode("utf-8", "replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return f", saying {_CREDENTIALS.sub('//', last)[:_QUOTED_CHARACTERS]!r}" if last else ""

    def _note(self, key: selectors.SelectorKey, chunk: bytes) -> None:
        """Keep the end of standard error; turn the end of standard output into an error."""
        if not key.data and chunk:
            self._last_words = (self._last_words + chunk)[-_KEPT_BYTES:]
            return
        self._selector.unregister(key.fileobj)
        if key.data:
            self._handle.check()
            self._drain()
            raise CameraError(f"command {self.name!r} {self._ending()}{self.quoted()}")

    def _drain(self) -> None:
        """Read what is left of standard error without waiting."""
        for key, _ in self._selector.select(_WAKE_SECONDS):
            self._last_words = (self._last_words + os.read(key.fd, _CHUNK))[-_KEPT_BYTES:]

    def _ending(self) -> str:
        info = self._exited(_WAKE_SECONDS)
        if info is None:
            return "closed its output"
        word = "status" if info.si_code == os.CLD_EXITED else "signal"
        return f"ended with {word} {info.si_status}"

    def _exited(self, seconds: float) -> os.waitid_result | None:
        """Wait for the end without reaping: until then nobody else can get this process group's id."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                info = os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:  # reaped by a thread that closes it
                return None
            if info is not None or time.monotonic() >= deadline:
                return info
            time.sleep(0.01)

    def _end(self) -> None:
        with self._ending_once:
            if self._process.returncode is not None:
                return
            self._signal(signal.SIGTERM)
            self._exited(_GRACE_SECONDS)
            self._signal(signal.SIGKILL)
            try:
                self._process.wait(_GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                logger.warning("command cannot be ended command=%r pid=%d", self.name, self._process.pid)

    def _signal(self, number: signal.Signals) -> None:
        # A child that changed its user cannot be signalled; the wait that follows tells.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    def _release(self) -> None:
        self._selector.close()
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()
