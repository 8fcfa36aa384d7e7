"""``edged models quantize``: an int8 file for an installed pack, refused unless it is as good."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edged.cli.measuring_options import ConfigOption, DirectoryOption
from edged.cli.options import JsonOption

if TYPE_CHECKING:
    from edged.evaluation.quantization.run import Outcome, Progress


class Task(StrEnum):
    """What ``--task`` takes."""

    DETECTOR = "detector"
    EMBEDDER = "embedder"


def quantize(
    name: Annotated[str, typer.Argument(metavar="PACK", help="An installed pack with a float32 file.")],
    *,
    photos: Annotated[Path, typer.Option(help="Photographs, one folder a person.")],
    task: Annotated[Task | None, typer.Option(help="Which model of a pack that has both.")] = None,
    detector: Annotated[
        str | None, typer.Option(help="The pack that finds the faces for an embedder.  [default: configured]")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write the pack below this folder; the installed one stays as it is.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an int8 file that is there.")] = False,
    report: Annotated[Path | None, typer.Option(help="Write all figures to this file, as JSON.")] = None,
    config: ConfigOption = None,
    directory: DirectoryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make an int8 file of a pack's float32 model, measure it, and install it if it is as good.

    A quarter of the people calibrate (by a hash of the folder's name), the others are measured on.
    """
    import msgspec

    from edged.cli.measuring import models_section
    from edged.errors import ModelError
    from edged.evaluation.quantization.run import Order, quantize_pack
    from edged.vision.packs import Catalogue

    models = models_section(config, detector=detector)
    catalogue = Catalogue((directory or models.directory).absolute())
    order = Order(name, photos, models, task.value if task else None, out, force)
    with task_bars() as progress:
        outcome = quantize_pack(catalogue, order, progress)
    # Unlike the standard library's, this JSON has null for a number that there is none of.
    told = msgspec.json.format(msgspec.json.encode(_as_json(outcome)), indent=2).decode()
    if report:
        _write(report, f"{told}\n")
    if as_json:
        typer.echo(told)
    else:
        _show(outcome)
    if outcome.installed is None:
        raise ModelError(f"{name}: refused, nothing was installed: {'; '.join(outcome.problems)}")


def _write(path: Path, text: str) -> None:
    from edged.errors import EvaluationError

    try:
        path.write_text(text, encoding="utf-8")
    except OSError as exc:
        raise EvaluationError(f"{path}: the report cannot be written: {exc.strerror or exc}") from exc


def _as_json(outcome: "Outcome") -> dict[str, Any]:
    from edged.evaluation.quantization.embedders import EmbedderFigures

    figures = asdict(outcome.figures)
    if isinstance(outcome.figures, EmbedderFigures):
        figures |= {"shift": outcome.figures.shift, "one_space": outcome.figures.one_space}
    return {
        "pack": outcome.pack,
        "task": outcome.task,
        "accepted": outcome.installed is not None,
        "problems": outcome.problems,
        "directory": str(outcome.installed.directory) if outcome.installed else None,
        "space": outcome.space,
        "calibration_pictures": outcome.calibration_pictures,
        "quantization": asdict(outcome.quantization),
        "figures": figures,
        "float32_ms": outcome.float32_ms,
        "int8_ms": outcome.int8_ms,
    }


def _show(outcome: "Outcome") -> None:
    from rich.console import Console
    from rich.table import Table

    from edged.evaluation.quantization.embedders import EmbedderFigures

    figures, made = outcome.figures, outcome.quantization
    table = Table("", "float32", "int8", title=f"{outcome.pack}, {outcome.task}")
    if isinstance(figures, EmbedderFigures):
        for before, after in zip(figures.float32, figures.int8, strict=True):
            table.add_row(f"TMR at FMR {before.fmr:g}", f"{1 - before.fnmr:.2%}", f"{1 - after.fnmr:.2%}")
            table.add_row("  threshold", f"{before.threshold:.4f}", f"{after.threshold:.4f}")
        seen = f"{figures.photographs} photographs of {figures.people} people, correlation of the scores "
        seen += f"{figures.correlation:.4f}, cosine {figures.cosine:.4f} (lowest {figures.lowest_cosine:.4f})"
    else:
        table.add_row("pictures with a face", f"{figures.float32_found:.2%}", f"{figures.int8_found:.2%}")
        seen = f"{figures.pictures} pictures, {figures.recall:.2%} of float32's faces found, landmarks "
        seen += f"{figures.landmark_shift:.3f} eye distances apart"
    table.add_row("milliseconds", f"{outcome.float32_ms:.2f}", f"{outcome.int8_ms:.2f}")
    table.add_row("bytes", f"{made.float32_size:,}", f"{made.int8_size:,}")
    console = Console()
    console.print(table)
    console.print(f"calibrated with {outcome.calibration_pictures} pictures; measured on others: {seen}")
    if outcome.int8_ms > outcome.float32_ms:
        typer.echo("edged: on this machine int8 is slower than float32", err=True)
    if outcome.installed:
        console.print(f"{outcome.pack}: installed int8 in {outcome.installed.directory}", soft_wrap=True)


@contextmanager
def task_bars() -> "Iterator[Progress]":
    """Show a bar for each part of the work on stderr, where that is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        tasks: dict[str, Any] = {}

        def show(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done)

        yield show
