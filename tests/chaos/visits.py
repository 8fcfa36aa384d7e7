"""``python -m tests.chaos.visits``: thousands of visits at once; what does the daemon keep of them?

A whole daemon in this process, before its camera one visitor after the other as fast as they can be judged:
recognition, door, journal, attendance, broker. Between two visits nothing changes but what a visit leaves
behind, so growth is told per 1,000 visits and in figures that say what is in use, not what the allocator has
kept: Python's blocks, bytes that malloc has given out (mallinfo2(3)) but to SQLite, whose page caches fill up
to two megabytes a connection, descriptors, threads. The door process is looked at as well. Of each few
samples the smallest counts, when no frame was on its way. Exit status 1 where something grows significantly.
"""

import argparse
import ctypes
import gc
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from edged.app import Daemon
from edged.config import load
from edged.demo.bundled import bundled_cast
from edged.evaluation.scene import write_scene
from edged.workers.listeners import Listeners
from tests.chaos.footprint import footprint
from tests.chaos.keeping import Kept, leaks, lowest, slopes
from tests.chaos.slope import Slope
from tests.e2e.door import OfficeDoor, environment
from tests.fakes.mosquitto import mosquitto

_FPS = 120.0
_PEOPLE = 3
_SAMPLES, _LEAST_VISITS = 200, 1000
# A ``Kept`` and its numbers.
_BLOCKS_A_SAMPLE = 8


class _Mallinfo2(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_size_t)
        for name in ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks",
                     "fordblks", "keepcost")
    ]  # fmt: skip


def malloc_in_use() -> int:
    """Return the bytes that malloc has given out, its large maps included, to anybody but SQLite."""
    mallinfo2 = ctypes.CDLL(None).mallinfo2
    mallinfo2.restype = _Mallinfo2
    found = mallinfo2()
    return int(found.uordblks + found.hblkhd) - _sqlite_in_use()


def _sqlite_in_use() -> int:
    try:
        used = ctypes.CDLL("libsqlite3.so.0").sqlite3_memory_used
    except (OSError, AttributeError):  # built into Python: then its caches count
        return 0
    used.restype = ctypes.c_int64
    return int(used())


def kept(visits: int, number: int) -> Kept:
    """Look at this process for the time ``number``, from 0."""
    gc.collect()
    held = footprint(os.getpid())
    # What samples before this one hold was left by no visit.
    blocks = sys.getallocatedblocks() - _BLOCKS_A_SAMPLE * number
    door = footprint(_door_process()).rss
    return Kept(visits, held.rss, malloc_in_use() / 1e6, blocks, held.descriptors, held.threads, door)


def _door_process() -> int:
    children = [
        child
        for task in Path("/proc/self/task").iterdir()
        for child in (task / "children").read_text().split()
    ]
    for child in children:
        if b"edged.doorway" in Path(f"/proc/{child}/cmdline").read_bytes():
            return int(child)
    raise RuntimeError("the daemon has no door process")


