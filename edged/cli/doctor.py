"""``edged doctor``: whether this door can be relied on, and at what risk."""

import json
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from edged.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption
from edged.domain.count import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from edged.doctor.examination import Check
    from edged.doctor.finding import Finding


Names = Annotated[list[str] | None, typer.Option(metavar="CHECK", help="This check; may be repeated.")]


def doctor(
    config: ConfigOption = DEFAULT_CONFIG,
    only: Names = None,
    skip: Names = None,
    as_json: JsonOption = False,
) -> None:
    """Check everything that the door relies on: models, threshold, lock, camera, disk, clock, keys.

    Nothing is changed, no line is claimed, and the daemon may run: what it holds is asked of it. Each check
    has a time limit. Exit status 1 where one fails; a warning is something to know.
    """
    from edged.config.loading import load
    from edged.doctor.examination import examine
    from edged.doctor.finding import State
    from edged.doctor.patient import Patient

    chosen = _chosen(only or (), skip or ())
    patient = Patient(load(config), time.time(), path=config)
    with _progress() as say:
        findings = examine(patient, chosen, before=say)
    ok = all(found.state is not State.FAILED for found in findings.values())
    if as_json:
        checks = [
            {"check": name, "state": found.state.value, "detail": found.detail, "facts": dict(found.facts)}
            for name, found in findings.items()
        ]
        typer.echo(json.dumps({"ok": ok, "checks": checks}, indent=2))
    else:
        _print(findings)
    if not ok:
        raise typer.Exit(1)


def _chosen(only: "Sequence[str]", skip: "Sequence[str]") -> "Mapping[str, Check]":
    from edged.doctor.examination import CHECKS, Selection

    try:
        chosen = Selection(only, skip).of()
    except KeyError as exc:
        known = ", ".join(name.replace(" ", "-") for name in CHECKS)
        raise typer.BadParameter(f"there is no check {exc.args[0]!r}; there are {known}") from exc
    if not chosen:
        raise typer.BadParameter("no check is left")
    return chosen


@contextmanager
def _progress() -> "Iterator[Callable[[str], None]]":
    """Yield what shows, on a terminal, which check is at work."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _name: None
        return
    with console.status("") as status:
        yield lambda name: status.update(f"checking {name}")


def _print(findings: "Mapping[str, Finding]") -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    colours = {"ok": "green", "warning": "yellow", "failed": "bold red", "not applicable": "dim"}
    table = Table("check", "state", "what was found", box=box.SIMPLE_HEAD, pad_edge=False)
    for name, found in findings.items():
        state = Text(found.state.value, colours[found.state.value])
        table.add_row(Text(name), state, Text(found.detail))
    console = Console()
    console.print(table)
    states = [found.state.value for found in findings.values()]
    failed, warnings = states.count("failed"), states.count("warning")
    console.print(Text(f"{counted(len(states), 'check')}: {failed} failed, {warnings} to know about."))
