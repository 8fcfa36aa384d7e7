"""``python -m tests.chaos.storage``: the journal on disks that tear, and that are full; one table.

Exit status 1 where anything was lost. ``--normal`` weakens ``synchronous``, to show that the trial can fail.
"""

import argparse
import json
import logging
import sys
from dataclasses import asdict

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tests.chaos import full_disk, power_cuts
from tests.chaos.row import Row, show


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.storage", description=__doc__)
    parser.add_argument("--cuts", type=int, default=1000, help="how often the power goes (default 1000)")
    parser.add_argument(
        "--writes", type=int, default=full_disk.WRITES, help="at how many writes the disk becomes full"
    )
    parser.add_argument("--seed", type=int, default=1, help="of the moments at which the power goes")
    parser.add_argument("--normal", action="store_true", help="weaken synchronous: the trial must fail")
    parser.add_argument("--json", action="store_true", help="print a JSON list of rows")
    wanted = parser.parse_args()
    # The journal says at each fault that there is one; that there is, is the trial's own doing.
    logging.disable(logging.CRITICAL)
    rows = run(wanted)
    if wanted.json:
        sys.stdout.write(json.dumps([asdict(row) for row in rows], indent=2) + "\n")
    else:
        show(rows)
    return int(any(row.breaches for row in rows))


def run(wanted: argparse.Namespace) -> list[Row]:
    """Do both trials, with a bar of their progress on standard error."""
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    )  # fmt: skip
    console = Console(stderr=True)
    rows = []
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        if wanted.cuts > 0:
            task = progress.add_task(power_cuts.FAULT, total=wanted.cuts)
            found = power_cuts.run(
                wanted.cuts, wanted.seed, normal=wanted.normal,
                step=lambda done: progress.update(task, completed=done),
            )  # fmt: skip
            rows.append(power_cuts.row(found))
        if wanted.writes > 0:
            filling = progress.add_task(full_disk.FAULT, total=wanted.writes)
            filled = full_disk.run(wanted.writes, lambda done: progress.update(filling, completed=done))
            rows.append(full_disk.row(filled))
    return rows


if __name__ == "__main__":
    sys.exit(main())
