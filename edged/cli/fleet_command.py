"""``edged fleet command``: signed orders to doors, and the keys that may give them."""

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edged.cli.fleet import DEFAULT_FLEET, FleetOption, GroupArgument, PassphraseOption, open_fleet
from edged.cli.fleet_publish import push
from edged.cli.options import JsonOption

if TYPE_CHECKING:
    from collections.abc import Callable

    from edged.fleet.gallery_format import CommandKey
    from edged.publishing.commanding import Order
    from edged.publishing.release import FleetFolder


def command_key(
    group: GroupArgument,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the key, such as 'reception'.")],
    *,
    may: Annotated[
        list[str] | None,
        typer.Option(
            help="What it may command; repeatable. unlock, lockdown, release, reload, selftest, "
            "snapshot, replay, rebirth."
        ),
    ] = None,
    door: Annotated[list[str] | None, typer.Option(help="Only at this door; repeatable.")] = None,
    until: Annotated[datetime | None, typer.Option(help="Last moment, UTC.", formats=["%Y-%m-%d"])] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Let it command nothing any more.")] = False,
    fleet: FleetOption = DEFAULT_FLEET,
    passphrase_file: PassphraseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key that may give commands to the doors of a group, change what it may, or take it away.

    It can neither enrol nor publish. The doors learn of it as they do of a gallery.
    """
    from edged.publishing import doors

    folder = open_fleet(fleet, passphrase_file)
    if remove:
        doors.remove_commander(folder, group, name)
    else:
        _add_key(folder, group, _record(name, may or [], door, until))
    push(folder, group)
    if as_json:
        typer.echo(json.dumps({"key": name, "group": group, "may": [] if remove else may or []}))
        return
    allowed = "nothing any more" if remove else ", ".join(may or [])
    typer.echo(f"key {name} may command the doors of {group}: {allowed}")


def command(
    action: Annotated[
        str,
        typer.Argument(
            metavar="ACTION", help="unlock, lockdown, release, reload, selftest, snapshot, replay or rebirth."
        ),
    ],
    *,
    key: Annotated[str, typer.Option(help="The key that signs; see `edged fleet command-key`.")],
    door: Annotated[list[str] | None, typer.Option(help="A door; repeatable.")] = None,
    group: Annotated[str | None, typer.Option(help="All doors of this group.")] = None,
    reason: Annotated[str, typer.Option(help="Why; it is recorded. An unlock needs one.")] = "",
    from_seq: Annotated[int | None, typer.Option(min=1, help="replay: the first event.")] = None,
    to_seq: Annotated[int | None, typer.Option(min=1, help="replay: the last event.")] = None,
    wait: Annotated[float, typer.Option(min=1, max=300, help="Seconds to wait for the doors.")] = 10.0,
    fleet: FleetOption = DEFAULT_FLEET,
    passphrase_file: PassphraseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Command doors, all at the same time, and show the signed reply of each as it comes.

    A door that the key may not command is told and keeps no other from it. Exit status 1 unless all have done
    it.
    """
    folder = open_fleet(fleet, passphrase_file)
    args = {name: seq for name, seq in (("from_seq", from_seq), ("to_seq", to_seq)) if seq is not None}
    order = _order(action, reason, args)
    told = (lambda _: None) if as_json else _tell
    replies = _command(folder, _doors(folder, door or [], group), key, order, wait, told=told)
    if as_json:
        typer.echo(json.dumps(replies, indent=2))
    if any(reply["result"] != "done" or reply["facts"].get("ok") is False for reply in replies):
        raise typer.Exit(1)


def _tell(reply: dict[str, Any]) -> None:
    tail = f"  {reply['text']}" if reply["text"] else ""
    typer.echo(f"{reply['door']}  {reply['result']}{tail}")
    for name, value in reply["facts"].items():
        typer.echo(f"    {name}  {json.dumps(value)}")


def _record(name: str, may: list[str], doors: list[str] | None, until: datetime | None) -> "CommandKey":
    """Return what a key is to be known by, without the key itself."""
    import msgspec

    from edged.fleet.gallery_format import CommandKey

    plain = {
        "name": name,
        "public": bytes(32),
        "may": may,
        "doors": doors,
        "until": None if until is None else until.replace(tzinfo=UTC).timestamp(),
    }
    try:
        return msgspec.convert(plain, CommandKey)
    except msgspec.ValidationError as exc:
        raise typer.BadParameter(f"{exc}; --may takes what a door can be commanded") from exc


def _add_key(folder: "FleetFolder", group: str, record: "CommandKey") -> None:
    """Make the key where there is none, and say what it may; one that is refused leaves none behind."""
    import msgspec

    from edged.errors import EdgedError
    from edged.publishing.doors import add_commander
    from edged.publishing.keyring import PUBLISHER

    pem = f"command-{record.name}"
    folder.keyring.signing(PUBLISHER)  # else a key could be made under a passphrase that was mistyped
    made = pem not in folder.keyring.names()
    if made:
        folder.keyring.create(pem)
    try:
        public = folder.keyring.signing(pem).public_key().public_bytes_raw()
        add_commander(folder, group, msgspec.structs.replace(record, public=public))
    except EdgedError:
        if made:
            folder.keyring.discard(pem)
        raise


def _order(action: str, reason: str, args: dict[str, int]) -> "Order":
    from edged.fleet.gallery_format import ACTIONS
    from edged.publishing.commanding import Order

    found = next((known for known in ACTIONS if known == action), None)
    if found is None:
        raise typer.BadParameter(f"{action!r}: expected one of {', '.join(ACTIONS)}", param_hint="ACTION")
    if found == "unlock" and not reason.strip():
        raise typer.BadParameter("an unlock is recorded with a reason", param_hint="--reason")
    return Order(found, reason, args)


def _doors(folder: "FleetFolder", doors: list[str], group: str | None) -> list[str]:
    register = folder.register.read()
    named = list(dict.fromkeys([*doors, *(register.doors_of(group) if group is not None else ())]))
    if not named:
        raise typer.BadParameter("name a --door, or a --group that has some")
    return named


def _command(
    folder: "FleetFolder",
    doors: list[str],
    key: str,
    order: "Order",
    wait: float,
    *,
    told: "Callable[[dict[str, Any]], None]",
) -> list[dict[str, Any]]:
    """Command all ``doors`` at the same time; ``told`` hears of each as it answers, of others at the end."""
    import os

    import msgspec

    from edged.errors import FleetError, NotFoundError
    from edged.fleet.broker import BrokerClient
    from edged.publishing.commanding import Commander, objection

    register, signing = folder.register.read(), folder.keyring.signing(f"command-{key}")
    public = signing.public_key().public_bytes_raw()
    rows: dict[str, dict[str, Any]] = {}

    def tell(door: str, row: dict[str, Any]) -> None:
        rows[door] = row
        told(row)

    sent_to: dict[str, bytes] = {}
    for door in doors:
        try:
            why = objection(register, key, public, order.action, door)
        except NotFoundError as exc:
            why = str(exc)
        if why is None:
            sent_to[door] = register.door(door).card.signing
        else:
            tell(door, _unanswered(door, "not_sent", why))
    if sent_to:
        client = BrokerClient(register.broker, client_id=f"edged-commander-{os.getpid()}", will=None)
        commander = Commander(client, register.prefix, register.site, key, signing)
        try:
            answers = commander.command_all(
                sent_to, order, wait, lambda reply: tell(reply.door, msgspec.to_builtins(reply))
            )
        except FleetError as exc:
            answers = dict.fromkeys(sent_to, str(exc))
        finally:
            commander.close()
        for door, answer in answers.items():
            if isinstance(answer, str):
                tell(door, _unanswered(door, "unanswered", answer))
    return [rows[door] for door in doors]


def _unanswered(door: str, result: str, text: str) -> dict[str, Any]:
    return {"door": door, "result": result, "text": text, "facts": {}}
