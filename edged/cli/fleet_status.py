"""``edged fleet status`` and its like: what the doors say, and who is still to confirm."""

import json
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edged.cli.fleet import DEFAULT_FLEET, FleetOption, GroupArgument, PassphraseOption, open_fleet
from edged.cli.fleet_publish import push, tell_endings
from edged.cli.options import JsonOption
from edged.domain.count import counted

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

    from edged.publishing.hearing import DoorWord, Hearing
    from edged.publishing.register import Fleet, Forgotten, GroupEntry
    from edged.publishing.release import FleetFolder


_HEADS = (
    "door", "group", "online", "gallery", "age", "people", "state", "model", "edged", "last event", "waiting",
)  # fmt: skip
_FIRST = 7
# Names of usual lengths and a model's with its digest beside each other; below it they would be folded.
_WIDE = 120
_IN_FORCE = "in force"
_WAITS = "waits for the canaries"


def status(
    fleet: FleetOption = DEFAULT_FLEET,
    watch: Annotated[bool, typer.Option("--watch", help="Stay and show changes until Ctrl-C.")] = False,
    wait: Annotated[
        float,
        typer.Option(
            min=0,
            help="Hear vital signs for so long, told twice a minute; 1 if a door is away.",
        ),
    ] = 0.0,
    as_json: JsonOption = False,
) -> None:
    """Show every door: whether it is there, which gallery it has, and what it refused.

    Exit status 1 if one is behind. Of one that is not there the last word counts, and the state says so; with
    --wait it counts as behind.
    """
    from rich.console import Console
    from rich.live import Live

    folder, console = open_fleet(fleet, None, ask=False), Console()
    register = folder.register.read()
    tell_endings(folder)
    with _hearing(register) as hearing:
        hearing.settle()
        _hear_health(hearing, wait)
        rows = _rows(register, hearing)
        if as_json:
            typer.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        elif watch:
            with Live(_table(rows, console.width), console=console, auto_refresh=False) as live:
                while True:
                    hearing.listen(1.0)
                    rows = _rows(folder.register.read(), hearing)
                    live.update(_table(rows, console.width), refresh=True)
        else:
            console.print(_table(rows, console.width))
    if any(row["behind"] or (wait and not row["online"]) for row in rows):
        raise typer.Exit(1)


