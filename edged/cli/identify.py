"""``edged identify``: who is on a photograph."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edged.cli.options import DEFAULT_CONFIG, ConfigOption

if TYPE_CHECKING:
    from collections.abc import Callable

    from edged.config.sections import AccessConfig, Config
    from edged.enrolment.identification import Identification
    from edged.storage.people import Contents


def identify(
    photos: Annotated[list[str], typer.Argument(metavar="PHOTO...", help="Files or addresses.")],
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a face.")] = False,
) -> None:
    """Say who is on photographs, by the threshold that the door would use; nothing is recorded.

    One line a face, from left to right, with its quality (the share of its likeness that the picture keeps)
    and what it suffers from; who is known but may not enter now is told with the reason. Exit
    status 1 if a photograph has no face that can be read, or if nobody can be compared.
    """
    from edged.config.loading import load
    from edged.devices.clock import Clock
    from edged.enrolment.fetching import Fetcher
    from edged.enrolment.opening import open_identifier
    from edged.enrolment.sources import photo_at
    from edged.workers.policy import access_rules

    settings = load(config)
    clock, hours, read = Clock(settings.access.time_zone), settings.access, None
    if settings.fleet.enabled:
        hours, read = _fleet(settings)
    rules = access_rules(hours)
    identifier, threshold, full = open_identifier(
        settings.models,
        settings.quality,
        settings.gallery,
        security=settings.security,
        decision=settings.decision,
        refusal=lambda person: rules.refusal(person, clock.local(clock.unix())),
        read=read,
    )
    if (gap := identifier.gap()) is not None:
        typer.echo(f"edged: {gap}", err=True)
    if full is not None:
        typer.echo(f"edged: {full}", err=True)
    typer.echo(f"threshold: {threshold.claim}", err=True)
    unread = 0
    with Fetcher() as fetcher:
        for text in photos:
            answers = list(identifier.identify(photo_at(text, Path(), fetcher)))
            unread += all(answer.match is None for answer in answers)
            for answer in answers:
                typer.echo(json.dumps(answer.as_json(), ensure_ascii=False) if as_json else _line(answer))
    if unread:
        raise typer.Exit(1)


def _fleet(settings: "Config") -> "tuple[AccessConfig, Callable[[str], Contents]]":
    """Return the hours and the people that the fleet gave this door."""
    from edged.membership.opening import open_membership, received_contents
    from edged.storage.vault import Vault
    from edged.workers.fleet_part import fleet_hours

    vault = Vault.open(settings.gallery.key_file)
    membership = open_membership(settings, vault)
    typer.echo("people of the fleet: their ids stand for their names", err=True)
    access = membership.store.access()
    hours = settings.access if access is None else fleet_hours(access, settings)
    return hours, lambda space: received_contents(membership, settings, vault, space)


def _line(answer: "Identification") -> str:
    from edged.enrolment.checks import quality_text

    match = answer.match
    if match is None:
        return f"{answer.label}: {answer.verdict}  {answer.reason}: {answer.text}"
    quality = "" if answer.quality is None else f", {quality_text(answer.quality.score, answer.quality.flaw)}"
    margin = f", margin {match.margin:.3f}" if match.second_id else ""
    if answer.person is not None:
        state = "" if answer.person.enabled else " (disabled)"
        who = f"{answer.person.name} ({answer.person.person_id}){state}"
        refusal = f"  would be refused: {answer.refusal}" if answer.refusal else ""
        return f"{answer.label}: {who}  score {match.score:.3f}{margin}{quality}{refusal}"
    nearest = f"  nearest {answer.nearest.name} {match.score:.3f}{margin}{quality}" if answer.nearest else ""
    return f"{answer.label}: {answer.verdict}{nearest}"
