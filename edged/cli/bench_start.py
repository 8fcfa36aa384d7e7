"""``edged bench --start``: how soon a door decides after its start, and what it holds in memory then."""

import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from edged.domain.count import counted

if TYPE_CHECKING:
    from edged.config.sections import ModelsConfig
    from edged.evaluation.start_time import StartResult

# A start takes seconds; ``--rounds`` may be meant for frames.
MOST_STARTS = 5


def bench_start(models: "ModelsConfig", *, people: int, runs: int, as_json: bool) -> None:
    """Measure a door made for it, with ``models``, and print what was found. Raises ``EdgedError``."""
    result = measured_start(models, people=people, runs=runs)
    if as_json:
        typer.echo(json.dumps(asdict(result)))
    else:
        _show(result)


def measured_start(models: "ModelsConfig", *, people: int, runs: int) -> "StartResult":
    """Start a door with ``models`` that knows ``people``, ``runs`` times. Raises ``EdgedError``."""
    from edged.cli.measuring import progress_bar
    from edged.demo.trial_door import make_trial_door
    from edged.evaluation.start_time import measure_start

    with tempfile.TemporaryDirectory(prefix="edged-start-") as name, progress_bar("starts") as progress:
        folder = Path(name)
        make_trial_door(folder, models, people=people)
        return measure_start(folder, people=people, runs=runs, progress=progress)


def _show(result: "StartResult") -> None:
    from rich.console import Console
    from rich.table import Table

    what = f"median of {counted(result.runs, 'start')}, {counted(result.people, 'person', 'people')}"
    table = Table("", "ms", "processor ms", title=what)
    table.add_row("edged --help", f"{result.help_ms:.0f}", f"{result.help_cpu_ms:.0f}")
    table.add_row("edged run, ready", f"{result.ready_ms:.0f}", f"{result.ready_cpu_ms:.0f}")
    table.add_row("edged run, first decision", f"{result.first_decision_ms:.0f}", "")
    memory = Table("process", "resident MB", "its share MB", "its own MB", "threads")
    for name, held in (("daemon", result.daemon), ("door process", result.door)):
        memory.add_row(
            name, f"{held.rss_mb:.1f}", f"{held.pss_mb:.1f}", f"{held.private_mb:.1f}", str(held.threads)
        )
    console = Console()
    console.print(table)
    console.print(memory)
    slowest = ", ".join(f"{name} {ms:.0f}" for name, ms in result.imports)
    console.print(f"imports, milliseconds of their own: {slowest}", markup=False, highlight=False)
