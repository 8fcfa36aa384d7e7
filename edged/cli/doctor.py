"""``edged doctor``: whether this door can be relied on, and at what risk."""

import json
import time
from typing import TYPE_CHECKING

import typer

from edged.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edged.doctor.finding import Finding


def doctor(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Check models, gallery, calibration and threshold, and say at what risk the door opens.

    Nothing is changed, and the daemon may run. Exit status 1 where a check fails.
    """
    from edged.config.loading import load
    from edged.doctor.checks import examine
    from edged.doctor.finding import State
    from edged.doctor.patient import Patient

    findings = examine(Patient(load(config), time.time()))
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


def _print(findings: "Mapping[str, Finding]") -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    colours = {"ok": "green", "warning": "yellow", "failed": "bold red"}
    table = Table("check", "state", "what was found", box=box.SIMPLE_HEAD, pad_edge=False)
    for name, found in findings.items():
        state = Text(found.state.value, colours[found.state.value])
        table.add_row(Text(name), state, Text(found.detail))
    Console().print(table)
