"""``edged gallery``: look after the gallery as a whole."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from edged.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption

if TYPE_CHECKING:
    from edged.enrolment.findings import Finding

app = typer.Typer(help="Look after the gallery as a whole.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Look after the gallery as a whole."""


@app.command()
def audit(
    limit: Annotated[
        int, typer.Option("--limit", min=0, help="Show so many findings of a kind; 0 shows all.")
    ] = 20,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Find people enrolled twice, look-alikes, wrong and poor photographs, and say what to do.

    Nothing is changed. Exit status 1 where something needs action. --json has every finding.
    """
    from edged.config.loading import load
    from edged.enrolment.opening import audit_gallery

    settings = load(config)
    findings, people = audit_gallery(
        settings.models, settings.quality, settings.gallery, settings.security, settings.decision
    )
    actions = sum(finding.action for finding in findings)
    if as_json:
        facts = {
            "people": people,
            "actions": actions,
            "findings": [finding.as_json() for finding in findings],
        }
        typer.echo(json.dumps(facts, ensure_ascii=False, indent=2))
    else:
        _print(findings, limit)
        typer.echo(f"{people} people, {len(findings)} findings, {actions} of them need action")
    if actions:
        raise typer.Exit(1)


def _print(findings: "list[Finding]", limit: int) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from edged.enrolment.findings import TITLES

    console = Console()
    for kind, title in TITLES.items():
        found = [finding for finding in findings if finding.kind is kind]
        if not found:
            continue
        style = "bold red" if found[0].action else "bold"
        table = Table("who", "what was seen, and what to do", box=box.SIMPLE, title_justify="left")
        table.title = Text(f"{title}: {len(found)}", style)
        for finding in found[: limit or None]:
            who = "\n".join(f"{person.name} ({person.person_id})" for person in finding.people)
            what = Text(finding.text)
            for command in finding.advice:
                what.append(f"\n{command}", "cyan")
            table.add_row(Text(who), what)
        console.print(table)
        if limit and len(found) > limit:
            typer.echo(f"  and {len(found) - limit} more: --limit 0 shows all\n")
