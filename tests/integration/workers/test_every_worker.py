"""Each worker of a whole daemon hangs, raises or returns while the door is open.

Told within its own deadline (silent for ``HANG_FACTOR`` times ``stall_seconds``; a watchdog is withheld after
one), the lock is secured and the daemon ends with status 1, so that a service manager starts it afresh. The
workers are those that the composition root adds: one that is not listed here fails the test.
"""

import itertools
import json
import logging
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import pytest

from edged import app
from edged.app import Daemon, Listeners
from edged.config import Config, load
from edged.vision.pipeline import FacePipeline
from edged.workers.door import DoorChange, UnlockRequest
from edged.workers.worker import Worker
from tests.fakes.doorway import LOCK, environment, until
from tests.fakes.mosquitto import free_port

WORKERS = frozenset(
    {"monitor", "publisher", "gallery", "probes", "door", "recognition", "second-factor", "capture"}
)
# Threads of ours that are no workers, and what becomes of the daemon where one hangs or dies.
OTHERS = {
    "edged-journal": "test_a_journal_whose_writer_died_ends_the_daemon; a slow disk: journal.on_failure",
    "edged-door-reports": "test_a_listener_that_holds_up_the_door_s_reports_ends_the_daemon",
    "edged-camera-reader": "test_capture_hang",
}
# Each may hang in a way of its own. To raise and to return is the same to all: that is where threads begin.
FAULTS = [
    *((name, "hang") for name in sorted(WORKERS)),
    *itertools.product(("capture", "door", "recognition"), ("raise", "return")),
]


@pytest.fixture(scope="module")
def pipeline() -> FacePipeline:
    """Loaded once: which models a daemon has is nothing to its supervisor."""
    config = load(Path(__file__).parents[3] / "config.yaml", {})
    return FacePipeline.load(config.models, config.quality)


def config_of(folder: Path, lock: str) -> Config:
    (folder / "scene").mkdir()
    cv2.imwrite(str(folder / "scene/0.jpg"), np.full((240, 320, 3), 128, np.uint8))
    models = Path(__file__).parents[3] / "models"
    (folder / "config.yaml").write_text(f"""
site: t
door_id: front
camera: {{source: {{type: folder, path: scene}}}}
door: {{unlock_seconds: 50, max_unlock_seconds: 60, max_grant_age_ms: 10000, lock: {lock}}}
models: {{directory: {models}}}
mqtt: {{port: {free_port()}}}
http: {{port: 0}}
journal: {{path: journal.db}}
gallery: {{path: people.db, key_file: vault.key, poll_seconds: 0.1}}
second_factor: {{enabled: true, socket_path: pin.sock}}
""")
    return load(folder / "config.yaml", {})


@dataclass
class Stage:
    """A daemon in which one thing goes wrong as soon as the door is open."""

    config: Config
    prepare: Callable[[Daemon], None]
    armed: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)
    threads: set[str] = field(default_factory=set)

    def run(self) -> int:
        daemon = Daemon(self.config, listeners=Listeners(on_ready=self._ready, on_door=self._door))
        try:
            return daemon.run()
        finally:
            self.released.set()
            for worker, _ in self.workers:
                assert worker.join(30), worker.name

    def _ready(self, daemon: Daemon) -> None:
        supervisor = daemon.supervisor
        self.workers = supervisor._workers
        assert {worker.name for worker, _ in self.workers} == WORKERS
        supervisor._workers = self.workers = [(worker, 0.3) for worker, _ in self.workers]
        supervisor._tick_seconds = 0.05
        supervisor._abandon = lambda _code: None  # the process is this test's
        self.prepare(daemon)
        threading.Thread(target=self._ask, args=(daemon,), daemon=True).start()

    def _ask(self, daemon: Daemon) -> None:
        until(lambda: daemon.door.alive and daemon.door.refusal(time.monotonic()) is None)
        assert daemon.door.request(UnlockRequest("A", "face", time.monotonic()))

    def _door(self, change: DoorChange) -> None:
        if change.state == "unlocked":
            self.threads = {thread.name for thread in threading.enumerate()}
            self.armed.set()


def fail(victim: Worker, fault: str, stage: Stage) -> None:
    """Let a worker fail in its own thread, within its own loop, once the stage is armed."""
    beat, run = victim.beat, victim.run

    def turn() -> None:
        beat()
        if not stage.armed.is_set() or stage.released.is_set():
            return
        if fault == "raise":
            raise ValueError("boom")
        victim.stall_seconds = 0.1
        stage.released.wait(60)

    def end() -> None:
        stopper.start()
        run()
        victim.stopping.clear()  # nobody but its own loop knows why it ended

    def stop() -> None:
        stage.armed.wait(60)
        victim.stop()

    stopper = threading.Thread(target=stop, daemon=True)
    setattr(victim, "run" if fault == "return" else "beat", end if fault == "return" else turn)


