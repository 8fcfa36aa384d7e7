"""``python -m tests.chaos.soak``: a real door under small faults for a long time; does anything grow?

Visits, brokers that restart, camera programs that die or stall, bursts of refused attempts, reloads: all of
it is what one process has to live through. Printed is the slope of memory, descriptors and threads with its
95 % interval, of the daemon and of the door process, the first quarter left out. Exit status 1 where one
grows significantly, by two megabytes or one of the others, and still does in the second half; where an event
is lost or the line is open too long. What fills during the first minutes is no leak: a soak of less than ten
says little. ``python -m tests.chaos.visits`` says more of memory in less time.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from tests.chaos.door_rows import stale_openings
from tests.chaos.footprint import FIGURES, LEAST, Footprint, footprint
from tests.chaos.line import unsafe_ms
from tests.chaos.slope import Slope, slope
from tests.chaos.stage import Stage, staged, unrecorded
from tests.e2e.door import environment

_FULL_MINUTES, _FULL_CYCLES = 20.0, 1000
_SAMPLE_SECONDS = 1.0
_BURST = 5
_PULSE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Grown:
    """A figure of a process: what it was after the warm-up and at the end, and its slope an hour."""

    process: str
    figure: str
    first: float
    last: float
    slope: Slope
    leaks: bool


class Sampler(threading.Thread):
    """Looks at processes once a second until told to stop."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(name="sampler")
        self.held: dict[str, list[Footprint]] = {"daemon": [], "door process": []}
        self._processes = {"daemon": stage.daemon.process, "door process": stage.keeper.process}
        self._ending = threading.Event()

    def run(self) -> None:
        """Sample; a process that has ended is not looked at any more."""
        while not self._ending.wait(_SAMPLE_SECONDS):
            for name, process in self._processes.items():
                if process is not None and process.poll() is None:
                    self.held[name].append(footprint(process.pid))

    def stop(self) -> None:
        """Stop and wait."""
        self._ending.set()
        self.join()


