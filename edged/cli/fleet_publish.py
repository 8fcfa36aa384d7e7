"""``edged fleet publish`` and its like: what goes out to the doors."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edged.cli.fleet import DEFAULT_FLEET, FleetOption, GroupArgument, PassphraseOption, open_fleet
from edged.cli.options import JsonLinesOption, JsonOption
from edged.domain.count import counted

if TYPE_CHECKING:
    from edged.config.sections import Config
    from edged.publishing.planning import Change, Wanted
    from edged.publishing.pushing import Pushed
    from edged.publishing.register import Fleet
    from edged.publishing.release import FleetFolder

DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would change; sign and send nothing.")]
Again = Annotated[
    bool, typer.Option("--again", help="Send everything, to a broker that may have lost what it had.")
]
ConfigChoice = Annotated[
    Path | None,
    typer.Option("--config", help="Whose people to publish; the fleet's own config.yaml without it."),
]
# A canary's door opens within a second of the release; a minute without its word is a fault to look at.
_CANARY_SECONDS = 60.0


def publish(
    group: GroupArgument,
    *,
    folder: Annotated[
        Path | None, typer.Option(help="Enrol this folder first: one folder a person, named after them.")
    ] = None,
    table: Annotated[Path | None, typer.Option(help="Enrol this CSV or XLSX table first.")] = None,
    canary: Annotated[
        list[str] | None, typer.Option("--canary", help="Doors that try it first; repeatable.")
    ] = None,
    wait: Annotated[
        float, typer.Option(min=0, help="How long to wait for the canaries before the others are served.")
    ] = _CANARY_SECONDS,
    allow_shrink: Annotated[
        bool, typer.Option("--allow-shrink", help="More than three in ten people are missing on purpose.")
    ] = False,
    dry_run: DryRun = False,
    again: Again = False,
    config: ConfigChoice = None,
    fleet: FleetOption = DEFAULT_FLEET,
    passphrase_file: PassphraseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Publish the enrolled people to all doors of a group.

    Only what changed is sent. With canaries, the others follow once each canary has said that it has it.
    """
    from edged.config.loading import load

    path = config or fleet / "config.yaml"
    if (folder or table) is not None:
        _enrol(folder, table, path)
    opened = open_fleet(fleet, passphrase_file)
    for name in canary or ():
        if opened.register.read().door(name).group != group:
            raise typer.BadParameter(f"door {name} is not of group {group}", param_hint="--canary")
    wanted = _wanted(opened, group, load(path), tuple(canary or ()), allow_shrink=allow_shrink)
    change = opened.publish(group, wanted, dry_run=dry_run)
    _tell_left_out(opened.register.read(), group, {record.id for record in wanted.records}, change.forgotten)
    if dry_run:
        _show_change(change, None, as_json=as_json, done=False)
        return
    pushed = push(opened, group, again=again)
    _show_change(change, pushed, as_json=as_json, done=True)
    if canary:
        _await_canaries(opened, tuple(canary), change.version, wait)
        opened.release(group)
        push(opened, group)
        newest = opened.register.read().group(group).version
        typer.echo(
            f"the canaries have it in force; offered to all doors of the group as version {newest}",
            err=as_json,
        )


