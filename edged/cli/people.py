"""``edged people``: look up, rename, merge, disable and forget enrolled people."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edged.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption, Who
from edged.cli.people_view import (
    as_facts,
    confirm,
    count_text,
    day,
    print_done,
    print_facts,
    space_of,
    tell_of_fleet,
)
from edged.domain.count import counted

if TYPE_CHECKING:
    from edged.enrolment.terms import Droppable

app = typer.Typer(help="Look up and change enrolled people.", no_args_is_help=True)


@app.command("list")
def list_people(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """List everybody by name."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from edged.config.loading import load
    from edged.domain.gallery import gap_text
    from edged.enrolment.directory import open_directory

    settings = load(config)
    tell_of_fleet(settings)
    with open_directory(settings.gallery, writable=False) as directory:
        records = directory.records()
    space = space_of(settings)
    if as_json:
        listed = [as_facts(record, space) for record in records]
        typer.echo(json.dumps(listed, ensure_ascii=False, indent=2))
        return
    table = Table("id", "name", "state", "photographs", "groups", "valid until", box=None)
    for record in records:
        person = record.person
        cells = (
            person.person_id,
            person.name,
            "enabled" if person.enabled else "disabled",
            count_text(record, space),
            ", ".join(sorted(person.groups)),
            day(person.valid_until),
        )
        table.add_row(*map(Text, cells))
    Console().print(table)
    typer.echo(counted(len(records), "person", "people"))
    if space is not None:
        gap = gap_text(sum(not record.templates.get(space) for record in records), len(records), space)
        if any(set(record.templates) - {space} for record in records):
            typer.echo(
                f"Where there are two numbers of photographs: those of this model (space {space}), of all."
            )
        if gap:
            typer.echo(gap)


@app.command()
def show(who: Who, config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Show what is known of a person."""
    from edged.config.loading import load
    from edged.enrolment.directory import open_directory

    settings = load(config)
    with open_directory(settings.gallery, writable=False) as directory:
        record = directory.record(who)
    print_facts(record, space_of(settings), as_json=as_json)


@app.command("set")
def set_terms(
    who: Who,
    *,
    group: Annotated[
        list[str] | None, typer.Option("--group", help="A group, in place of those before; repeatable.")
    ] = None,
    no_groups: Annotated[bool, typer.Option("--no-groups", help="In no group any more.")] = False,
    valid_from: Annotated[str | None, typer.Option(help="First day or time, such as 2026-01-31.")] = None,
    no_valid_from: Annotated[bool, typer.Option("--no-valid-from", help="From any time on.")] = False,
    valid_until: Annotated[
        str | None, typer.Option(help="Last day, such as 2026-12-31, or the time of the end.")
    ] = None,
    no_valid_until: Annotated[bool, typer.Option("--no-valid-until", help="Without an end.")] = False,
    consent_basis: Annotated[
        str | None,
        typer.Option(help="Legal basis of a new consent record, such as 'consent'; with --consent-policy."),
    ] = None,
    consent_policy: Annotated[
        str | None, typer.Option(help="Version of the policy that was agreed to; with --consent-basis.")
    ] = None,
    consent_until: Annotated[
        str | None, typer.Option(help="Last day of the consent; with both of these.")
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Change groups, validity or consent of a person; what is not named stays."""
    from edged.config.loading import load
    from edged.enrolment.directory import open_directory
    from edged.enrolment.moments import zone_of
    from edged.enrolment.terms import make_terms

    _check_wishes(
        groups=(group or None, no_groups),
        valid_from=(valid_from, no_valid_from),
        valid_until=(valid_until, no_valid_until),
        consent=(consent_basis or consent_policy or consent_until, False),
    )
    settings = load(config)
    terms = make_terms(
        groups=group or (), valid_from=valid_from, valid_until=valid_until, consent_basis=consent_basis,
        consent_policy=consent_policy, consent_until=consent_until, zone=zone_of(settings.access.time_zone),
        now=datetime.now(UTC),
    )  # fmt: skip
    dropping: dict[Droppable, bool] = {
        "groups": no_groups, "valid_from": no_valid_from, "valid_until": no_valid_until
    }  # fmt: skip
    drop = [name for name, wanted in dropping.items() if wanted]
    with open_directory(settings.gallery, writable=True) as directory:
        record = directory.set_terms(who, terms, drop, settings.access.groups)
    if group and not settings.access.groups:
        typer.echo("edged: access.groups names no group: whoever is enrolled may enter at any time", err=True)
    print_facts(record, space_of(settings), as_json=as_json)


def _check_wishes(**wishes: tuple[object, bool]) -> None:
    """Each wish is a value and whether to drop it. Raises ``typer.BadParameter`` for both, or none at all."""
    for name, (value, drop) in wishes.items():
        if drop and value is not None:
            option = name.replace("_", "-")
            raise typer.BadParameter(f"--no-{option} takes away what the other option gives: choose one")
    if all(value is None and not drop for value, drop in wishes.values()):
        raise typer.BadParameter("what is to be changed? Give groups, validity or consent")


@app.command()
def rename(
    who: Who,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The new name.")],
    allow_same_name: Annotated[
        bool, typer.Option("--allow-same-name", help="Although somebody has this name.")
    ] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Give a person another name; the id stays."""
    from edged.config.loading import load
    from edged.enrolment.directory import open_directory

    with open_directory(load(config).gallery, writable=True) as directory:
        person = directory.rename(who, name, allow_same_name=allow_same_name)
    print_done("renamed", person, as_json=as_json)


@app.command()
def merge(
    source: Annotated[str, typer.Argument(metavar="PERSON", help="Who is removed; id or name.")],
    into: Annotated[str, typer.Argument(metavar="INTO", help="Who gets the photographs; id or name.")],
    *,
    force: Annotated[
        bool, typer.Option("--force", help="Although they do not look like one person.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Join two records of one person; the first one is removed."""
    from edged.config.loading import load
    from edged.enrolment.directory import open_directory
    from edged.enrolment.opening import levels_of

    settings = load(config)
    levels = None if force else levels_of(settings.models, settings.quality, settings.gallery)
    with open_directory(settings.gallery, writable=True) as directory:
        gone, kept = directory.find(source), directory.find(into)
        question = (
            f"Join {gone.name} ({gone.person_id}) to {kept.name} ({kept.person_id}) and remove the first?"
        )
        confirm(question, yes=yes)
        record = directory.merge(source, into, levels)
    print_done("merged", record.person, as_json=as_json, photographs=sum(record.templates.values()))


@app.command()
def disable(who: Who, config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Let a person in no longer; their photographs stay enrolled."""
    _switch(who, config, enabled=False, as_json=as_json)


@app.command()
def enable(who: Who, config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Let a person in again."""
    _switch(who, config, enabled=True, as_json=as_json)


@app.command()
def forget(
    who: Who,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Remove a person and everything enrolled of them. Past events keep the id, which then names nobody."""
    from edged.config.loading import load
    from edged.enrolment.directory import open_directory

    with open_directory(load(config).gallery, writable=True) as directory:
        person = directory.find(who)
        confirm(f"Forget {person.name} ({person.person_id}) for good?", yes=yes)
        record = directory.forget(person.person_id)
    print_done("forgotten", record.person, as_json=as_json, photographs=sum(record.templates.values()))


def _switch(who: str, config: Path, *, enabled: bool, as_json: bool) -> None:
    from edged.config.loading import load
    from edged.enrolment.directory import open_directory

    with open_directory(load(config).gallery, writable=True) as directory:
        person = directory.set_enabled(who, enabled=enabled)
    print_done("enabled" if enabled else "disabled", person, as_json=as_json)
