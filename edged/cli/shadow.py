"""``edged shadow`` and ``edged arm``: decide for a while without opening, compare, then open."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edged.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption

if TYPE_CHECKING:
    from edged.config.sections import GalleryConfig
    from edged.domain.shadow import Comparison, Demands, WouldBe
    from edged.domain.types import StoredEvent

app = typer.Typer(help="Compare what recognition would have done with badges.", no_args_is_help=True)


@app.command()
def report(
    records: Annotated[Path, typer.Option("--records", help="CSV of passages: time,person,by.")],
    *,
    config: ConfigOption = DEFAULT_CONFIG,
    since: Annotated[str | None, typer.Option(help="From this day or time on, such as 2026-01-31.")] = None,
    until: Annotated[str | None, typer.Option(help="To the end of this day, or to before this time.")] = None,
    window: Annotated[float, typer.Option(min=0, help="Seconds between a badge and its face.")] = 15.0,
    as_json: JsonOption = False,
) -> None:
    """Hold whom the door would have let in against a record of badges and exit buttons.

    With decision.armed false the door decides and records without opening. It asks nobody for a second factor
    or a gesture: how often it would have is counted, and who lacks the factor counts as missed. In the CSV,
    person is an id or a name of the gallery, or empty; by is badge (also where it is missing) or exit.
    Passages outside the time that the journal covers are left out. It recommends; `edged arm` decides.
    """
    from edged.config.loading import load
    from edged.domain.shadow import compare, demands
    from edged.enrolment.moments import parse_moment, zone_of
    from edged.evaluation.passages import read_passages
    from edged.storage.journal_reader import JournalReader

    settings = load(config)
    zone = zone_of(settings.access.time_zone)
    passages, strangers = read_passages(records, _ids(settings.gallery), zone)
    first = parse_moment(since, zone, end=False).timestamp() if since else None
    last = parse_moment(until, zone, end=True).timestamp() if until else None
    with JournalReader.open(settings.journal.path) as reader:
        would_be, span = _would_be(reader.events(since=first, until=last))
    watched = [one for one in passages if span[0] - window <= one.at <= span[1] + window]
    found = compare(would_be, watched, window_seconds=window)
    asked, outside = demands(would_be), len(passages) - len(watched)
    if as_json:
        typer.echo(json.dumps(_as_json(found, asked, strangers, outside), indent=2))
        return
    _print(found, asked, strangers, outside)


def arm(
    off: Annotated[bool, typer.Option("--off", help="Go (back) to shadow mode.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Set decision.armed in the configuration: from now on a match opens the door, or with --off does not.

    Only this value of the file changes. Arming is refused where there is no threshold for the stated risk.
    """
    import time

    from edged.config.arming import switch
    from edged.config.loading import load
    from edged.doctor.patient import Patient
    from edged.errors import ModelError

    if not off:
        threshold = Patient(load(config), time.time()).threshold
        if threshold.cosine is None:
            raise ModelError(f"not armed: {threshold.claim}")
    switch(config, armed=not off)
    if as_json:
        typer.echo(json.dumps({"armed": not off, "config": str(config)}))
        return
    state = "is not armed: it decides and records without opening" if off else "is armed"
    typer.echo(f"The door {state}, once the daemon reads {config} again (systemctl reload edged, or SIGHUP).")


def _ids(gallery: "GalleryConfig") -> dict[str, str]:
    """Return the ids of people by id and by name; a name that two people have is nobody's."""
    from edged.storage.people import PeopleStore
    from edged.storage.vault import Vault

    with PeopleStore.open(gallery.path, Vault.open(gallery.key_file), writable=False) as store:
        people = store.people()
    names = [person.name for person in people]
    named = {person.name: person.person_id for person in people if names.count(person.name) == 1}
    return named | {person.person_id: person.person_id for person in people}


def _would_be(events: "Iterable[StoredEvent]") -> "tuple[list[WouldBe], tuple[float, float]]":
    """Return the grants and would-be grants, and from when to when the journal tells anything."""
    from edged.domain.explanation import challenge_foreseen
    from edged.domain.shadow import WouldBe
    from edged.domain.types import EventKind, Outcome, Reason

    found, first, last = [], float("inf"), float("-inf")
    for stored in events:
        event = stored.event
        first, last = min(first, stored.happened_at), max(last, stored.happened_at)
        body = event.body
        shadow = body.get("reason") == Reason.DISARMED.value and body.get("factor_outcome") is None
        granted = body.get("decision") == Outcome.GRANT.value or shadow
        if event.kind is EventKind.ACCESS and granted and event.person_id is not None:
            cause = body.get("second_factor") if shadow else None
            would_be = WouldBe(
                stored.happened_at,
                event.person_id,
                event.event_id,
                second_factor=None if cause is None else str(cause),
                challenge=challenge_foreseen(event),
            )
            found.append(would_be)
    return found, (first, last)


def _as_json(found: "Comparison", asked: "Demands", strangers: int, outside: int) -> dict[str, object]:
    return {
        "badges": found.badges,
        "agreed": found.agreed,
        "wrong": [one.event_id for one in found.wrong],
        "missed": found.missed,
        "missed_bound": found.missed_bound,
        "unexplained": [one.event_id for one in found.unexplained],
        "not_enrolled": strangers,
        "outside": outside,
        "would_be_asked": {
            "of": asked.of,
            "either": asked.either,
            "second_factor": dict(asked.second_factors),
            "challenge": asked.challenges,
        },
        "may_arm": found.may_arm,
        "advice": found.advice,
    }


def _print(found: "Comparison", asked: "Demands", strangers: int, outside: int) -> None:
    bound = "" if found.missed_bound is None else f" (at most {found.missed_bound:.1%} of all, at 95 %)"
    typer.echo(f"badges        {found.badges}")
    typer.echo(f"let in        {found.agreed}")
    typer.echo(f"missed        {found.missed}{bound}")
    typer.echo(f"wrong person  {len(found.wrong)}{_listed(found.wrong)}")
    typer.echo(f"no passage    {len(found.unexplained)}{_listed(found.unexplained)}")
    if asked.either:
        words = [f"a second factor ({cause}) {count}" for cause, count in asked.second_factors.items()]
        words += [f"a turn of the head {asked.challenges}"] if asked.challenges else []
        typer.echo(f"asked first   {asked.either} of {asked.of} would-be grants: {', '.join(words)}")
    if strangers:
        typer.echo(f"left out      {strangers} badges of people who are not enrolled")
    if outside:
        typer.echo(f"left out      {outside} passages outside the time of the journal")
    typer.echo(f"Advice: {found.advice}.")


def _listed(events: "Iterable[WouldBe]") -> str:
    ids = [one.event_id for one in events]
    return f": events {' '.join(ids[:5])}{' ...' if len(ids) > 5 else ''}" if ids else ""
