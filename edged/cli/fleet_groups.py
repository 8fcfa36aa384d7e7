"""``edged fleet group``: which doors share a gallery, and whom it holds."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edged.cli.fleet import DEFAULT_FLEET, FleetOption, GroupArgument, PassphraseOption, open_fleet
from edged.cli.options import JsonOption

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edged.publishing.register import GroupEntry


def group(
    name: GroupArgument,
    *,
    create: Annotated[bool, typer.Option("--create", help="Begin this group.")] = False,
    shards: Annotated[int, typer.Option(min=1, max=1024, help="Parts of the gallery, at the start.")] = 256,
    people_group: Annotated[
        list[str] | None, typer.Option(help="Only people of this group; repeatable. ALL: everybody.")
    ] = None,
    access: Annotated[
        Path | None,
        typer.Option(help="Schedules and groups for all its doors: a YAML file like the section `access`."),
    ] = None,
    valid_days: Annotated[
        float | None,
        typer.Option(min=0.1, max=3650, help="Days a door relies on a gallery without a newer one."),
    ] = None,
    fleet: FleetOption = DEFAULT_FLEET,
    passphrase_file: PassphraseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a group, begin one, or change whom it holds; a change is in force with the next publish."""
    import msgspec

    from edged.publishing.groups import access_record
    from edged.publishing.register import GroupEntry

    folder = open_fleet(fleet, passphrase_file, ask=create)
    if create:
        folder.create_group(name, GroupEntry(shards=shards))
    changes: dict[str, Any] = {}
    if people_group:
        changes["people_groups"] = [] if people_group == ["ALL"] else sorted(people_group)
    if valid_days is not None:
        changes["valid_days"] = valid_days
    if access is not None:
        changes["access"] = access_record(access)
    with folder.alone():
        register = folder.register.read()
        changed = msgspec.structs.replace(register.group(name), **changes)
        if changes:
            folder.register.write(register.with_group(name, changed))
    facts = _facts(name, changed, register.doors_of(name), folder.archive(name).versions())
    if as_json:
        typer.echo(json.dumps(facts))
        return
    for key, value in facts.items():
        shown = ", ".join(map(str, value)) if isinstance(value, list) else value
        typer.echo(f"{key.replace('_', ' '):<15}{'-' if shown in (None, '') else shown}")


def _facts(name: str, group: "GroupEntry", doors: "Iterable[str]", versions: list[int]) -> dict[str, Any]:
    """Return what a group is, in the order in which it is shown."""
    return {
        "group": name,
        "doors": sorted(doors),
        "version": group.version,
        "people_groups": group.people_groups,
        "shards": group.shards,
        "model": group.space,
        "valid_days": group.valid_days,
        "access": group.access is not None,
        "denied": len(group.denied),
        "kept_versions": versions,
    }