def release(
    group: GroupArgument,
    fleet: FleetOption = DEFAULT_FLEET,
    passphrase_file: PassphraseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Offer to all doors of a group what its canaries have tried."""
    opened = open_fleet(fleet, passphrase_file)
    version = opened.release(group)
    push(opened, group)
    _tell({"group": group, "version": version}, f"group {group}: version {version} for all doors", as_json)


def rollback(
    group: GroupArgument,
    version: Annotated[int, typer.Argument(help="The version whose people shall hold again.")],
    *,
    tried: Annotated[
        bool, typer.Option("--tried", help="Also a version that only canaries had; all doors get it.")
    ] = False,
    fleet: FleetOption = DEFAULT_FLEET,
    passphrase_file: PassphraseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Publish the people of an older version, as a new one. Who was denied or forgotten since stays out."""
    opened = open_fleet(fleet, passphrase_file)
    change = opened.rollback(group, version, tried=tried)
    _tell_left_out(opened.register.read(), group, set(), change.forgotten)
    _show_change(change, push(opened, group), as_json=as_json, done=True)


def deny(
    group: GroupArgument,
    people: Annotated[list[str], typer.Argument(metavar="ID...", help="Ids of people.")],
    *,
    undo: Annotated[bool, typer.Option("--undo", help="Refuse them no longer.")] = False,
    unknown: Annotated[
        bool, typer.Option("--unknown", help="Also ids that no gallery of the group has, or had lately.")
    ] = False,
    fleet: FleetOption = DEFAULT_FLEET,
    passphrase_file: PassphraseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Refuse people at every door of a group, at once: one small file, before any gallery.

    With ``--undo`` they may enter again as far as the gallery has them; publish it once more.
    """
    opened = open_fleet(fleet, passphrase_file)
    version = opened.readmit(group, people) if undo else opened.deny(group, people, unknown=unknown)
    push(opened, group)
    denied = sorted(opened.register.read().group(group).denied)
    told = f"group {group}: deny list {version}, {counted(len(denied), 'person', 'people')}"
    _tell({"group": group, "version": version, "denied": denied}, told, as_json)


def renew(
    fleet: FleetOption = DEFAULT_FLEET,
    days: Annotated[float, typer.Option(min=0.01, max=30, help="For how long it holds.")] = 3.0,
    as_json: JsonLinesOption = False,
) -> None:
    """Say that what is published is still in force, for all groups. Run it daily; needs no passphrase."""
    opened = open_fleet(fleet, None, ask=False)
    for group in opened.register.read().groups:
        with opened.alone():
            opened.repository(group).renew(days)
        push(opened, group)
        more = f"{days:g} more {'day' if days == 1 else 'days'}"
        _tell({"group": group, "days": days}, f"group {group}: in force for {more}", as_json)
    tell_endings(opened)


def rotate_keys(
    key: Annotated[
        str, typer.Argument(metavar="KEY", help="daily, publisher, revoker or root-1, root-2 ...")
    ],
    fleet: FleetOption = DEFAULT_FLEET,
    passphrase_file: PassphraseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Replace a key by a new one, for all groups. The root keys must be in the folder's ``keys``."""
    from edged.publishing.rotation import rotate

    opened = open_fleet(fleet, passphrase_file)
    aside = rotate(opened, key)
    for group in opened.register.read().groups:
        push(opened, group)
    where = "" if aside is None else f"; the old one lies in {aside}"
    facts = {"key": key, "old": None if aside is None else str(aside)}
    _tell(facts, f"{key}: a new key signs from now on{where}", as_json)


def _tell(facts: dict[str, Any], told: str, as_json: bool) -> None:
    typer.echo(json.dumps(facts) if as_json else told)


def tell_endings(folder: "FleetFolder") -> None:
    """Say on standard error what ends soon although it is renewed every day."""
    from datetime import UTC, datetime

    from edged.publishing.endings import endings

    for line in endings(folder, datetime.now(UTC)):
        typer.echo(line, err=True)


def push(folder: "FleetFolder", group: str, *, again: bool = False) -> "Pushed":
    """Send what is new to the broker, with a progress bar on long work. Raises ``FleetError``."""
    from edged.fleet.broker import BrokerClient
    from edged.publishing.pushing import Push

    config = folder.register.read().broker
    client = BrokerClient(config, client_id=f"edged-publisher-{group}", will=None)
    try:
        with _bar() as progress:
            return Push(folder, group, client, progress).run(everything=again)
    finally:
        client.close(goodbye=True)


@contextmanager
def _bar() -> Iterator[Callable[[int, int], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

    columns = (TextColumn("sending"), BarColumn(), DownloadColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("sending", total=None)
        yield lambda done, every: bar.update(task, completed=done, total=every)


def _enrol(folder: Path | None, table: Path | None, config: Path) -> None:
    from edged.cli.enrol import enrol

    enrol(None, folder=folder, table=table, config=config)


def _wanted(
    folder: "FleetFolder", group: str, config: "Config", canary: tuple[str, ...], *, allow_shrink: bool
) -> "Wanted":
    """Return the people of the configuration's store, as far as the group asks for them."""
    from edged.publishing.desk import people_of

    return people_of(folder, group, config, only=canary or None, allow_shrink=allow_shrink)


def _tell_left_out(register: "Fleet", group: str, ids: set[str], forgotten: tuple[str, ...]) -> None:
    """Say on standard error who is enrolled at the desk and not published, and why."""
    denied = sorted(ids & set(register.group(group).denied) - set(forgotten))
    if denied:
        typer.echo(f"denied, so left out: {', '.join(denied)} (`edged fleet deny --undo` readmits)", err=True)
    if forgotten:
        typer.echo(
            f"forgotten, so left out of every group: {', '.join(forgotten)} (the desk still has them: "
            "`edged people forget`)",
            err=True,
        )


def _show_change(change: "Change", pushed: "Pushed | None", *, as_json: bool, done: bool) -> None:
    facts = {
        "version": change.version,
        "published": done,
        "added": change.added,
        "changed": change.changed,
        "removed": change.removed,
        "forgotten": change.forgotten,
        "people": change.people,
        "shards": change.shards,
        "new_bytes": change.new_bytes,
        "all_bytes": change.all_bytes,
        "sent_bytes": None if pushed is None else pushed.bytes,
    }
    if as_json:
        typer.echo(json.dumps(facts))
        return
    for word, ids in (("added", change.added), ("changed", change.changed), ("removed", change.removed)):
        if ids:
            shown = ", ".join(ids[:10]) + (f" and {len(ids) - 10} more" if len(ids) > 10 else "")
            typer.echo(f"{word:<9}{len(ids)}: {shown}")
    word = "published" if done else "would publish"
    typer.echo(
        f"{word} version {change.version}: {counted(change.people, 'person', 'people')}; "
        f"{counted(change.shards, 'changed part')}, "
        f"{change.new_bytes:,} of {change.all_bytes:,} bytes"
    )
    if pushed is not None:
        typer.echo(
            f"sent {counted(pushed.messages, 'message')}, {pushed.bytes:,} bytes; "
            f"cleared {counted(pushed.cleared, 'old one')}"
        )


def _await_canaries(folder: "FleetFolder", canary: tuple[str, ...], version: int, seconds: float) -> None:
    """Wait until every canary has the version in force. Raises ``FleetError`` where one has not."""
    from edged.fleet.broker import BrokerClient
    from edged.publishing.hearing import Hearing, await_version

    fleet = folder.register.read()
    client = BrokerClient(fleet.broker, client_id="edged-publisher-canaries", will=None)
    with Hearing(fleet, client) as hearing:
        hearing.connect()
        await_version(hearing, canary, version, seconds)