def forget(
    group: GroupArgument,
    person: Annotated[str, typer.Argument(metavar="ID", help="The person's id.")],
    *,
    unknown: Annotated[
        bool,
        typer.Option("--unknown", help="Also an id that no gallery has, or had lately: a door may have."),
    ] = False,
    wait: Annotated[float, typer.Option(min=0, help="Wait so many seconds for the doors.")] = 0.0,
    fleet: FleetOption = DEFAULT_FLEET,
    passphrase_file: PassphraseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Erase a person at every door of the fleet; open until each door has confirmed with a signed receipt.

    GROUP is where the person is known; every other group that has them forgets them too, and no group is sent
    them again. The desk's own record goes with ``edged people forget``. Exit status 1 while a door has not
    confirmed.
    """
    folder = open_fleet(fleet, passphrase_file)
    folder.forget(group, person, unknown=unknown)
    # Also what a call before this one could not send.
    for each in sorted({item.group for item in folder.register.read().forgotten if item.person_id == person}):
        push(folder, each)
    _confirm(folder, wait)
    _show_receipts(folder.register.read(), as_json=as_json)


def receipts(
    fleet: FleetOption = DEFAULT_FLEET,
    wait: Annotated[float, typer.Option(min=0, help="Wait so many seconds for the doors.")] = 0.0,
    wiped: Annotated[
        str | None,
        typer.Option(
            metavar="DOOR",
            help="The disk of this door, removed or given new keys before it confirmed, is wiped.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show every removal and the doors that have confirmed it. Exit status 1 while one has not.

    One that was removed before it confirmed can confirm no more: it counts until you say that it is wiped.
    """
    from edged.publishing import leaving

    folder = open_fleet(fleet, None, ask=False)
    if wiped is not None:
        with folder.alone():
            folder.register.write(leaving.wiped(folder.register.read(), wiped))
    _confirm(folder, wait)
    _show_receipts(folder.register.read(), as_json=as_json)


def _hear_health(hearing: "Hearing", seconds: float) -> None:
    """Wait until every door that is there has told its vital signs."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if all(word.health for word in hearing.doors.values() if word.availability == "online"):
            return
        hearing.listen(0.2)


def _hearing(register: "Fleet") -> "Hearing":
    import os

    from edged.fleet.broker import BrokerClient
    from edged.publishing.hearing import Hearing

    client = BrokerClient(register.broker, client_id=f"edged-publisher-hears-{os.getpid()}", will=None)
    hearing = Hearing(register, client)
    hearing.connect()
    return hearing


def _confirm(folder: "FleetFolder", wait: float) -> None:
    """Enter the receipts that there are now, or that come within ``wait`` seconds."""
    from edged.publishing.hearing import enter_receipts

    register = folder.register.read()
    if not any(item.open for item in register.forgotten) and not any(
        door.left for door in register.doors.values()
    ):
        return
    deadline = time.monotonic() + wait
    with _hearing(register) as hearing:
        hearing.settle()
        while True:
            register = enter_receipts(folder, hearing)
            if time.monotonic() >= deadline or not any(item.open for item in register.forgotten):
                return
            hearing.listen(0.2)


def _show_receipts(register: "Fleet", *, as_json: bool) -> None:
    from datetime import datetime

    import msgspec

    rows = [msgspec.to_builtins(item) | {"open": item.open} for item in register.forgotten]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
    for item in () if as_json else register.forgotten:
        asked = datetime.fromtimestamp(item.asked_at).astimezone()
        all_doors = {*item.doors, *(one.door for one in item.departed)}
        sure = all_doors - {*item.open, *(one.door for one in item.departed)}
        count = f"{len(sure)} of {counted(len(all_doors), 'door')}"
        typer.echo(f"{item.person_id}  asked {asked:%Y-%m-%d %H:%M}  {count}  {'; '.join(_stands(item))}")
    if not rows and not as_json:
        typer.echo("nobody was forgotten")
    unproven = sorted({one.door for item in register.forgotten for one in item.unproven})
    for name in () if as_json else unproven:
        typer.echo(f"once that disk of {name} is wiped: `edged fleet receipts --wiped {name}`", err=True)
    if unproven or any(item.open for item in register.forgotten):
        raise typer.Exit(1)


def _stands(item: "Forgotten") -> list[str]:
    """Say how far a removal is, for each kind of door in its own words."""
    from datetime import datetime

    found = [f"open at {', '.join(item.open)}"] if item.open else []
    if item.open and item.moved_from is not None:
        found[0] += (
            f", moved from {item.moved_from}, until version {item.version} of {item.group} is in force there"
        )
    for one in item.departed:
        what = "was removed" if one.why == "removed" else "got new keys"
        if one.wiped_at is None:
            disk = "it" if one.why == "removed" else "its old disk"
            found.append(f"{one.door} {what} before it confirmed: {disk} may still have them")
        else:
            when = datetime.fromtimestamp(one.wiped_at).astimezone()
            found.append(
                f"{one.door} {what} before it confirmed, and is wiped as was said {when:%Y-%m-%d %H:%M}"
            )
    if not item.open and not item.unproven:
        of = item.group if item.moved_from is None else f"{item.moved_from} that moved to {item.group}"
        found.append(f"erased at every {'other ' if item.departed else ''}door of {of}")
    return found


def _rows(register: "Fleet", hearing: "Hearing") -> list[dict[str, Any]]:
    from edged.publishing.hearing import DoorWord

    now = time.time()
    found = []
    for name, door in sorted(register.doors.items()):
        word, entry = hearing.doors.get(name, DoorWord()), register.group(door.group)
        state = _state(name, door.group, entry, word)
        receipt, birth, health = word.receipt, word.birth or {}, word.health or {}
        found.append(
            {
                "door": name,
                "group": door.group,
                "online": word.availability == "online",
                "version": None if receipt is None else receipt.version,
                "newest": entry.version,
                "age_seconds": None
                if receipt is None or not receipt.applied_at
                else round(now - receipt.applied_at),
                "people": None if receipt is None else receipt.people,
                "denied": None if receipt is None else receipt.denied,
                "state": _as_far_as_known(state, word.availability),
                "behind": state not in (_IN_FORCE, _WAITS),
                "model": None if receipt is None else receipt.space,
                "edged": birth.get("version"),
                "last_event": (health.get("facts") or {}).get("last_event"),
                "waiting_events": health.get("outbox_rows"),
                "oldest_waiting_event": health.get("outbox_oldest"),
            }
        )
    return found


def _state(name: str, group: str, entry: "GroupEntry", word: "DoorWord") -> str:
    receipt = word.receipt
    if receipt is None:
        return word.forged or "never heard of"
    due = entry.held if entry.canary and name not in entry.canary else entry.version
    newer = receipt.version > entry.version or receipt.denied > entry.denied_version
    troubles = (
        (receipt.group != group, f"has a gallery of group {receipt.group}"),
        (newer, "has a newer one than this desk made"),
        (receipt.refused is not None, f"refused: {receipt.refused}"),
        (receipt.lapsed, "past its last day"),
        (receipt.denied < entry.denied_version, "denial not applied"),
        (receipt.version < due, "behind"),
        (receipt.version < entry.version, _WAITS),
    )
    return next((text for there, text in troubles if there), _IN_FORCE)


def _as_far_as_known(state: str, availability: str | None) -> str:
    """Return the state, and of a door that is not there that it is its last word."""
    if availability == "online" or state not in (_IN_FORCE, _WAITS):
        return state
    away = "stopped" if availability == "stopped" else "offline"
    return f"{away}, last known {_IN_FORCE if state == _IN_FORCE else 'to wait for the canaries'}"


def _table(rows: list[dict[str, Any]], width: int) -> "Group":
    """Return all columns in one table, or in two where ``width`` does not hold them side by side."""
    from rich.console import Group

    if width >= _WIDE:
        return Group(_columns(rows, _HEADS))
    return Group(_columns(rows, _HEADS[:_FIRST]), "", _columns(rows, (_HEADS[0], *_HEADS[_FIRST:])))


def _columns(rows: list[dict[str, Any]], heads: tuple[str, ...]) -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None)
    for head in heads:
        table.add_column(head, min_width=len(head), overflow="fold")
    for row in rows:
        cells = _cells(row)
        table.add_row(*(Text(cells[head]) for head in heads))
    return table


def _cells(row: dict[str, Any]) -> dict[str, str]:
    cells = (
        row["door"],
        row["group"],
        "yes" if row["online"] else "no",
        "-" if row["version"] is None else f"{row['version']} of {row['newest']}",
        _age(row["age_seconds"]),
        "-" if row["people"] is None else str(row["people"]),
        row["state"],
        row["model"] or "-",
        row["edged"] or "-",
        "-" if row["last_event"] is None else str(row["last_event"])[:19].replace("T", " "),
        "-" if row["waiting_events"] is None else str(row["waiting_events"]),
    )
    return dict(zip(_HEADS, cells, strict=True))


def _age(seconds: int | None) -> str:
    if seconds is None:
        return "-"
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"
