"""``edged people``: look up, rename, merge, correct, disable and forget enrolled people."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edged.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption

if TYPE_CHECKING:
    from edged.config.sections import Config
    from edged.domain.people import Person
    from edged.enrolment.directory import Photo, Record
    from edged.enrolment.terms import Droppable

app = typer.Typer(help="Look up and change enrolled people.", no_args_is_help=True)

Who = Annotated[str, typer.Argument(metavar="PERSON", help="An id, or a name that only one person has.")]


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
    with open_directory(settings.gallery, writable=False) as directory:
        records = directory.records()
    space = _space(settings)
    if as_json:
        listed = [_as_json(record, space) for record in records]
        typer.echo(json.dumps(listed, ensure_ascii=False, indent=2))
        return
    table = Table("id", "name", "state", "photographs", "groups", "valid until", box=None)
    for record in records:
        person = record.person
        cells = (
            person.person_id,
            person.name,
            "enabled" if person.enabled else "disabled",
            _photographs(record, space),
            ", ".join(sorted(person.groups)),
            _day(person.valid_until),
        )
        table.add_row(*map(Text, cells))
    Console().print(table)
    typer.echo("1 person" if len(records) == 1 else f"{len(records)} people")
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
    _print_facts(record, _space(settings), as_json=as_json)


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
        str | None, typer.Option(help="Legal basis of a new consent record, such as 'consent'.")
    ] = None,
    consent_policy: Annotated[
        str | None, typer.Option(help="Version of the policy that was agreed to.")
    ] = None,
    consent_until: Annotated[str | None, typer.Option(help="Last day of the consent.")] = None,
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
    _print_facts(record, _space(settings), as_json=as_json)


def _check_wishes(**wishes: tuple[object, bool]) -> None:
    """Each wish is a value and whether to drop it. Raises ``typer.BadParameter`` for both, or none at all."""
    for name, (value, drop) in wishes.items():
        if drop and value is not None:
            option = name.replace("_", "-")
            raise typer.BadParameter(f"--no-{option} takes away what the other option gives: choose one")
    if all(value is None and not drop for value, drop in wishes.values()):
        raise typer.BadParameter("what is to be changed? Give groups, validity or consent")


def _space(settings: "Config") -> str | None:
    """Return the embedding space in use, None where no pack tells: people can be listed all the same."""
    from edged.errors import ModelError
    from edged.vision.choice import configured_space

    try:
        return configured_space(settings.models)
    except ModelError:
        return None


def _photographs(record: "Record", space: str | None) -> str:
    every = sum(record.templates.values())
    own = every if space is None else record.templates.get(space, 0)
    return str(own) if own == every else f"{own} of {every}"


def _print_facts(record: "Record", space: str | None, *, as_json: bool) -> None:
    facts = _as_json(record, space)
    if as_json:
        typer.echo(json.dumps(facts, ensure_ascii=False, indent=2))
        return
    for key, value in facts.items():
        shown = ", ".join(map(str, value)) if isinstance(value, list) else value
        if isinstance(value, dict):
            shown = ", ".join(f"{name}: {item}" for name, item in value.items() if item is not None)
        if key == "consent" and shown:
            shown = str(shown).replace("until: ", "until before: ")
        typer.echo(f"{key.replace('_', ' '):<14}{'-' if shown in (None, '') else shown}")


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
    _done("renamed", person, as_json=as_json)


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
        _confirm(question, yes=yes)
        record = directory.merge(source, into, levels)
    _done("merged", record.person, as_json=as_json, photographs=sum(record.templates.values()))


@app.command()
def photos(who: Who, config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """List what is enrolled of a person: no pictures are kept, only what the model made of them."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from edged.config.loading import load
    from edged.enrolment.directory import open_directory

    with open_directory(load(config).gallery, writable=False) as directory:
        facts = [_photo_json(photo) for photo in directory.photos(who)]
    if as_json:
        typer.echo(json.dumps(facts, ensure_ascii=False, indent=2))
        return
    table = Table("id", "enrolled", "model", "quality", "cosine to the others", box=None)
    for fact in facts:
        closeness = "" if fact["cosine"] is None else f"{fact['cosine']:.3f}"
        day = (fact["created_at"] or "")[:10]
        table.add_row(
            *map(Text, (fact["template_id"], day, fact["space"], f"{fact['quality']:.2f}", closeness))
        )
    Console().print(table)


