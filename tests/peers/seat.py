"""The other end of a worker's pipe: start it, ask it, end it."""

import base64
import json
import os
import selectors
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from edged.domain.types import FloatArray
from tests.peers.contender import Contender

ROOT = Path(__file__).parents[2]
# A first import of a large library from a cold disk takes half a minute on a board.
_LOADING_SECONDS = 180.0
_ANSWER_SECONDS = 300.0
_ENDING_SECONDS = 10.0
# What else would decide for a library how many threads it takes, or let it fetch something.
_DROPPED = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_NOWHERE = "http://127.0.0.1:9"


class PeerError(Exception):
    """A contender cannot take part, or no longer; the message says why."""


@dataclass(frozen=True, slots=True)
class Look:
    """One picture: the wall time, and the vector (D,) float32, None where no face was found."""

    ms: float
    vector: FloatArray | None


@dataclass(frozen=True, slots=True)
class Usage:
    """Of the whole process so far: CPU milliseconds of all threads, resident megabytes now and at most."""

    cpu_ms: float
    rss_mb: float
    peak_mb: float


class Seat:
    """A contender's process. ``versions`` are those of the libraries it loaded."""

    def __init__(self, contender: Contender, log: Path) -> None:
        """Start it and wait until it has loaded. Raises ``PeerError``."""
        self.began_at = time.monotonic()
        self._name = contender.name
        self._pending = b""
        options = json.dumps(contender.options)
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                [contender.python, "-m", "tests.peers.worker", contender.module, options],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, cwd=ROOT, bufsize=0,
                env=_environment(contender),
            )  # fmt: skip
        try:
            self.versions: dict[str, str] = self._answer(_LOADING_SECONDS)["versions"]
        except PeerError:
            self.close()
            raise

    def look(self, files: Sequence[Path]) -> tuple[list[Look], float]:
        """Let it look at ``files``, one after the other; return what came of each, and the CPU ms of all."""
        told = self._ask({"do": "look", "files": [str(path.absolute()) for path in files]})
        return [Look(one["ms"], _vector(one["vector"])) for one in told["looks"]], told["cpu_ms"]

    def usage(self) -> Usage:
        """Return what the process took so far."""
        return Usage(**self._ask({"do": "usage"}))

    def close(self) -> None:
        """End it: politely, then not."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(_ENDING_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ask(self, what: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(what).encode() + b"\n")
        except OSError as exc:
            raise PeerError(f"{self._name}: its process ended") from exc
        return self._answer(_ANSWER_SECONDS)

    def _answer(self, seconds: float) -> dict[str, Any]:
        try:
            told: dict[str, Any] = json.loads(self._line(time.monotonic() + seconds))
        except ValueError as exc:
            raise PeerError(f"it said what is no JSON: {exc}") from exc
        if "failed" in told:
            raise PeerError(told["failed"])
        return told

    def _line(self, until: float) -> bytes:
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as ready:
            ready.register(self._process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._pending:
                if not ready.select(max(0.0, until - time.monotonic())):
                    raise PeerError("no answer in time")
                read = os.read(self._process.stdout.fileno(), 1 << 20)
                if not read:
                    raise PeerError(f"its process ended with status {self._process.wait()}")
                self._pending += read
        line, _, self._pending = self._pending.partition(b"\n")
        return line


def _environment(contender: Contender) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in _DROPPED}
    closed = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), _NOWHERE)
    return kept | closed | {"PYTHONPATH": str(ROOT)} | contender.environment


def _vector(encoded: str | None) -> FloatArray | None:
    return None if encoded is None else np.frombuffer(base64.b64decode(encoded), "<f4").astype(np.float32)
