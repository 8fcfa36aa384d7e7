"""How ``edged models`` shows packs: tables for people, JSON for programs."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from edged.vision.download import Progress
    from edged.vision.installation import Installed
    from edged.vision.inventory import Stock, Verdict
    from edged.vision.packs import CalibrationPoint, ModelSpec, Pack

_HEAD = ("pack", "task", "state", "files", "commercial", "licence")
# Between two columns: a space, and the rule's own.
_GAP = 2


@contextmanager
def progress_bars() -> "Iterator[Progress]":
    """Show a bar a file on stderr, where that is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        tasks: dict[str, Any] = {}

        def show(name: str, have: int, size: int) -> None:
            if name not in tasks:
                tasks[name] = bars.add_task(name, total=size)
            bars.update(tasks[name], completed=have)

        yield show


def print_json(value: object) -> None:
    """Print any JSON value, indented."""
    typer.echo(json.dumps(value, indent=2))


def print_list(stocks: "Sequence[Stock]") -> None:
    """Print one row a pack.

    A narrow terminal costs the licence, which `info` shows in full; what is left of it is cut, never the
    other columns, which on a very narrow one run over the edge.
    """
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    rows = [_row(stock) for stock in stocks]
    widths = [_width([title, *column]) for title, *column in zip(_HEAD, *rows, strict=True)]
    console = Console()
    others = sum(widths[:-1]) + _GAP * len(widths[:-1])
    console.width = max(console.width, others + len(_HEAD[-1]))
    widths[-1] = min(widths[-1], console.width - others)
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, _GAP - 1, 0, 0))
    for title, width in zip(_HEAD, widths, strict=True):
        table.add_column(title, no_wrap=True, width=width, overflow="ellipsis")
    for row in rows:
        table.add_row(*map(Text, row))
    console.print(table)


def print_info(stock: "Stock") -> None:
    """Print all that is known about one pack."""
    pack = stock.pack
    lines = [
        ("title", pack.title),
        ("state", " ".join((_state(stock), *stock.present))),
        ("folder", str(pack.directory)),
        ("licence", pack.licence + (f"\n{pack.licence_url}" if pack.licence_url else "")),
        ("commercial use", "allowed" if pack.commercial else "not allowed"),
        ("provenance", pack.provenance),
    ]
    for spec in pack.models:
        lines += _described(spec)
    _facts(lines)


def print_installed(installed: "Sequence[Installed]") -> None:
    """Print one line a pack with its licence."""
    for one in installed:
        what = f"installed {', '.join(one.added)}" if one.added else "is installed, nothing to fetch"
        use = "" if one.pack.commercial else "; no commercial use"
        typer.echo(f"{one.pack.name}: {what} (licence: {one.pack.licence}{use})")


def print_verdicts(verdicts: "Sequence[Verdict]") -> None:
    """Print one line a pack."""
    for one in verdicts:
        told = f"failed: {one.problem}" if one.problem else f"ok ({', '.join(one.precisions)})"
        typer.echo(f"{one.pack.name}: {told}")
        if one.outdated:
            typer.echo(
                f"{one.pack.name}: its descriptor is not the one of this edged: pull or import it again"
            )


def summary(stock: "Stock") -> dict[str, Any]:
    """Return what ``list --json`` tells of one pack."""
    pack: Pack = stock.pack
    return {
        "name": pack.name,
        "title": pack.title,
        "tasks": pack.tasks,
        "state": stock.state,
        "installed": stock.present,
        "sizes_bytes": stock.sizes,
        "licence": pack.licence,
        "licence_url": pack.licence_url,
        "commercial": pack.commercial,
    }


def details(stock: "Stock") -> dict[str, Any]:
    """Return what ``info --json`` tells."""
    import msgspec

    pack: Pack = stock.pack
    return summary(stock) | {
        "provenance": pack.provenance,
        "directory": str(pack.directory),
        "models": msgspec.to_builtins(pack.models),
    }


def installed_json(one: "Installed") -> dict[str, Any]:
    """Return what ``pull --json`` and ``import --json`` tell of one pack."""
    return {
        "name": one.pack.name,
        "added": one.added,
        "installed": one.pack.present(),
        "directory": str(one.pack.directory),
        "licence": one.pack.licence,
        "commercial": one.pack.commercial,
    }


def verdict_json(one: "Verdict") -> dict[str, Any]:
    """Return what ``verify --json`` tells of one pack."""
    return {
        "name": one.pack.name,
        "ok": one.problem is None,
        "installed": one.precisions,
        "problem": one.problem,
        "descriptor_outdated": one.outdated,
    }


def _facts(rows: Sequence[tuple[str, str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column()
    table.add_column(overflow="fold")  # an address must stay whole to be copied
    for row in rows:
        table.add_row(*map(Text, row))
    Console().print(table)


def _width(cells: Sequence[str]) -> int:
    return max(len(line) for cell in cells for line in cell.splitlines() or [""])


def _row(stock: "Stock") -> tuple[str, ...]:
    pack = stock.pack
    files = "\n".join(f"{one} {size / 1e6:.1f} MB" for one, size in stock.sizes.items())
    use = "yes" if pack.commercial else "no"
    return pack.name, "\n".join(pack.tasks), _state(stock), files, use, pack.licence


def _state(stock: "Stock") -> str:
    if stock.state == "installed":
        return "installed" if len(stock.present) == len(stock.sizes) else "partly"
    return {"pull": "to pull", "import": "to import"}[stock.state]


def _described(spec: "ModelSpec") -> list[tuple[str, str]]:
    shape = f"{spec.input[0]} x {spec.input[1]} {spec.channels.upper()}"
    lines = [("", ""), (spec.task, f"{spec.decoder}, input {shape}, (x - {spec.mean:g}) * {spec.scale:.6g}")]
    if spec.space:
        lines.append(("embedding", f"space {spec.space}, {spec.dimension} numbers"))
    for precision, file in spec.files.items():
        own = f"\nspace {file.space}" if file.space else ""
        where = file.url or "no address"
        lines.append((precision, f"{file.name}, {file.size:,} bytes\nSHA-256 {file.sha256}\n{where}{own}"))
    lines += [
        (
            f"FMR {point.fmr:g}",
            f"cosine {point.threshold:g} ({point.comparisons:,} comparisons{_bound(point)})",
        )
        for point in spec.calibration
    ]
    if spec.cohort:
        lines.append(("cohort", f"{spec.cohort.people:,} strangers for `edged calibrate`"))
    if spec.measured_with:
        lines.append(("measured with", spec.measured_with))
    return lines


def _bound(point: "CalibrationPoint") -> str:
    return "" if point.bound is None else ", upper bound"
