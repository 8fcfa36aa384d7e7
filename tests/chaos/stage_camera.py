"""A camera program whose fault is chosen from outside: ``python -m tests.chaos.stage_camera FOLDER FPS``.

``FOLDER/mode`` names what it shows, read before every frame:

- ``face``, ``stranger``, ``empty``: the frames of the folder of that name, over and over
- ``frozen``: one and the same frame of ``face``; ``black``: nothing but black
- ``stall``: half a frame, then nothing; ``cut``: the program dies within a frame

Each change is written to ``FOLDER/shown.jsonl`` with the monotonic time of the first frame of the new mode,
and the end of ``face`` on a line of its own: a grant can be held against what there was to be seen.
"""

import json
import os
import sys
import time
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

LOOPS = ("face", "stranger", "empty", "black")


class Stage:
    """Frames are JPEG files, made beforehand: this program has nothing to compute."""

    def __init__(self, folder: Path, fps: float) -> None:
        self._folder = folder
        self._pause = 1 / fps
        self._frames: dict[str, Iterator[bytes]] = {
            name: cycle([path.read_bytes() for path in sorted((folder / name).glob("*.jpg"))])
            for name in LOOPS
        }
        self._still = next(self._frames["face"])
        self._log = os.open(folder / "shown.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def play(self) -> None:
        """Show what is asked for until nobody reads any more."""
        before = ""
        while True:
            mode = self._mode()
            if mode != before:
                if before == "face":
                    self._note("face_over")
                self._note(mode)
                before = mode
            self._show(mode)
            time.sleep(self._pause)

    def _show(self, mode: str) -> None:
        frame = self._still if mode == "frozen" else next(self._frames.get(mode, self._frames["face"]))
        if mode in ("stall", "cut"):
            write(frame[: len(frame) // 2])
            if mode == "cut":
                sys.exit(3)
            while self._mode() == "stall":
                time.sleep(0.05)
            frame = frame[len(frame) // 2 :]
        write(frame)

    def _mode(self) -> str:
        return (self._folder / "mode").read_text().strip() or "empty"

    def _note(self, mode: str) -> None:
        line = json.dumps({"at": time.monotonic(), "mode": mode, "pid": os.getpid()})
        os.write(self._log, line.encode() + b"\n")


def write(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    Stage(Path(sys.argv[1]), float(sys.argv[2])).play()