@pytest.fixture(autouse=True)
def _loaded(pipeline: FacePipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app.FacePipeline, "load", lambda *_: pipeline)


def last_levels(folder: Path) -> list[str]:
    """What the lock line did, oldest first."""
    text = (folder / "lock.jsonl").read_text() if (folder / "lock.jsonl").exists() else ""
    return ["unlocked" if '"unlocked"' in line else "locked" for line in text.splitlines()]


@pytest.mark.parametrize(("name", "fault"), FAULTS)
def test_a_worker_that_fails_is_noticed_the_door_secured_and_the_daemon_ended(
    name: str, fault: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def prepare(daemon: Daemon) -> None:
        (victim,) = (worker for worker, _ in stage.workers if worker.name == name)
        fail(victim, fault, stage)

    caplog.set_level(logging.WARNING)
    stage = Stage(config_of(tmp_path, "{driver: fake, trace_path: lock.jsonl}"), prepare)
    assert stage.run() == 1
    levels = last_levels(tmp_path)
    assert ("unlocked" in levels, levels[-1]) == (True, "locked")
    assert (f"worker hangs name={name}" if fault == "hang" else f"worker failed name={name}") in caplog.text
    ours = {thread for thread in stage.threads if thread.startswith("edged-")}
    assert ours <= {f"edged-{worker}" for worker in WORKERS} | set(OTHERS)


@pytest.mark.parametrize("fault", ["hang", "raise"])
def test_a_link_to_the_door_that_fails_leaves_the_line_secure(fault: str, tmp_path: Path) -> None:
    lock = (
        f"{{driver: gpiod, chip: 'folder:{tmp_path}/chip', line: {LOCK}, active: high, power: fail_secure}}"
    )

    def prepare(daemon: Daemon) -> None:
        fail(daemon.door, fault, stage)

    stage = Stage(config_of(tmp_path, lock), prepare)
    assert stage.run() == 1
    levels = [
        json.loads(line)["high"] for line in (tmp_path / "chip/timeline.jsonl").read_text().splitlines()
    ]
    assert (True in levels, levels[-1]) == (True, False)


def test_a_journal_whose_writer_died_ends_the_daemon(tmp_path: Path) -> None:
    def prepare(daemon: Daemon) -> None:
        def turn() -> None:
            if stage.armed.is_set():
                daemon.journal._database._jobs.put(None)
            check()

        check, daemon.journal.check = daemon.journal.check, turn  # type: ignore[method-assign]

    stage = Stage(config_of(tmp_path, "{driver: fake, trace_path: lock.jsonl}"), prepare)
    assert stage.run() == 1
    assert last_levels(tmp_path)[-1] == "locked"


def test_a_listener_that_holds_up_the_door_s_reports_ends_the_daemon(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def prepare(daemon: Daemon) -> None:
        def told(_change: DoorChange) -> None:
            daemon.door.stall_seconds = 0.6  # its loop turns twice a second
            stage.released.wait(60)

        daemon.effects.door_answered = told  # type: ignore[method-assign]

    stage = Stage(config_of(tmp_path, "{driver: fake, trace_path: lock.jsonl}"), prepare)
    assert stage.run() == 1
    assert last_levels(tmp_path)[-1] == "locked"
    assert "worker hangs name=door" in caplog.text


def test_the_program_pings_no_watchdog_while_a_loop_hangs_and_ends_with_status_1(tmp_path: Path) -> None:
    config_of(tmp_path, "{driver: fake, trace_path: lock.jsonl}")
    program = [sys.executable, str(Path(__file__).with_name("hung_program.py")), "run"]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(60)
        watched = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "600000"}
        with (tmp_path / "log").open("wb") as log:
            process = subprocess.Popen(program, cwd=tmp_path, env=environment() | watched, stderr=log)
        try:
            told = [manager.recv(4096).decode()]
            while sum("WATCHDOG=1" in word for word in told) < 5:
                told.append(manager.recv(4096).decode())
            (tmp_path / "hang").touch()
            while "STOPPING=1" not in told[-1]:
                told.append(manager.recv(4096).decode())
            code = process.wait(60)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait(60)
    text = (tmp_path / "log").read_text()
    assert (told[0].splitlines()[0], code, last_levels(tmp_path)[-1]) == ("READY=1", 1, "locked")
    assert text.index("watchdog withheld silent=gallery") < text.index("worker hangs name=gallery")


def test_no_kind_of_worker_is_forgotten() -> None:
    """Those of a fleet and of keypads over MQTT run only where a door has them; tested beside them."""
    known = {type_.__name__ for type_ in Worker.__subclasses__() if type_.__module__.startswith("edged.")}
    assert known - {"FactorMqttWorker", "FleetMemberWorker"} == {
        "CaptureWorker", "DoorLink", "DoorWorker", "FactorSocketWorker", "GallerySyncWorker", "Monitor",
        "ProbeKeeper", "PublisherWorker", "RecognitionWorker",
    }  # fmt: skip
