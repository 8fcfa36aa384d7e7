"""Doors of their own for faults that need another disk, another daemon, or no daemon at all."""

import contextlib
import itertools
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from edged.domain.types import EventKind
from tests.chaos.door_rows import Fault, Finding, run_fault
from tests.chaos.line import openings, samples_of, unsafe_ms
from tests.chaos.plan import Plan
from tests.chaos.row import Row
from tests.chaos.stage import LINE, Stage, staged
from tests.e2e.door import environment

# How soon a hang has to end in a restart, in seconds. A door may be away for 25; for those that may wait for
# a broker's name or a busy disk it is their own longest turn, and the watchdog behind it.
WORKERS = {"recognition": 20, "capture": 20, "door": 20, "gallery": 25, "publisher": 75, "probes": 75}
START_STOP = "start and stop of an active-low door"
DISK_FULL = "disk full during a grant"
HUNG = "a worker hangs in mid-pulse"
# Too small for a ballast, so that a full disk is a dead one; with a ballast the door would record on.
_DISK = "6m"


def start_stop(folder: Path, plan: Plan) -> list[Row]:
    """Start and end the door process, in good and in bad ways: the line is never driven open."""
    if not plan.wants(START_STOP):
        return []
    chip, chance, injected = folder / "chip", plan.chance(START_STOP), 0
    chip.mkdir(parents=True)
    (folder / "config.yaml").write_text(
        f"door:\n  lock: {{driver: gpiod, chip: 'folder:{chip}', line: {LINE}, active: low, "
        "power: fail_secure}\n  socket: door.sock\n"
    )
    command = [sys.executable, "-m", "edged.doorway", "--config", "config.yaml", "--state", "state"]
    for _ in plan.rounds(START_STOP, 100):
        before = len(_samples(chip))
        with (folder / "door.log").open("ab") as log:
            process = subprocess.Popen(command, cwd=folder, env=environment(), stderr=log)
        deadline = time.monotonic() + 60
        while len(_samples(chip)) == before and time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.005)
        time.sleep(chance.uniform(0.0, 0.1))
        process.send_signal(chance.choice((signal.SIGTERM, signal.SIGKILL, signal.SIGINT)))
        process.wait(30)
        injected += 1
    samples = _samples(chip)
    opened = openings(samples)
    breaches = [f"{len(opened)} activations"] if opened else []
    if len(samples) < injected:
        breaches.append("it did not start every time")
    text = f"{len(samples)} samples of the line, {len(opened)} active"
    unsafe = unsafe_ms(opened, -1.0, time.monotonic()) if opened else 0
    row = Row(START_STOP, injected, "no active sample", text, unsafe_ms=unsafe, breaches=tuple(breaches))
    return [plan.done(row)]


def disk_full(folder: Path, plan: Plan) -> list[Row]:
    """Fill the journal's disk, and free it again a while later."""
    if not plan.wants(DISK_FULL):
        return []
    with _small_disk(folder / "disk") as disk:
        if disk is None:
            return []
        fault = Fault(DISK_FULL, 8, "recorded or denied, door goes on later", _fill)
        with staged(folder / "door", journal=disk / "journal.db") as stage:
            return [run_fault(stage, fault, plan)]


def hung_workers(folder: Path, plan: Plan) -> list[Row]:
    """Let each worker of the daemon hang in turn, in the middle of a pulse."""
    if not plan.wants(HUNG):
        return []
    names = itertools.cycle(WORKERS)

    def hang(stage: Stage, chance: random.Random, found: Finding) -> None:
        name, exits = next(names), len(stage.daemon.exits)
        stage.grant()
        stage.within_pulse(chance, 0.6)
        began_at = time.monotonic()
        (stage.folder / "hang").write_text(name)
        stage.show("empty")
        stage.until(lambda: len(stage.daemon.exits) > exits, f"{name} that hangs ends the daemon", 100)
        what = "restarted" if WORKERS[name] == 20 else f"with {name}"
        found.took(what, time.monotonic() - began_at, WORKERS[name])
        stage.until_shut()
        stage.daemon.wait_ready()
        stage.away()

    fault = Fault(HUNG, len(WORKERS), "restarted ≤ 20 s, gallery ≤ 25 s, publisher and probes ≤ 75 s", hang)
    with staged(folder, program=("-m", "tests.chaos.hanging_daemon")) as stage:
        return [run_fault(stage, fault, plan)]


def _samples(chip: Path) -> list[tuple[float, bool]]:
    return samples_of(chip / "timeline.jsonl", LINE, active_low=True)


def _fill(stage: Stage, chance: random.Random, found: Finding) -> None:
    filler, since = stage.journal.parent / "filler", time.monotonic()
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    with filler.open("rb+") as file:  # some room: for half a record, or for two
        file.truncate(filler.stat().st_size - 4096 * chance.randrange(4))
    stage.show("face")
    time.sleep(2.0 + chance.uniform(0, 1))
    stage.away()
    stage.until_shut()
    opened = len(stage.openings(since))
    filler.unlink()
    began_at = time.monotonic()
    stage.grant(60)
    found.took("opens again", time.monotonic() - began_at)
    found.saw("openings while full", opened)
    stage.away()
    denied = [
        one
        for one in stage.events()
        if one.event.kind is EventKind.ACCESS and one.event.body.get("reason") == "store_failed"
    ]
    found.counts["denials for the disk"] = len(denied)


@contextlib.contextmanager
def _small_disk(path: Path) -> Iterator[Path | None]:
    """A file system of its own; None where we may not mount one."""
    path.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_DISK}", "tmpfs", str(path)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        sys.stderr.write(f"left out, it needs the right to mount: {DISK_FULL}\n")
        yield None
        return
    try:
        yield path
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)
