"""A whole door on this machine, made to be broken: camera program, daemon, door process, broker, collector.

The line is one of ``edged.devices.folder_gpio``, which keeps its level when its owner dies, as Raspberry Pi
kernels do, and records every level that it was driven to. Both processes are kept as their units say.
"""

import contextlib
import json
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edged.demo.bundled import bundled_cast
from edged.domain.types import EventKind, StoredEvent
from edged.evaluation.scene import write_scene
from edged.fleet.messages import parse_event
from edged.storage.journal_reader import JournalReader
from tests.chaos.ledger import Arrival, Balance, balance
from tests.chaos.line import Opening, openings, samples_of
from tests.chaos.service import Service
from tests.e2e.door import OfficeDoor, environment
from tests.fakes.collector import Collector
from tests.fakes.mosquitto import Mosquitto, mosquitto

ROOT = Path(__file__).parents[2]
LINE = 17
FPS = 12.0
_PEOPLE = 3
# A pulse that is longer, for a machine of which nobody knows how busy it is, makes no fault come later.
_LONGEST_PULSE_SECONDS = 3.0
# How long after the line moved its record says that it did.
_TOLD_SECONDS = 0.25
_STEP_SECONDS = 0.01
# What is behind a pulse: its record, the way through door process, journal and broker.
_SETTLE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Shown:
    """The camera showed ``mode`` from ``at`` on, monotonic seconds."""

    at: float
    mode: str


class Stage:
    """One door. ``pulse`` is how long a grant opens it, in seconds; ``program`` what is run as the daemon.

    ``patience`` is by how many seconds a busy machine may be late before that is a breach.
    """

    def __init__(
        self,
        folder: Path,
        broker: Mosquitto,
        collector: Collector,
        *,
        pulse: float = 3.0,
        patience: float = 0.0,
        program: tuple[str, ...] = ("-m", "edged", "run"),
        settings: str = "",
        journal: Path | None = None,
    ) -> None:
        self.folder, self.broker, self.collector, self.pulse = folder, broker, collector, pulse
        self.patience = patience
        self.office = OfficeDoor(folder, None)
        self.journal = journal or folder / "journal.db"
        self._scene()
        (folder / "config.yaml").write_text(_CONFIG.format(
            python=sys.executable, root=ROOT, folder=folder, fps=FPS, line=LINE, pulse=pulse,
            mqtt=broker.port, http=self.office.http_port, journal=self.journal, more=settings,
        ))  # fmt: skip
        self.office.edged("enrol", "--folder", "staff")
        env = environment()
        module = [sys.executable, "-m", "edged"]
        self.keeper = Service(
            "edged-door.service", [*module, "door", "run", "--state", str(folder / "state")], folder,
            after=[sys.executable, "-m", "edged.doorway", "--secure", "--config", "config.yaml",
                   "--state", str(folder / "state")], env=env,
        )  # fmt: skip
        self.daemon = Service("edged.service", [sys.executable, *program], folder, env=env)

    def start(self) -> None:
        """Start the door process, then the daemon, and wait until it sees something."""
        self.keeper.start()
        self.daemon.start()
        self.until(lambda: self.camera_pid() is not None, "the camera program starts")

    def stop(self) -> None:
        """End both in the order of a shutdown."""
        with contextlib.suppress(ProcessLookupError):
            for service in (self.daemon, self.keeper):
                if service.process is not None:
                    service.process.send_signal(signal.SIGCONT)
        self.daemon.stop()
        self.keeper.stop()

    def show(self, mode: str) -> None:
        """Have the camera show what ``stage_camera`` knows under ``mode``."""
        beside = self.folder / "mode.new"
        beside.write_text(mode)
        beside.replace(self.folder / "mode")

    def openings(self, since: float = 0.0) -> list[Opening]:
        """Return when the line stood open; those that began before ``since`` are left out."""
        samples = samples_of(self.folder / "chip/timeline.jsonl", LINE, active_low=True)
        return [one for one in openings(samples) if one.began_at >= since]

    @property
    def is_open(self) -> bool:
        """Whether the line stands open now, whoever holds it."""
        level = self.folder / "chip" / f"line-{LINE}"
        return level.exists() and level.read_bytes()[:1] == b"0"

    def grant(self, seconds: float = 90.0) -> float:
        """Show somebody who may enter until the door opens; return when it did."""
        self.until_shut()
        began_at = time.monotonic()
        self.show("face")
        self.until(lambda: self.is_open and self.openings(began_at), "the door opens", seconds)
        return self.openings(began_at)[-1].began_at

    def within_pulse(self, chance: random.Random, share: float) -> None:
        """Let some of a pulse pass, up to ``share`` of it."""
        time.sleep(chance.uniform(0.02, share * min(self.pulse, _LONGEST_PULSE_SECONDS)))

    def until_shut(self, seconds: float = 40.0) -> float:
        """Wait until the line is secure; return when it was found so."""
        self.until(lambda: not self.is_open, "the line is secure", seconds)
        return time.monotonic()

    def away(self, seconds: float = 1.2) -> None:
        """Show nobody until every track has ended."""
        self.show("empty")
        time.sleep(seconds)

    def until(self, condition: Callable[[], object], what: str, seconds: float = 60.0) -> None:
        """Wait until it holds. Raises ``RuntimeError``, naming ``what`` was waited for."""
        deadline = time.monotonic() + seconds + self.patience
        while not condition():
            if time.monotonic() > deadline:
                raise RuntimeError(f"not within {seconds:g} s: {what}; see {self.folder}")
            time.sleep(_STEP_SECONDS)

    def camera_pid(self) -> int | None:
        """Return the process id of the camera program, as it said it itself."""
        shown = self._shown()
        pid = None if not shown else int(shown[-1]["pid"])
        return pid if pid is not None and Path(f"/proc/{pid}").exists() else None

    def shown(self) -> list[Shown]:
        """Return what the camera showed and when."""
        return [Shown(row["at"], row["mode"]) for row in self._shown()]

    def events(self) -> list[StoredEvent]:
        """Return the journal as it is."""
        if not self.journal.exists():
            return []
        with JournalReader.open(self.journal) as reader:
            return list(reader.events())

    def alarms(self, kind: str) -> int:
        """Count alarms of a type in the journal."""
        return sum(one.event.kind is EventKind.ALARM and one.event.body.get("type") == kind
                   for one in self.events())  # fmt: skip

    def balance(self) -> Balance:
        """Hold the journal against what arrived at the collector."""
        arrivals = []
        for message in self.collector.messages:
            if "/event/" in message.topic:
                event = parse_event(message.payload)
                arrivals.append(Arrival((event.epoch, event.seq), event.id))
        # Read after the arrivals: what is recorded between the two must not look invented.
        journal = {(one.epoch, one.seq): one.event.event_id for one in self.events()}
        return balance(journal, (), arrivals)

    def settle(self) -> Balance:
        """Wait until all that happened has been recorded and has arrived; say what has not."""
        self.show("empty")
        self.until_shut()
        self.daemon.wait_ready()
        deadline, settled = time.monotonic() + _SETTLE_SECONDS, -1
        while True:
            found = self.balance()
            told = not found.lost and not unrecorded(self.openings(), self.events(), self.patience)[0]
            # Twice the same: an event recorded a moment ago is on its way, not lost.
            if (told and found.recorded == settled) or time.monotonic() > deadline:
                return found
            settled = found.recorded if told else -1
            time.sleep(0.5)

    def _shown(self) -> list[dict[str, Any]]:
        path = self.folder / "shown.jsonl"
        rows = path.read_bytes().splitlines(keepends=True) if path.exists() else []
        return [json.loads(row) for row in rows if row.endswith(b"\n")]

    def _scene(self) -> None:
        people, strangers = bundled_cast()
        for name, photos in list(people.items())[:_PEOPLE]:
            (self.folder / "staff" / name).mkdir(parents=True)
            for photo in photos[:3]:
                (self.folder / "staff" / name / photo.name).symlink_to(photo)
        (first, *_) = people.values()
        write_scene([first[3:]], self.folder / "face", frames_a_visit=16, gap_frames=0)
        write_scene([strangers[0][:2]], self.folder / "stranger", frames_a_visit=16, gap_frames=0)
        write_scene([], self.folder / "empty", gap_frames=12)
        (self.folder / "black").mkdir()
        for number in range(4):
            black = np.full((480, 640, 3), number % 2, np.uint8)
            cv2.imwrite(str(self.folder / "black" / f"{number}.jpg"), black)
        self.show("empty")


