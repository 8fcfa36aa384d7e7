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

    table = Table("people", "kept", "p50 ms", "p95 ms", "CPU ms", "index MB", "RSS MB", title="search")
    table.add_column("peak MB")
    table.add_column("swap MB")
    table.add_column("scored again")
    table.add_column("as float64")
    for one in found:
        times = (f"{value:.2f}" for value in (one.p50_ms, one.p95_ms, one.cpu_ms))
        sizes = (f"{value:,.0f}" for value in (one.index_mb, one.rss_mb))
        peaks = (f"{value:,.0f}" for value in (one.peak_mb, one.swap_mb))
        again = f"{one.rescored[0]:,}, at most {one.rescored[1]:,}"
        same = f"{one.same} of {one.probes}"
        table.add_row(
            f"{one.people:,}",
            one.kept + (" (a fleet's)" if one.sent else ""),
            *times,
            *sizes,
            *peaks,
            again,
            same,
        )
    console = Console()
    console.print(table)
    for one in found:
        whose = " of a fleet" if one.sent else ""
        told = (
            f"{one.people:,} people{whose}: {one.decided} of {one.probes} decided as by the templates "
            f"themselves, {one.wrong} let in whom these would not; scores within {one.off:.1g}; "
            f"loaded from the store in {one.load_seconds:.2f} s, {one.store_mb:,.1f} MB"
        )
        console.print(told, soft_wrap=True)
