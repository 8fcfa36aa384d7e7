"""``python -m tests.peers.worker MODULE OPTIONS``: one contender in a process of its own.

It says one line of JSON on standard output once it is loaded, and one for each line on standard input:

    {"do": "look", "files": [...]}  ->  {"looks": [{"ms": .., "vector": .. or null}, ...], "cpu_ms": ..}
    {"do": "usage"}                 ->  {"cpu_ms": .., "rss_mb": .., "peak_mb": ..}

A vector is base64 of little-endian float32. What is timed is the way from pixels to vector; files are read
before. ``cpu_ms`` is of all threads of this process: of the looks of one line, or since it began. Whatever
goes wrong is told as ``{"failed": why}``, and ends the process.
"""

import base64
import importlib
import json
import os
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from tests.peers.peer import Image, Peer

_MB = 1_000_000


def main() -> None:
    """Load what is named on the command line and serve it until the end of standard input."""
    module, options = sys.argv[1], json.loads(sys.argv[2])
    # Libraries print where they please; the line of answers is kept out of their reach.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    try:
        peer = importlib.import_module(module).open_peer(options)
        _say(answers, {"ready": True, "versions": versions()})
        serve(peer, sys.stdin, answers)
    except Exception as exc:
        _say(answers, {"failed": _told(exc)})
        raise


def serve(peer: Peer, questions: Iterable[str], answers: TextIO) -> None:
    """Answer each line of ``questions``. Raises what ``peer`` raises, and ``ValueError`` for no question."""
    for line in questions:
        asked = json.loads(line)
        if asked["do"] == "look":
            _say(answers, _look(peer, [_picture(Path(name)) for name in asked["files"]]))
        elif asked["do"] == "usage":
            _say(answers, _usage())
        else:
            raise ValueError(f"expected look or usage, got {asked['do']!r}")


def versions() -> dict[str, str]:
    """Return the versions of the libraries that were imported on the way."""
    known = ("insightface", "uniface", "face_recognition", "dlib", "cv2", "onnxruntime", "edged")
    loaded = {name: getattr(sys.modules.get(name), "__version__", None) for name in known}
    return {name: str(version) for name, version in loaded.items() if version}


def _look(peer: Peer, pictures: list[Image]) -> dict[str, Any]:
    looks = []
    cpu = time.process_time()
    for picture in pictures:
        began = time.perf_counter()
        vector = peer.look(picture)
        looks.append((time.perf_counter() - began, vector))
    cpu = time.process_time() - cpu
    told = [{"ms": seconds * 1000, "vector": _encoded(vector)} for seconds, vector in looks]
    return {"looks": told, "cpu_ms": cpu * 1000}


def _usage() -> dict[str, float]:
    """Read what this process took; getrusage's peak would begin with that of the process that forked it."""
    sizes = {"VmRSS": 0.0, "VmHWM": 0.0}
    for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
        name, _, value = line.partition(":")
        if name in sizes:
            sizes[name] = int(value.split()[0]) * 1024 / _MB
    return {"cpu_ms": time.process_time() * 1000, "rss_mb": sizes["VmRSS"], "peak_mb": sizes["VmHWM"]}


def _picture(path: Path) -> Image:
    import cv2  # the contender has it in use by now; until then it is no part of anybody's start

    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise ValueError(f"{path}: not a picture")
    return image


def _encoded(vector: Any) -> str | None:
    return None if vector is None else base64.b64encode(np.asarray(vector, "<f4").tobytes()).decode("ascii")


def _say(answers: TextIO, what: dict[str, Any]) -> None:
    answers.write(json.dumps(what) + "\n")
    answers.flush()


def _told(exc: Exception) -> str:
    lines = str(exc).strip().splitlines()
    return f"{type(exc).__name__}: {lines[0][:200]}" if lines else type(exc).__name__


if __name__ == "__main__":
    main()
