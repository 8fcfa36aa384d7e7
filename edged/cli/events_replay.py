"""``edged events replay``: have a door send events of its journal again."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from edged.cli.options import DEFAULT_CONFIG, ConfigOption, JsonObjectOption
from edged.domain.count import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edged.fleet.replay import ReplayResult

_COUNTS = ("sent", "unheard", "unsendable", "gone")


def replay(
    *,
    config: ConfigOption = DEFAULT_CONFIG,
    from_seq: Annotated[int, typer.Option("--from", min=1, help="The first event's number.")] = 1,
    to_seq: Annotated[
        int | None, typer.Option("--to", min=1, help="The last; without it the newest.")
    ] = None,
    epoch: Annotated[str | None, typer.Option(help="Only if the door's journal is of this epoch.")] = None,
    site: Annotated[
        str | None, typer.Option(help="Of another site; the configuration's if not given.")
    ] = None,
    door: Annotated[str | None, typer.Option(help="Another door; the configuration's if not given.")] = None,
    wait_seconds: Annotated[
        float, typer.Option("--wait", min=1.0, help="How long a door may take for 500 events, in seconds.")
    ] = 60.0,
    as_json: JsonObjectOption = False,
) -> None:
    """Ask a door over MQTT to send events again, to whoever hears its topics. It needs mqtt.replay there.

    Uses the broker of the configuration, under a client id of its own. Exit status 1 where not all could
    be sent, or where nobody heard some of them.
    """
    from edged.config.loading import load
    from edged.errors import FleetError
    from edged.fleet.replay_asking import ReplayAsking, Wanted
    from edged.fleet.topics import Topics

    if to_seq is not None and to_seq < from_seq:
        raise typer.BadParameter("--to is below --from")
    settings = load(config)
    topics = Topics(settings.mqtt.topic_prefix, site or settings.site, door or settings.door_id)
    asking = ReplayAsking(
        settings.mqtt, topics, f"edged-{settings.site}-{settings.door_id}", patience_seconds=wait_seconds
    )
    found: dict[str, object] = dict.fromkeys(_COUNTS, 0) | {"result": "failed", "next_seq": from_seq}
    try:
        _ask(asking.results(Wanted(from_seq, to_seq, epoch)), found, show=not as_json)
    except FleetError as exc:
        found |= {"result": "failed", "reason": str(exc)}
    found["ok"] = found["result"] == "done" and not (found["unheard"] or found["unsendable"] or found["gone"])
    print(json.dumps(found)) if as_json else _tell(found)
    if not found["ok"]:
        raise typer.Exit(1)


def _ask(results: "Iterator[ReplayResult]", found: dict[str, object], *, show: bool) -> None:
    """Add up in ``found`` how each stretch ended, whatever comes of the next."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("events"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(
        *columns, console=console, disable=not (show and console.is_terminal), transient=True
    ) as bar:
        task = bar.add_task("events", total=None)
        for one in results:
            for name in _COUNTS:
                found[name] = int(str(found[name])) + int(getattr(one, name))
            for name in ("result", "reason", "epoch", "oldest_seq", "newest_seq", "next_seq"):
                found[name] = getattr(one, name)
            seen = sum(int(str(found[name])) for name in _COUNTS)
            bar.update(
                task, completed=seen, total=seen + (one.newest_seq - one.next_seq + 1 if one.next_seq else 0)
            )


def _tell(found: dict[str, object]) -> None:
    lines = [f"{counted(int(str(found['sent'])), 'event')} sent again."]
    if found["unheard"]:
        lines.append(f"{found['unheard']} more heard by nobody: is the collector connected?")
    if found["unsendable"]:
        lines.append(f"{found['unsendable']} cannot be sent: damaged, or too large for the broker.")
    if found["gone"]:
        gone = counted(int(str(found["gone"])), "number")
        lines.append(f"{gone} no longer in the journal; it begins at {found['oldest_seq']}.")
    if found["result"] != "done":
        lines.append(f"It ended early ({found['result']}): {found.get('reason') or 'no reason given'}.")
    if found["next_seq"] is not None:
        lines.append(f"To go on: edged events replay --from {found['next_seq']}")
    print("\n".join(lines))