def grown(held: dict[str, list[Footprint]]) -> list[Grown]:
    """Judge every figure of every process."""
    found = []
    for process, prints in held.items():
        for figure in FIGURES:
            samples = [(one.at, getattr(one, figure)) for one in prints]
            rate = slope(samples)
            first = samples[len(samples) // 4][1]
            found.append(Grown(process, figure, first, samples[-1][1], rate, leaks=rate.grows(LEAST[figure])))
    return found


def _visit(stage: Stage, chance: random.Random) -> None:
    stage.show("face")
    time.sleep(chance.uniform(0.8, 1.6))
    stage.away()


def _broker(stage: Stage, chance: random.Random) -> None:
    stage.broker.stop()
    time.sleep(chance.uniform(0.5, 4.0))
    stage.broker.start()


def _camera(stage: Stage, chance: random.Random) -> None:
    stage.show(chance.choice(("cut", "stall", "frozen", "black")))
    time.sleep(chance.uniform(0.5, 4.0))
    stage.away()


def _burst(stage: Stage, chance: random.Random) -> None:
    del chance
    for _ in range(_BURST):
        stage.show("stranger")
        time.sleep(1.0)
        stage.away(0.9)


def _reload(stage: Stage, chance: random.Random) -> None:
    del chance
    stage.daemon.send(signal.SIGHUP)
    time.sleep(0.3)


# Weights: a door has many visits a fault.
_DECK: tuple[tuple[str, int, Callable[[Stage, random.Random], None]], ...] = (
    ("visits", 6, _visit),
    ("broker restarts", 2, _broker),
    ("camera faults", 3, _camera),
    ("bursts of 5 refused attempts", 1, _burst),
    ("reloads", 2, _reload),
)


def soak(stage: Stage, minutes: float, chance: random.Random, told: Callable[[float], None]) -> Counter[str]:
    """Play faults until the time is over; return how often each."""
    done: Counter[str] = Counter()
    deck: list[tuple[str, Callable[[Stage, random.Random], None]]] = []
    began_at = time.monotonic()
    while (lasted := time.monotonic() - began_at) < 60 * minutes:
        told(lasted)
        if not deck:
            deck = [(name, play) for name, weight, play in _DECK for _ in range(weight)]
            chance.shuffle(deck)
        name, play = deck.pop()
        play(stage, chance)
        done[name] += 1
        time.sleep(chance.uniform(0.1, 1.0))
    return done


def judge(stage: Stage, since: float) -> list[str]:
    """Say what must not have been: restarts, lost events, an open line."""
    balance, opened = stage.settle(), stage.openings(since)
    missing, invented, _ = unrecorded(opened, stage.events())
    wrong = {
        "ends of the daemon": len(stage.daemon.exits),
        "ends of the door process": len(stage.keeper.exits),
        "ms the line stood open too long": unsafe_ms(opened, stage.pulse, time.monotonic()),
        "openings without a record": missing,
        "records without an opening": invented,
        "openings for nobody": stale_openings(stage, opened),
    }
    return [f"{count} {what}" for what, count in wrong.items() if count] + list(balance.breaches)


def main() -> None:
    """Run, print, and exit."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=_FULL_MINUTES, help="how long (default 20)")
    parser.add_argument("--seed", type=int, default=1, help="of the moments at which faults come")
    parser.add_argument("--json", action="store_true", help="print JSON")
    chosen = parser.parse_args()
    if chosen.minutes < 0.5:
        parser.error("--minutes must be 0.5 or more: a slope needs samples")
    folder = Path(tempfile.mkdtemp(prefix="edged-soak-"))
    cycles = max(20, round(_FULL_CYCLES * chosen.minutes / _FULL_MINUTES))
    with staged(folder, pulse=_PULSE_SECONDS) as stage, Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("soaking", total=60 * chosen.minutes)
        silent, sampler, since = _silent_camera(folder, cycles), Sampler(stage), time.monotonic()
        sampler.start()
        try:
            chance = random.Random(chosen.seed)
            done = soak(stage, chosen.minutes, chance, lambda lasted: progress.update(task, completed=lasted))
        finally:
            sampler.stop()
            words, _ = silent.communicate(timeout=600)
        problems = judge(stage, since)
        openings = len(stage.openings(since))
    found, unanswered = grown(sampler.held), json.loads(words)
    problems += [f"{one.process}: {one.figure} grow" for one in found if one.leaks]
    problems += [f"unanswered camera: {figure} grow" for figure in unanswered["leaks"]]
    report = {"minutes": chosen.minutes, "done": dict(done), "openings": openings,
              "unanswered_camera": unanswered, "figures": [asdict(one) for one in found],
              "problems": problems}  # fmt: skip
    if problems:
        (folder / "samples.json").write_text(json.dumps({
            name: [asdict(one) for one in prints] for name, prints in sampler.held.items()
        }))  # fmt: skip
        sys.stderr.write(f"samples, journal and logs of this run are kept in {folder}\n")
    else:
        shutil.rmtree(folder)
    if chosen.json:
        sys.stdout.write(json.dumps(report, indent=2) + "\n")
    else:
        _show(report, found)
    sys.exit(bool(problems))


def _silent_camera(folder: Path, cycles: int) -> "subprocess.Popen[str]":
    """Let a stream that accepts and never answers be opened again and again, beside the door."""
    command = [sys.executable, "-m", "tests.chaos.reconnects", "silent", "--cycles", str(cycles)]
    log = (folder / "silent.log").open("w")
    env = {**environment(), "OMP_NUM_THREADS": "1", "HOME": os.environ.get("HOME", "/")}
    with log:
        return subprocess.Popen(
            command, cwd=Path(__file__).parents[2], env=env, stdout=subprocess.PIPE, stderr=log, text=True
        )


def _show(report: dict[str, Any], found: list[Grown]) -> None:
    table = Table()
    for heading in (
        "process",
        "figure",
        "after warm-up",
        "at the end",
        "slope per hour",
        "95 %",
        "second half",
        "",
    ):
        table.add_column(heading)
    for one in found:
        rate = one.slope
        table.add_row(
            one.process, f"{one.figure}{' MB' if one.figure == 'rss' else ''}", f"{one.first:.1f}",
            f"{one.last:.1f}", f"{rate.per_hour:+.2f}", f"{rate.low:+.2f} … {rate.high:+.2f}",
            f"{rate.late:+.2f}",
            "grows" if one.leaks else "",
        )  # fmt: skip
    console = Console(width=120)
    console.print(table)
    done = ", ".join(f"{count} {what}" for what, count in report["done"].items())
    console.print(f"{report['minutes']:g} minutes: {done}; {report['openings']} openings.", markup=False)
    unanswered = report["unanswered_camera"]
    held = ", ".join(
        f"{figure} {unanswered[figure][0]:.0f} → {unanswered[figure][1]:.0f}" for figure in FIGURES
    )
    console.print(f"A camera that never answers, opened {unanswered['cycles']} times: {held}.", markup=False)
    for problem in report["problems"]:
        console.print(f"problem: {problem}", markup=False)


if __name__ == "__main__":
    main()
