"""``edged fleet simulate``: a fleet on this machine, measured."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edged.cli.options import JsonOption
from edged.domain.count import counted

if TYPE_CHECKING:
    from edged.simulation.fleet import SimulatedFleet, Step


def simulate(
    doors: Annotated[int, typer.Option(min=1, max=1000, help="How many doors.")] = 10,
    people: Annotated[int, typer.Option(min=10, max=100_000, help="How many people.")] = 1000,
    *,
    port: Annotated[
        int | None, typer.Option(help="A broker on 127.0.0.1; one is started without it.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Run a publisher and many doors, without cameras and models, and measure what a change takes.

    Every door is the daemon's own code: it fetches, checks, stores and swaps in its gallery, and its signed
    receipt ends the clock. People are random vectors.
    """
    import tempfile

    from rich.console import Console

    from edged.errors import FleetError
    from edged.fleet.local_broker import start_mosquitto
    from edged.simulation.fleet import SimulatedFleet

    broker = None if port is not None else start_mosquitto()
    if port is None and broker is None:
        raise FleetError("mosquitto is not installed: install it, or name a broker with --port")
    console = Console(stderr=True)
    try:
        with (
            tempfile.TemporaryDirectory(prefix="edged-fleet-") as folder,
            console.status("starting") as status,
            SimulatedFleet(
                Path(folder),
                broker.port if broker is not None else port or 1883,
                doors=doors,
                people=people,
                say=lambda what: status.update(f"{what} ..."),
            ) as fleet,
        ):
            steps = _year(fleet, doors)
            refusals, rss = fleet.refusals(), fleet.rss_mb()
    finally:
        if broker is not None:
            broker.stop()
    _show(steps, refusals, rss, doors=doors, people=people, as_json=as_json)
    if refusals:
        raise typer.Exit(1)


def _year(fleet: "SimulatedFleet", doors: int) -> "list[Step]":
    """Return what was measured; a door alone neither stays away nor leaves."""
    steps = [fleet.first_publish(), fleet.change_one(), fleet.revoke(), fleet.forget()]
    steps += [fleet.absent_and_back()] if doors > 1 else []
    steps += [fleet.rotate("daily"), fleet.rotate("publisher")]
    return [*steps, fleet.remove_one()] if doors > 1 else steps


def _show(
    steps: "list[Step]", refusals: list[str], rss: float, *, doors: int, people: int, as_json: bool
) -> None:
    if as_json:
        import msgspec

        facts = {"doors": doors, "people": people, "rss_mb": round(rss), "refusals": refusals}
        typer.echo(json.dumps({**facts, "steps": msgspec.to_builtins(steps)}, indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None)
    for title in ("what", "all after", "sent", "to a door", "CPU a door", "faults"):
        table.add_column(title, no_wrap=True)
    for step in steps:
        table.add_row(
            step.what,
            f"{step.seconds:.2f} s",
            _size(step.sent),
            _size(step.received / doors),
            f"{step.cpu * 1000:,.0f} ms",
            f"{step.faults:,.0f}",
        )
    console = Console()
    console.print(
        f"{counted(people, 'person', 'people')}; {rss:,.0f} MB for {counted(doors, 'door')}, "
        f"{rss / doors:,.0f} MB each"
    )
    console.print(table)
    for text in refusals:
        console.print(f"refused  {text}", style="red", markup=False)


def _size(of_bytes: float) -> str:
    return f"{of_bytes / 1e3:.1f} kB" if of_bytes < 1e6 else f"{of_bytes / 1e6:.1f} MB"