@app.command("remove-photo")
def remove_photo(
    template: Annotated[
        str, typer.Argument(metavar="ID", help="As `edged people photos` and `edged gallery audit` say.")
    ],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Remove one photograph of a person; never the only one."""
    from edged.config.loading import load
    from edged.enrolment.directory import open_directory

    with open_directory(load(config).gallery, writable=True) as directory:
        _confirm(f"Remove the photograph {template} for good?", yes=yes)
        record, _ = directory.remove_photo(template)
    _done("photograph removed", record.person, as_json=as_json, photographs=sum(record.templates.values()))


@app.command("not-me")
def not_me(
    event_id: Annotated[str, typer.Argument(help="The id of an access event, or the beginning of one.")],
    *,
    undo: Annotated[bool, typer.Option("--undo", help="Take the veto of this event back.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Although the face is like the person's own photographs.")
    ] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Say that in this visit somebody else was taken for the person; that face is refused from now on.

    Faces of visits are kept for gallery.probe_hours. `edged events tail` and `edged people show` name events.
    """
    from edged.config.loading import load
    from edged.enrolment.vetoes import open_vetoes
    from edged.storage.journal_reader import JournalReader

    settings = load(config)
    with open_vetoes(settings.gallery) as vetoes:
        if undo:
            done = vetoes.undo(event_id)
        else:
            with JournalReader.open(settings.journal.path) as reader:
                stored = reader.find(event_id)
            done = vetoes.add(stored, force=force)
    _done("veto removed" if undo else "vetoed", done.person, as_json=as_json)


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
        _confirm(f"Forget {person.name} ({person.person_id}) for good?", yes=yes)
        record = directory.forget(person.person_id)
    _done("forgotten", record.person, as_json=as_json, photographs=sum(record.templates.values()))


def _switch(who: str, config: Path, *, enabled: bool, as_json: bool) -> None:
    from edged.config.loading import load
    from edged.enrolment.directory import open_directory

    with open_directory(load(config).gallery, writable=True) as directory:
        person = directory.set_enabled(who, enabled=enabled)
    _done("enabled" if enabled else "disabled", person, as_json=as_json)


def _done(what: str, person: "Person", *, as_json: bool, photographs: int | None = None) -> None:
    if as_json:
        facts = {"done": what, "person_id": person.person_id, "name": person.name}
        typer.echo(json.dumps(facts | {"photographs": photographs}, ensure_ascii=False))
        return
    tail = "" if photographs is None else f", {photographs} photographs"
    typer.echo(f"{what}: {person.name} ({person.person_id}){tail}")


def _confirm(question: str, *, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise typer.BadParameter("there is no terminal to confirm on: say --yes", param_hint="--yes")
    typer.confirm(question, abort=True, err=True)


def _as_json(record: "Record", space: str | None) -> dict[str, Any]:
    person, consent = record.person, record.person.consent
    return {
        "person_id": person.person_id,
        "name": person.name,
        "enabled": person.enabled,
        "groups": sorted(person.groups),
        "valid_from": _iso(person.valid_from),
        "valid_until": _iso(person.valid_until),
        "created_at": _iso(person.created_at),
        "consent": consent
        and {
            "given_at": _iso(consent.given_at),
            "basis": consent.basis,
            "policy_version": consent.policy_version,
            "until": _iso(consent.until),
        },
        "templates": record.templates,
        "recognisable": None if space is None else space in record.templates,
        "vetoes": list(record.vetoes),
    }


def _photo_json(photo: "Photo") -> dict[str, Any]:
    template = photo.template
    return {
        "template_id": template.template_id,
        "created_at": _iso(template.created_at),
        "space": template.space,
        "quality": round(template.quality, 3),
        "cosine": None if photo.cosine is None else round(photo.cosine, 4),
    }


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _day(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment.astimezone():%Y-%m-%d %H:%M}"
