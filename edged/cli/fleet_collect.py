"""``edged fleet collect`` and ``gaps``: every door's events in one database, and what of them is missing."""

import json
from typing import Annotated

import typer

from edged.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption

FromOption = Annotated[
    str,
    typer.Option(
        "--from", envvar="EDGED_COLLECT_TO", help="postgresql://... or sqlite:PATH, as it was collected to."
    ),
]


def collect(
    *,
    to: Annotated[
        str,
        typer.Option(
            "--to", envvar="EDGED_COLLECT_TO", help="postgresql://USER@HOST/DATABASE or sqlite:PATH."
        ),
    ],
    config: ConfigOption = DEFAULT_CONFIG,
    site: Annotated[str | None, typer.Option(help="Another site than the configuration's.")] = None,
    all_sites: Annotated[bool, typer.Option("--all-sites", help="Every site of the topic prefix.")] = False,
    group: Annotated[str, typer.Option(help="Collectors of one group share the events.")] = "collect",
    name: Annotated[
        str | None,
        typer.Option(help="This collector's client id: unlike any other's, the same at each start."),
    ] = None,
    acks: Annotated[
        bool,
        typer.Option("--acks/--no-acks", help="Tell doors what is stored; they wait for it with app_ack."),
    ] = True,
    session_seconds: Annotated[
        int, typer.Option("--session-seconds", min=0, help="How long the broker keeps our share while away.")
    ] = 86_400,
    refill: Annotated[
        bool,
        typer.Option("--refill/--no-refill", help="Ask doors for missing events; needs mqtt.replay there."),
    ] = True,
    gap_seconds: Annotated[
        float, typer.Option("--gap-seconds", min=0, help="Missing for so long before a door is asked.")
    ] = 60.0,
    check_seconds: Annotated[
        float, typer.Option("--check-seconds", min=0.1, help="Look for missing events so often.")
    ] = 15.0,
    metrics_port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="/metrics, /healthz, /readyz on 127.0.0.1.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the counts at the end as JSON.")] = False,
) -> None:
    """Store the events of all doors in a database until SIGTERM; start as many as you like of them.

    Broker, site and topic prefix come from the configuration. A PostgreSQL password belongs into ~/.pgpass or
    PGPASSFILE, not into --to, which everybody on the machine can read.
    """
    from edged import logs
    from edged.collecting.service import Plan, default_name
    from edged.collecting.service import collect as run
    from edged.config.loading import load

    if site is not None and all_sites:
        raise typer.BadParameter("choose one of --site and --all-sites")
    settings = load(config)
    logs.configure(settings.logging)
    figures = run(
        Plan(
            settings.mqtt,
            None if all_sites else site or settings.site,
            to,
            group,
            name or default_name(group),
            acks=acks,
            session_seconds=session_seconds,
            refill_seconds=gap_seconds if refill else None,
            check_seconds=check_seconds,
            port=metrics_port,
        )
    )
    totals = figures.totals()
    if as_json:
        print(json.dumps(totals))
    else:
        print(", ".join(f"{count} {name}" for name, count in totals.items()))


def gaps(
    *,
    source: FromOption,
    site: Annotated[str | None, typer.Option(help="Only this site.")] = None,
    door: Annotated[str | None, typer.Option(help="Only this door.")] = None,
    doubles: Annotated[
        bool,
        typer.Option(
            "--doubles/--no-doubles", help="Also numbers that stand for two events; reads them all."
        ),
    ] = True,
    as_json: JsonOption = False,
) -> None:
    """Show which events are missing in a collector's database, by door and number.

    Also numbers that two events claim: one of them may be nobody's, since whoever may write to the broker can
    invent events. Exit status 1 if there is any of either. And what doors no longer have, and what was set
    aside as no event.
    """
    from edged.collecting.gaps import Gaps
    from edged.collecting.links import open_link

    link = open_link(source, writable=False)
    try:
        found = Gaps(link)
        missing, gone = found.open(site, door), found.given_up()
        doubled = found.doubled(site, door) if doubles else []
        rejected = link.execute(
            "SELECT topic, reason, count(*), sum(times) FROM rejected GROUP BY topic, reason ORDER BY 1, 2"
        )
    finally:
        link.close()
    if as_json:
        import msgspec

        facts = {
            "missing": msgspec.to_builtins(missing),
            "gone": gone,
            "doubled": doubled,
            "rejected": [[topic, reason, int(rows), int(times)] for topic, reason, rows, times in rejected],
        }
        print(json.dumps(facts))
    else:
        for gap in missing:
            asked = f"; asked {gap.times} times: {gap.answer}" if gap.times else ""
            print(f"missing  {gap.site}/{gap.door} {gap.from_seq} to {gap.to_seq} of {gap.epoch}{asked}")
        for at, of, epoch, first, last, why in gone:
            print(f"gone     {at}/{of} {first} to {last} of {epoch}: {why}")
        for at, of, epoch, seq in doubled:
            print(f"doubled  {at}/{of} {seq} of {epoch}")
        for topic, reason, rows, times in rejected:
            print(f"no event {topic}: {rows} messages, {times} times: {reason}")
        if not missing:
            print("No event is missing.")
    if missing or doubled:
        raise typer.Exit(1)