class Visits:
    """A door in ``folder`` whose replay never ends; ``decided`` counts decisions by outcome."""

    def __init__(self, folder: Path, broker_port: int, settings: str = "") -> None:
        self.decided: Counter[str] = Counter()
        door = OfficeDoor(folder, None)
        people, strangers = bundled_cast()
        for name, photos in list(people.items())[:_PEOPLE]:
            (folder / "staff" / name).mkdir(parents=True)
            for photo in photos[:3]:
                (folder / "staff" / name / photo.name).symlink_to(photo)
        visits = [photos[3:] for photos in list(people.values())[:_PEOPLE]] + [strangers[0][:2]]
        write_scene(visits, folder / "scene", frames_a_visit=8, gap_frames=3)
        (folder / "config.yaml").write_text(
            _CONFIG.format(fps=_FPS, port=broker_port, chip=folder / "chip", more=settings)
        )
        door.edged("enrol", "--folder", "staff")
        listeners = Listeners(on_told=lambda told, _state: self._told(told.decision.outcome.value))
        self.daemon = Daemon(load(folder / "config.yaml"), listeners=listeners)
        self._thread = threading.Thread(target=self.daemon.run, name="daemon")

    def _told(self, outcome: str) -> None:
        self.decided[outcome] += 1

    @property
    def count(self) -> int:
        """How many visits were decided."""
        return self.decided.total()

    def watch(self, visits: int, told: Callable[[int], None] = lambda _: None) -> list[Kept]:
        """Let so many come; return what was kept after each hundredth of them."""
        self._thread.start()
        samples, due = [], 0
        try:
            while self.count < visits:
                if not self._thread.is_alive():
                    raise RuntimeError("the daemon has ended")
                if self.count >= due:
                    due = self.count + max(1, visits // _SAMPLES)
                    samples.append(kept(self.count, len(samples)))
                    told(self.count)
                time.sleep(0.02)
        finally:
            self.daemon.supervisor.request_stop()
            self._thread.join(30)
        return samples


def main() -> None:
    """Print what grew; exit status 1 where something did."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.visits", description=__doc__)
    parser.add_argument("--visits", type=int, default=2000, help="how many (default 2000)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    chosen = parser.parse_args()
    if chosen.visits < _LEAST_VISITS:
        parser.error(f"--visits must be {_LEAST_VISITS} or more: what fills during the first ones is no leak")
    with (
        tempfile.TemporaryDirectory(prefix="edged-visits-") as name,
        mosquitto(Path(name) / "broker", "max_queued_messages 0") as broker,
        Progress(console=Console(stderr=True)) as progress,
    ):
        subscriber = _subscriber(broker.port)
        try:
            task = progress.add_task("visits", total=chosen.visits)
            visits = Visits(Path(name) / "door", broker.port)
            samples = visits.watch(chosen.visits, lambda done: progress.update(task, completed=done))
        finally:
            subscriber.kill()
            subscriber.wait()
    found = slopes(samples)
    growing = leaks(found, chosen.visits)
    if chosen.json:
        report = {"decided": dict(visits.decided), "leaks": growing,
                  "samples": [asdict(one) for one in samples],
                  "per_1000_visits": {name: asdict(rate) for name, rate in found.items()}}  # fmt: skip
        sys.stdout.write(json.dumps(report) + "\n")
    else:
        _show(samples, found, growing)
        decided = ", ".join(f"{count} {outcome}" for outcome, count in visits.decided.items())
        sys.stdout.write(f"{decided}\n")
    sys.exit(bool(growing))


def _subscriber(port: int) -> "subprocess.Popen[bytes]":
    """Have somebody take the events: what nobody takes is kept, and is to be."""
    code = (
        f"from tests.fakes.collector import Collector; import time; Collector({port}, '#'); time.sleep(86400)"
    )
    return subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parents[2], env=environment())


def _show(samples: list[Kept], found: dict[str, Slope], growing: list[str]) -> None:
    table = Table("figure", "after warm-up", "at the end", "per 1,000 visits", "95 %", "")
    for name, rate in found.items():
        points = lowest(samples, name)
        table.add_row(
            name, f"{points[len(points) // 4][1]:.1f}", f"{points[-1][1]:.1f}", f"{rate.per_hour:+.3f}",
            f"{rate.low:+.3f} … {rate.high:+.3f}", "grows" if name in growing else "",
        )  # fmt: skip
    Console(width=110).print(table)


_CONFIG = """
site: test
door_id: front
camera: {{source: {{type: folder, path: scene, fps: {fps}, loop: true}}, max_frame_age_ms: 2000}}
door:
  lock: {{driver: gpiod, chip: 'folder:{chip}', line: 17, active: low, power: fail_secure}}
  unlock_seconds: 0.05
  max_requests: 1000
motion: {{enabled: false}}
decision:
  {{cooldown_seconds: 0, absence_seconds: 0.02, confirm_frames: 1, window_frames: 1, max_attempts: 0}}
attendance: {{enabled: true, direction: in, double_punch_seconds: 0}}
mqtt: {{port: {port}}}
journal: {{path: journal.db}}
gallery: {{path: people.db, key_file: vault.key}}
http: {{port: 0}}
logging: {{level: warning}}
{more}
"""


if __name__ == "__main__":
    main()
