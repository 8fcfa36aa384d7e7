"""``edged fleet collect`` and ``gaps``: every door's events in one database, and what of them is missing."""

import json
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from edged.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption
from edged.domain.count import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edged.collecting.gaps import Gap

ToOption = Annotated[
    str,
    typer.Option("--to", envvar="EDGED_COLLECT_TO", help="postgresql://USER@HOST/DATABASE or sqlite:PATH."),
]
SiteOption = Annotated[str | None, typer.Option(help="Another site than the configuration's.")]
AllSitesOption = Annotated[bool, typer.Option("--all-sites", help="Every site of the topic prefix.")]
GroupOption = Annotated[str, typer.Option(help="Collectors of one group share the events.")]
NameOption = Annotated[
    str | None,
    typer.Option(help="This collector's client id: unlike any other's, the same at each start."),
]
AcksOption = Annotated[
    bool,
    typer.Option("--acks/--no-acks", help="Tell doors what is stored; they wait for it with app_ack."),
]
SessionOption = Annotated[
    int, typer.Option("--session-seconds", min=0, help="How long the broker keeps our share while away.")
]
RefillOption = Annotated[
    bool,
    typer.Option("--refill/--no-refill", help="Ask doors for missing events; needs mqtt.replay there."),
]
GapOption = Annotated[
    float, typer.Option("--gap-seconds", min=0, help="Missing for so long before a door is asked.")
]
CheckOption = Annotated[
    float, typer.Option("--check-seconds", min=0.1, help="Look for missing events so often.")
]
PortOption = Annotated[
    int | None,
    typer.Option("--metrics-port", min=0, max=65535, help="/metrics, /healthz, /readyz on 127.0.0.1."),
]
CountsOption = Annotated[bool, typer.Option("--json", help="Print the counts at the end as JSON.")]

FromOption = Annotated[
    str,
    typer.Option(
        "--from", envvar="EDGED_COLLECT_TO", help="postgresql://... or sqlite:PATH, as it was collected to."
    ),
]
OneSiteOption = Annotated[str | None, typer.Option(help="Only this site.")]
OneDoorOption = Annotated[str | None, typer.Option(help="Only this door.")]
DoublesOption = Annotated[
    bool,
    typer.Option("--doubles/--no-doubles", help="Also numbers that stand for two events; reads them all."),
]


def collect(
    *,
    to: ToOption,
    config: ConfigOption = DEFAULT_CONFIG,
    site: SiteOption = None,
    all_sites: AllSitesOption = False,
    group: GroupOption = "collect",
    name: NameOption = None,
    acks: AcksOption = True,
    session_seconds: SessionOption = 86_400,
    refill: RefillOption = True,
    gap_seconds: GapOption = 60.0,
    check_seconds: CheckOption = 15.0,
    metrics_port: PortOption = None,
    as_json: CountsOption = False,
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
    site: OneSiteOption = None,
    door: OneDoorOption = None,
    doubles: DoublesOption = True,
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
        read = Gaps(link)
        found = _Found(
            read.open(site, door),
            read.given_up(),
            read.doubled(site, door) if doubles else [],
            read.rejected(),
        )
    finally:
        link.close()
    if as_json:
        print(json.dumps(found.as_json()))
    else:
        found.show()
    if found.missing or found.doubled:
        raise typer.Exit(1)


class _Found(NamedTuple):
    """What is wrong with the events of a collector's database; the rows are those of ``Gaps``."""

    missing: "list[Gap]"
    gone: "Sequence[tuple[str, str, str, int, int, str]]"
    doubled: "Sequence[tuple[str, str, str, int]]"
    rejected: "Sequence[tuple[str, str, int, int]]"

    def as_json(self) -> dict[str, Any]:
        import msgspec

        return {
            "missing": msgspec.to_builtins(self.missing),
            "gone": self.gone,
            "doubled": self.doubled,
            "rejected": self.rejected,
        }

    def show(self) -> None:
        for gap in self.missing:
            asked = f"; asked {counted(gap.times, 'time')}: {gap.answer}" if gap.times else ""
            print(f"missing  {gap.site}/{gap.door} {gap.from_seq} to {gap.to_seq} of {gap.epoch}{asked}")
        for at, of, epoch, first, last, why in self.gone:
            print(f"gone     {at}/{of} {first} to {last} of {epoch}: {why}")
        for at, of, epoch, seq in self.doubled:
            print(f"doubled  {at}/{of} {seq} of {epoch}")
        for topic, reason, rows, times in self.rejected:
            print(f"no event {topic}: {counted(rows, 'message')}, {counted(times, 'time')}: {reason}")
        if not self.missing:
            print("No event is missing.")
