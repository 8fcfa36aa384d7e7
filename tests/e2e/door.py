"""A door on this machine: a folder with models, people, a scene, and the program as a subprocess."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from edged.evaluation.scene import write_scene
from tests.fakes.mosquitto import free_port

START_SECONDS = 90.0


def edged(*arguments: object, cwd: Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    done = subprocess.run(
        [sys.executable, "-m", "edged", *map(str, arguments)],
        cwd=cwd, capture_output=True, text=True, timeout=300, check=False, env=environment(),
    )  # fmt: skip
    assert not check or done.returncode == 0, f"{arguments}: {done.stdout}\n{done.stderr}"
    return done


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONUNBUFFERED": "1"}


class OfficeDoor:
    """The folder of one door. ``edged(...)`` runs a command in it, ``start`` the daemon."""

    def __init__(self, folder: Path, weights: Path | None) -> None:
        """Without ``weights`` the door runs the pack that comes with edged."""
        self.folder = folder
        self.http_port = free_port()
        self.trace_path = folder / "lock.jsonl"
        folder.mkdir(parents=True, exist_ok=True)
        self._packs = "" if weights is None else ", detector: yunet, embedder: arcface-y1"
        if weights is not None:
            self.edged("models", "import", weights, "--directory", folder / "models")

    def configure(
        self, mqtt_port: int, *, fps: float = 20, unlock_seconds: float = 0.5, same_day: bool = False
    ) -> None:
        """Write the configuration; unless it is the ``same_day``, no journal tells of strangers before."""
        for path in () if same_day else self.folder.glob("journal.db*"):
            path.unlink()
        (self.folder / "config.yaml").write_text(
            f"""
site: test
door_id: front
camera:
  source: {{type: folder, path: scene, fps: {fps}}}
door:
  unlock_seconds: {unlock_seconds}
  max_unlock_seconds: {max(10.0, unlock_seconds)}
  lock: {{driver: fake, trace_path: lock.jsonl}}
models: {{directory: models{self._packs}}}
attendance: {{enabled: true, direction: in}}
mqtt: {{port: {mqtt_port}}}
journal: {{path: journal.db}}
gallery: {{path: people.db, key_file: vault.key}}
http: {{port: {self.http_port}}}
""",
        )

    def edged(self, *arguments: object, check: bool = True) -> subprocess.CompletedProcess[str]:
        return edged(*arguments, cwd=self.folder, check=check)

    def json(self, *arguments: object) -> Any:
        return json.loads(self.edged(*arguments, "--json").stdout)

    def events(self, *options: object) -> list[dict[str, Any]]:
        """The journal, the facts of each body beside the keys that every event has."""
        if "--config" not in options and not (self.folder / "journal.db").exists():
            return []
        text = self.edged("events", "export", *options, "--json").stdout
        return [{**event, **event["body"]} for event in map(json.loads, text.splitlines())]

    def scene(self, visits: list[list[Path]], *, frames_a_visit: int = 12, gap_frames: int = 26) -> None:
        shutil.rmtree(self.folder / "scene", ignore_errors=True)
        write_scene(visits, self.folder / "scene", frames_a_visit=frames_a_visit, gap_frames=gap_frames)

    def trace(self) -> list[dict[str, Any]]:
        """What the lock line did, oldest first."""
        if not self.trace_path.exists():
            return []
        return [json.loads(line) for line in self.trace_path.read_text().splitlines()]

    def start(self, *options: str) -> "Daemon":
        return Daemon(self, *options)


class Daemon:
    """``edged run`` as a process of its own."""

    def __init__(self, door: OfficeDoor, *options: str) -> None:
        self._door = door
        self._log = (door.folder / "daemon.log").open("ab")
        self._log_began = self._log.tell()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "edged", "run", *options],
            cwd=door.folder, stdout=self._log, stderr=subprocess.STDOUT, env=environment(),
        )  # fmt: skip

    @property
    def log(self) -> str:
        """What it has written itself; those before it wrote into the same file."""
        return (self._door.folder / "daemon.log").read_bytes()[self._log_began :].decode()

    def get(self, path: str) -> tuple[int, str]:
        """Fetch a page of the monitor: status and body."""
        url = f"http://127.0.0.1:{self._door.http_port}{path}"
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as exc:
            with exc:
                return exc.code, exc.read().decode()

    def answers(self) -> bool:
        """Whether the monitor listens."""
        try:
            return self.get("/healthz")[0] == 200
        except OSError:  # nobody listens there yet
            return False

    def metrics(self) -> dict[str, float]:
        pairs = (line.rsplit(" ", 1) for line in self.get("/metrics")[1].splitlines() if line[0] != "#")
        return {name: float(value) for name, value in pairs}

    def until(self, condition: Callable[[], object], seconds: float = START_SECONDS) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert self.process.poll() is None, f"edged ended with {self.process.returncode}:\n{self.log}"
            assert time.monotonic() < deadline, f"it did not happen in {seconds} s:\n{self.log}"
            time.sleep(0.02)

    def wait(self, seconds: float = 120.0) -> int:
        """Wait for the end; return the exit status."""
        try:
            return self.process.wait(seconds)
        finally:
            self.close()

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(how)
        return self.wait(60)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(30)
        self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read_table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))
