"""A whole door as a process of its own, for what only the running program can show."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import yaml

from edged.domain.types import Image
from edged.errors import EvaluationError

CODECS = {"mpeg4": ("mp4v", ".mp4"), "mjpeg": ("MJPG", ".avi")}
TRACE, JOURNAL, LOG = "lock.jsonl", "journal.db", "door.log"
_READY_SECONDS = 60.0
_STOP_SECONDS = 15.0
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class LiveDoor:
    """A running ``edged run``: its process, and where it is monitored."""

    process: "subprocess.Popen[bytes]"
    port: int

    def figures(self) -> dict[str, float]:
        """Return what its monitor shows by name and labels. Raises ``OSError``."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        return {name: float(value) for name, value in pairs}

    def frames(self, fate: str) -> float:
        """Return how many frames had this fate so far. Raises ``OSError``."""
        return self.figures()[f'edged_frames_total{{result="{fate}"}}']

    def cpu_seconds(self) -> float:
        """Return what the kernel has booked on the process and on those it waited for. See proc(5)."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:15])) / _TICKS  # utime, stime, cutime, cstime

    def wait(self, seconds: float) -> int:
        """Wait until it ends by itself; return its exit status. Raises ``EvaluationError``."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired as exc:
            raise EvaluationError(f"the door was not done after {seconds:.0f} s") from exc


def write_door(folder: Path, source: Mapping[str, Any], sections: Mapping[str, Any]) -> None:
    """Write the configuration of a door with a fake lock and no broker into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    document = {
        "site": "bench",
        "door_id": "front",
        "camera": {"source": dict(source)},
        "door": {"unlock_seconds": 0.5, "lock": {"driver": "fake", "trace_path": TRACE}},
        "mqtt": {"enabled": False},
        "journal": {"path": JOURNAL},
        "gallery": {"path": "people.db", "key_file": "vault.key"},
        "http": {"port": _free_port()},
        "logging": {"level": "warning"},
        **sections,
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")


def enrol(folder: Path, photographs: Path) -> None:
    """Enrol the people of ``photographs``, one folder each. Raises ``EvaluationError``."""
    done = subprocess.run(  # noqa: S603 - ourselves
        [*_PROGRAM, "enrol", "--folder", str(photographs.absolute())],
        cwd=folder, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    if done.returncode:
        raise EvaluationError(f"enrolment failed: {done.stderr.strip()[-500:]}")


@contextmanager
def running(folder: Path, *options: str) -> Iterator[LiveDoor]:
    """Run the door of ``folder`` within the block. Raises ``EvaluationError`` where it does not start."""
    port = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))["http"]["port"]
    with (folder / LOG).open("ab") as log:
        process = subprocess.Popen(  # noqa: S603 - ourselves
            [*_PROGRAM, "run", *options], cwd=folder, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            door = LiveDoor(process, port)
            _until_up(door, folder / LOG)
            yield door
        finally:
            _end(process)


_PROGRAM = (sys.executable, "-m", "edged")


def _until_up(door: LiveDoor, log: Path) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while True:
        with contextlib.suppress(OSError):
            if door.figures().get("edged_camera_up") == 1:
                return
        if door.process.poll() is not None or time.monotonic() > deadline:
            words = log.read_text(errors="replace").strip()[-500:]
            raise EvaluationError(f"the door did not start: {words or 'it said nothing'}")
        time.sleep(0.1)


def _end(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def write_video(
    frames: Iterator[Image], folder: Path, codec: str, *, fps: float, size: tuple[int, int] = (640, 480)
) -> dict[str, Any]:
    """Write ``frames`` at ``fps`` with one of ``CODECS``; return the camera source that plays the file.

    Raises ``EvaluationError``.
    """
    letters, suffix = CODECS[codec]
    path = folder / f"camera{suffix}"
    folder.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*letters), fps, size)
    if not writer.isOpened():
        raise EvaluationError(f"{path}: this build of OpenCV writes no {codec}")
    try:
        for frame in frames:
            writer.write(frame)
    finally:
        writer.release()
    return {"type": "file", "path": path.name, "fps": fps}


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
