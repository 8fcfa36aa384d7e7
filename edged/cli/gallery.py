"""``edged gallery``: look after the gallery as a whole."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from edged.cli.measuring import progress_bar
from edged.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption
from edged.cli.people_view import tell_of_fleet
from edged.domain.count import counted

if TYPE_CHECKING:
    from edged.enrolment.distinctions import Told
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
    tell_of_fleet(settings)
    with progress_bar("comparing") as progress:
        findings, people = audit_gallery(
            settings.models, settings.quality, settings.gallery, settings.security, settings.decision,
            progress=progress,
        )  # fmt: skip
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
        typer.echo(
            f"{counted(people, 'person', 'people')}, {counted(len(findings), 'finding')}, {actions} to act on"
        )
    if actions:
        raise typer.Exit(1)


@app.command()
def different(
    one: Annotated[str | None, typer.Argument(metavar="PERSON", help="An id, or a name.")] = None,
    other: Annotated[str | None, typer.Argument(metavar="OTHER", help="Who is somebody else.")] = None,
    *,
    reason: Annotated[str, typer.Option(help="Why you are sure, such as 'twins'.")] = "",
    undo: Annotated[bool, typer.Option("--undo", help="Take it back.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Say that two people who look alike are two, or list what was said so.

    The audit then asks for nothing more of the pair, and `edged people merge` joins them by --force only.
    The door goes on asking more of both than of others.
    """
    from edged.config.loading import load
    from edged.enrolment.distinctions import open_distinctions

    if (one is None) != (other is None):
        raise typer.BadParameter("who is somebody else? Name two people, or none for a list")
    settings = load(config)
    tell_of_fleet(settings)
    with open_distinctions(settings.gallery, writable=one is not None) as distinctions:
        if one is None or other is None:
            if undo or reason:
                raise typer.BadParameter("of whom? Name two people")
            _print_told(distinctions.all(), as_json=as_json)
            return
        told = distinctions.undo(one, other) if undo else distinctions.add(one, other, reason)
    what = "no longer said to be two people" if undo else "said to be two people"
    if as_json:
        typer.echo(json.dumps({"done": what, **told.as_json()}, ensure_ascii=False))
        return
    typer.echo(f"{what}: {' and '.join(f'{person.name} ({person.person_id})' for person in told.people)}")


def _print_told(found: "list[Told]", *, as_json: bool) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    if as_json:
        typer.echo(json.dumps([told.as_json() for told in found], ensure_ascii=False, indent=2))
        return
    table = Table("person", "is not", "since", "reason", box=None)
    for told in found:
        people = (f"{person.name} ({person.person_id})" for person in told.people)
        since = told.said.created_at
        table.add_row(*map(Text, (*people, f"{since:%Y-%m-%d}" if since else "", told.said.reason)))
    if found:
        Console().print(table)
    typer.echo(counted(len(found), "pair"))


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
