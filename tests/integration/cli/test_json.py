"""Every command that has something to say says it as JSON too."""

from collections.abc import Iterator
from typing import Any

import typer

from edged.cli.registry import register

# What runs until it is stopped, and what prints a document that is JSON already.
WITHOUT = {"run", "door run", "config schema"}


def commands(group: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Every command below ``group`` with its words."""
    for name, below in group.commands.items():
        if hasattr(below, "commands"):
            yield from commands(below, (*words, name))
        else:
            yield " ".join((*words, name)), below


def test_every_other_command_takes_json() -> None:
    app = typer.Typer()
    register(app)
    found = dict(commands(typer.main.get_command(app)))
    assert len(found) > 70
    without = {words for words, one in found.items() if not any("--json" in each.opts for each in one.params)}
    assert without == WITHOUT
