"""``edged bench --search``: the search alone, in galleries of every size."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from edged.evaluation.search_speed import SearchSpeed


def bench_search(gallery: int, *, as_json: bool) -> None:
    """Measure the sizes up to ``gallery`` people; exit 1 where an answer is not that of float64."""
    from edged.cli.measuring import progress_bar
    from edged.evaluation.search_speed import SIZES, measure_search

    if gallery < 1:
        raise typer.BadParameter(
            f"expected 1 or more people to search, got {gallery}", param_hint="--gallery"
        )
    sizes = sorted({size for size in SIZES if size < gallery} | {gallery})
    with progress_bar("galleries") as progress:
        found = list(measure_search(sizes, progress=progress))
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in found]))
    else:
        _show(found)
    if any(min(one.same, one.decided) < one.probes or one.wrong for one in found):
        raise typer.Exit(1)


def _show(found: "list[SearchSpeed]") -> None:
    from rich.console import Console
    from rich.table import Table

    search = Table(
        "people", "kept", "p50", "p95", "CPU ms", "scored again", "as float64", title="ms a search"
    )
    memory = Table("people", "store", "read in s", "index", "in all", "at most", "swap", title="megabytes")
    for one in found:
        people = f"{one.people:,}{', fleet' if one.sent else ''}"
        times = (f"{value:.2f}" for value in (one.p50_ms, one.p95_ms, one.cpu_ms))
        again = f"{one.rescored[0]:,} - {one.rescored[1]:,}"
        search.add_row(people, one.kept, *times, again, f"{one.decided} of {one.probes}")
        sizes = (f"{value:,.0f}" for value in (one.index_mb, one.rss_mb, one.peak_mb, one.swap_mb))
        memory.add_row(people, f"{one.store_mb:,.0f}", f"{one.load_seconds:.1f}", *sizes)
    console = Console()
    console.print(search)
    console.print(
        "scored again: rows scored in float64, usually and at most. as float64: faces decided as by "
        f"the templates themselves; {sum(one.wrong for one in found)} were let in whom these would not, and "
        f"scores lie within {max(one.off for one in found):.0e}"
    )
    console.print(memory)
    console.print(
        "store: what it takes on the disk. index: rows and codes. in all: by how much the process grew, with "
        "people and all; at most: while it was read; swap: while another of the same people came in its place"
    )
