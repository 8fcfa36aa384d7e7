"""How ``edged people`` shows a person, and asks before something is gone."""

import json
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Any

import typer

from edged.domain.count import counted

if TYPE_CHECKING:
    from edged.config.sections import Config
    from edged.domain.people import Person
    from edged.enrolment.directory import Record


def tell_of_fleet(settings: "Config") -> None:
    """Say, where a fleet decides who may enter, that the people of this door's own disk do not count."""
    if settings.fleet.enabled:
        typer.echo(
            "this door gets its people from a fleet (fleet.enabled): those enrolled here count for nothing; "
            "enrol and look after them at the publisher's desk",
            err=True,
        )


def space_of(settings: "Config") -> str | None:
    """Return the embedding space in use, None where no pack tells: people can be listed all the same."""
    from edged.errors import ModelError
    from edged.vision.choice import configured_space

    try:
        return configured_space(settings.models)
    except ModelError:
        return None


def count_text(record: "Record", space: str | None) -> str:
    """Return how many photographs there are, of the space in use and of all where these differ."""
    every = sum(record.templates.values())
    own = every if space is None else record.templates.get(space, 0)
    return str(own) if own == every else f"{own} of {every}"


def print_facts(record: "Record", space: str | None, *, as_json: bool) -> None:
    """Print what is known of a person, a line a fact."""
    facts = as_facts(record, space)
    if as_json:
        typer.echo(json.dumps(facts, ensure_ascii=False, indent=2))
        return
    for key, value in facts.items():
        shown = ", ".join(map(str, value)) if isinstance(value, list) else value
        if key in ("pin", "badge"):
            shown = "yes" if value else "no"
        if isinstance(value, dict):
            shown = ", ".join(f"{name}: {item}" for name, item in value.items() if item is not None)
        if key == "consent" and shown:
            shown = str(shown).replace("until: ", "until before: ")
        typer.echo(f"{key.replace('_', ' '):<14}{'-' if shown in (None, '') else shown}")


def as_facts(record: "Record", space: str | None) -> dict[str, Any]:
    """Return what is known of a person, ready for JSON."""
    person, consent = record.person, record.person.consent
    return {
        "person_id": person.person_id,
        "name": person.name,
        "enabled": person.enabled,
        "groups": sorted(person.groups),
        "valid_from": iso(person.valid_from),
        "valid_until": iso(person.valid_until),
        "created_at": iso(person.created_at),
        "consent": consent
        and {
            "given_at": iso(consent.given_at),
            "basis": consent.basis,
            "policy_version": consent.policy_version,
            "until": iso(consent.until),
        },
        "templates": record.templates,
        "recognisable": None if space is None else space in record.templates,
        "vetoes": list(record.vetoes),
        "pin": "pin" in record.factors,
        "badge": "badge" in record.factors,
    }


def print_done(
    what: str,
    person: "Person",
    *,
    as_json: bool,
    photographs: int | None = None,
    cosine: float | None = None,
) -> None:
    """Say what was done to whom, to how many photographs, and how near a face was to the person."""
    if as_json:
        facts: dict[str, object] = {"done": what, "person_id": person.person_id, "name": person.name}
        facts |= {} if cosine is None else {"cosine": round(cosine, 4)}
        typer.echo(json.dumps(facts | {"photographs": photographs}, ensure_ascii=False))
        return
    tail = "" if photographs is None else f", {counted(photographs, 'photograph')}"
    tail += "" if cosine is None else f", a face at cosine {cosine:.3f} to their photographs"
    typer.echo(f"{what}: {person.name} ({person.person_id}){tail}")


def confirm(question: str, *, yes: bool) -> None:
    """Ask ``question`` unless ``yes``.

    Raises ``typer.Abort`` at no, and ``typer.BadParameter`` where there is no terminal to ask on.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise typer.BadParameter("there is no terminal to confirm on: say --yes", param_hint="--yes")
    typer.confirm(question, abort=True, err=True)


def iso(moment: datetime | None) -> str | None:
    """Return ``moment`` in ISO 8601."""
    return None if moment is None else moment.isoformat()


def day(moment: datetime | None) -> str:
    """Return ``moment`` to the minute, in the local time zone."""
    return "" if moment is None else f"{moment.astimezone():%Y-%m-%d %H:%M}"
