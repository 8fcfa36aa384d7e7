"""``python -m tests.chaos``: inject, count, print one table; exit status 1 on any breach.

The numbers of faults are those of a run of twenty minutes, in proportion to ``--minutes``, at least one each.
Lanes run side by side: what an event meets on its way to the collector, what a door meets, and, at a fifth of
a core, what threads do to one another.
"""

import argparse
import json
import logging
import shutil
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tests.chaos import (
    broker_rows,
    camera_rows,
    door_rows,
    forgetful_broker,
    full_disk,
    interleaving,
    messaging,
    part_rows,
    power_cuts,
)
from tests.chaos.plan import FULL_MINUTES, Plan
from tests.chaos.row import Row, show

_FULL_CUTS = 1000
_FULL_FORGOTTEN = 30

Part = Callable[[Path, Plan], list[Row]]


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=FULL_MINUTES, help="about how long (default 20)")
    parser.add_argument("--seed", type=int, default=1, help="of the moments at which faults come")
    parser.add_argument(
        "--rows", nargs="+", default=[], metavar="WORDS", help="only rows with one of these in their name"
    )
    parser.add_argument("--json", action="store_true", help="print a JSON list of rows")
    chosen = parser.parse_args()
    if chosen.minutes <= 0:
        parser.error("--minutes must be above 0")
    folder = Path(tempfile.mkdtemp(prefix="edged-chaos-"))
    # What the parts under trial log of their faults belongs beside their journals.
    logging.basicConfig(filename=folder / "trial.log", level=logging.INFO)
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    )  # fmt: skip
    with Progress(*columns, console=console) as progress:
        rows = run(folder, _plan(chosen, progress))
    if not rows:
        parser.error("no row has any of these words in its name")
    broken = any(row.breaches for row in rows)
    if broken:
        sys.stderr.write(f"journals, logs and notes of this run are kept in {folder}\n")
    else:
        shutil.rmtree(folder)
    if chosen.json:
        sys.stdout.write(json.dumps([asdict(row) for row in rows], indent=2) + "\n")
    else:
        show(rows)
    sys.exit(broken)


def run(folder: Path, plan: Plan) -> list[Row]:
    """Run all lanes in ``folder``; a part that fails is a row that is broken."""
    lanes: tuple[tuple[tuple[str, Part], ...], ...] = (
        (("messaging", messaging.rows), ("forgetful", _forgetful), ("broker", broker_rows.rows)),
        (
            ("door", door_rows.rows),
            ("camera", lambda place, now: door_rows.rows(place, now, camera_rows.CAMERA_FAULTS)),
            ("disk", part_rows.disk_full),
            ("hung", part_rows.hung_workers),
            ("start-stop", part_rows.start_stop),
            ("power", _power),
        ),
        (("interleaving", interleaving.rows),),
    )
    with ThreadPoolExecutor(len(lanes)) as pool:
        done = [pool.submit(_lane, folder, plan, lane) for lane in lanes]
        return [row for lane in done for row in lane.result()]


def _lane(folder: Path, plan: Plan, parts: tuple[tuple[str, Part], ...]) -> list[Row]:
    rows: list[Row] = []
    for name, part in parts:
        try:
            rows += part(folder / name, plan)
        except Exception as exc:  # noqa: BLE001 - the other parts still have something to say
            told = Row(name, 0, "that the trial itself works", type(exc).__name__, breaches=(str(exc)[:300],))
            rows.append(plan.done(told))
    return rows


def _forgetful(folder: Path, plan: Plan) -> list[Row]:
    if not plan.wants(forgetful_broker.FAULT):
        return []
    folder.mkdir(parents=True, exist_ok=True)
    return [plan.done(forgetful_broker.row(folder, plan.times(_FULL_FORGOTTEN), plan.seed))]


def _power(_folder: Path, plan: Plan) -> list[Row]:
    rows = []
    if plan.wants(power_cuts.FAULT):
        rows.append(plan.done(power_cuts.row(power_cuts.run(plan.times(_FULL_CUTS), plan.seed))))
    if plan.wants(full_disk.FAULT):
        rows.append(plan.done(full_disk.row(full_disk.run(plan.times(full_disk.WRITES)))))
    return rows


def _plan(chosen: argparse.Namespace, progress: Progress) -> Plan:
    tasks = {}

    def step(fault: str, done: int, times: int) -> None:
        if fault not in tasks:
            tasks[fault] = progress.add_task(fault, total=times)
        progress.update(tasks[fault], completed=done + 1)

    def told(row: Row) -> None:
        if row.fault in tasks:
            progress.remove_task(tasks.pop(row.fault))
        verdict = "; ".join(row.breaches) or "as expected"
        progress.console.print(f"{row.fault}: {row.injected} times, {row.lost} lost, {verdict}", markup=False)

    return Plan(chosen.minutes, chosen.seed, tuple(chosen.rows), step, told)


if __name__ == "__main__":
    main()