def unrecorded(
    found: list[Opening], events: list[StoredEvent], patience: float = 0.0
) -> tuple[int, int, int]:
    """Return openings of the line without a record, records without an opening, and records twice.

    A record is told by the door process with the very moment at which it moved the line. A grant within a
    running pulse moves nothing, and has a record of its own.
    """
    told = [
        (one.event.monotonic_at, str(one.event.body.get("access_event_id", "")))
        for one in events
        if one.event.kind is EventKind.DOOR and one.event.body.get("type") == "unlocked"
    ]
    late = _TOLD_SECONDS + patience
    missing = sum(not any(-0.02 <= at - one.began_at < late for at, _ in told) for one in found)
    now = time.monotonic()
    beside = sum(
        not any(one.began_at - 0.02 <= at <= one.began_at + one.seconds(now) + 0.02 for one in found)
        for at, _ in told
    )
    requests = [request for _, request in told if request]
    return missing, beside, len(requests) - len(set(requests))


@contextlib.contextmanager
def staged(folder: Path, **options: Any) -> Iterator[Stage]:
    """Build and start a door for the rows of one group."""
    folder.mkdir(parents=True, exist_ok=True)
    with (
        mosquitto(folder / "broker", "max_queued_messages 0") as broker,
        Collector(broker.port, "edged/test/front/#") as collector,
    ):
        stage = Stage(folder, broker, collector, **options)
        try:
            stage.start()
            yield stage
        finally:
            broker.thaw()
            stage.stop()


_CONFIG = """
site: test
door_id: front
camera:
  source:
    type: command
    argv: [{python}, -m, tests.chaos.stage_camera, '{folder}', '{fps}']
    format: mjpeg
  no_frame_timeout_ms: 1500
  reconnect_min_ms: 200
  reconnect_max_ms: 1000
  frozen_after_frames: 15
  blind_after_frames: 10
door:
  socket: '{folder}/door.sock'
  lock: {{driver: gpiod, chip: 'folder:{folder}/chip', line: {line}, active: low, power: fail_secure}}
  unlock_seconds: {pulse}
  max_unlock_seconds: {pulse}
decision: {{cooldown_seconds: 0, absence_seconds: 0.5}}
attendance: {{enabled: true, direction: in, double_punch_seconds: 0}}
mqtt: {{port: {mqtt}, keepalive_seconds: 2, reconnect_min_seconds: 0.1, reconnect_max_seconds: 1}}
journal: {{path: '{journal}'}}
gallery: {{path: people.db, key_file: vault.key}}
http: {{port: {http}}}
{more}
"""
