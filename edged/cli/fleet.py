"""``edged fleet``: a gallery for many doors. Here: the first day, and doors that come and go."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edged.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption
from edged.cli.secret_input import secret_text

if TYPE_CHECKING:
    from edged.config.sections import MqttConfig
    from edged.fleet.joining import DoorCard, Invitation
    from edged.publishing.release import FleetFolder

app = typer.Typer(
    help="A gallery for many doors: signed by you, sealed for them, over any broker.", no_args_is_help=True
)

FleetOption = Annotated[Path, typer.Option("--fleet", envvar="EDGED_FLEET", help="The publisher's folder.")]
PassphraseOption = Annotated[
    Path | None,
    typer.Option(
        envvar="EDGED_FLEET_PASSPHRASE_PATH", help="Read the keys' passphrase from this file's first line."
    ),
]
GroupArgument = Annotated[str, typer.Argument(metavar="GROUP", help="A group of doors.")]
FingerprintOption = Annotated[
    str | None,
    typer.Option(metavar="DIGITS", help="The fingerprint that the other end printed: refuse another."),
]
DEFAULT_FLEET = Path("fleet")
DEFAULT_GROUP = "doors"


def open_fleet(fleet: Path, passphrase_file: Path | None, *, ask: bool = True) -> "FleetFolder":
    """Return the publisher's folder; the passphrase is asked for where no file gives it.

    Without ``ask`` only the daily key can be used.
    """
    from edged.publishing.founding import keyring
    from edged.publishing.release import FleetFolder

    passphrase = None
    if ask or passphrase_file is not None:
        passphrase = secret_text(passphrase_file, "passphrase of the keys", "--passphrase-file", twice=False)
    return FleetFolder(fleet, keyring(fleet, None if passphrase is None else passphrase.encode()))


@app.command()
def init(
    site: Annotated[str, typer.Argument(metavar="SITE", help="Name of the place, as in the doors' files.")],
    *,
    fleet: FleetOption = DEFAULT_FLEET,
    group: Annotated[str, typer.Option(help="The first group of doors.")] = DEFAULT_GROUP,
    broker: Annotated[str, typer.Option(help="HOST or HOST:PORT of the broker.")] = "127.0.0.1",
    username: Annotated[str | None, typer.Option(help="User name at the broker.")] = None,
    password_file: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="File with the password there.")
    ] = None,
    ca_file: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Speak TLS; who signed the broker's key.")
    ] = None,
    certificate_file: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Our certificate for the broker.")
    ] = None,
    key_file: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="Its key.")] = None,
    prefix: Annotated[str, typer.Option(help="First part of every topic.")] = "edged",
    root_keys: Annotated[int, typer.Option(min=1, max=9, help="How many root keys.")] = 3,
    threshold: Annotated[int, typer.Option(min=1, max=9, help="How many of them must sign.")] = 2,
    models: Annotated[
        Path | None,
        typer.Option(exists=True, file_okay=False, help="Model packs; the usual folder without it."),
    ] = None,
    detector: Annotated[str, typer.Option(help="Pack that finds faces.")] = "starter",
    embedder: Annotated[str, typer.Option(help="Pack that recognises them.")] = "starter",
    passphrase_file: PassphraseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Begin a fleet: keys under a passphrase, a first group, and a desk to enrol people at."""
    from edged.errors import ConfigError
    from edged.publishing.founding import found, keyring
    from edged.publishing.release import FleetFolder

    folder = FleetFolder(fleet, keyring(fleet, _new_passphrase(passphrase_file)))
    tls = (ca_file, certificate_file, key_file)
    try:
        found(
            folder,
            site=site,
            prefix=prefix,
            broker=_broker(broker, username, password_file, tls),
            root_keys=root_keys,
            threshold=threshold,
            group=group,
            models={
                **({} if models is None else {"directory": str(models.resolve())}),
                "detector": detector,
                "embedder": embedder,
            },
        )
    except ConfigError as exc:
        raise typer.BadParameter("; ".join(exc.problems)) from exc
    _tell_founded(fleet, site, group, root_keys, as_json=as_json)


def _new_passphrase(file: Path | None) -> bytes:
    """Ask for the passphrase of new keys. Raises ``typer.BadParameter`` for one that is too short."""
    from edged.publishing.keyring import LEAST_PASSPHRASE

    asked = f"passphrase for the keys, {LEAST_PASSPHRASE} characters or more"
    secret = secret_text(file, asked, "--passphrase-file", twice=True)
    if len(secret) < LEAST_PASSPHRASE:
        raise typer.BadParameter(
            f"expected {LEAST_PASSPHRASE} characters or more, got {len(secret)}: whoever copies the key "
            "files can try as fast as they like",
            param_hint="--passphrase-file",
        )
    return secret.encode()


def _tell_founded(fleet: Path, site: str, group: str, root_keys: int, *, as_json: bool) -> None:
    if as_json:
        facts = {"fleet": str(fleet), "site": site, "group": group, "config": str(fleet / "config.yaml")}
        typer.echo(json.dumps(facts))
        return
    typer.echo(f"{fleet}: a fleet for site {site} with the group {group!r}")
    typer.echo(
        f"Keys lie in {fleet / 'keys'}: keep copies of root-1 to root-{root_keys} apart from this machine "
        "and from each other."
    )
    typer.echo(f"Enrol people with:  edged enrol --config {fleet / 'config.yaml'} NAME PHOTO...")
    typer.echo("At a door, run:     edged fleet card -o front.card")


@app.command()
def card(
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A file instead of the screen.")
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """At a door: make its keys and print its card for ``edged fleet add-door``, public keys only.

    The card is JSON already; ``--json`` prints what else is told, and the card within it.
    """
    from edged.config.loading import load
    from edged.errors import ModelError
    from edged.fleet.joining import write_joining
    from edged.membership.identity import create_identity
    from edged.membership.opening import identity_path
    from edged.storage.vault import Vault
    from edged.vision.choice import configured_space

    settings = load(config)
    vault = Vault.open(settings.gallery.key_file)
    identity = create_identity(identity_path(settings), vault)
    space = configured_space(settings.models)
    if space is None:
        raise ModelError(f"pack {settings.models.embedder}: has no embedding space")
    made = identity.card(settings.site, settings.door_id, space)
    if output is not None:
        _write(output, write_joining(made))
    if as_json:
        facts = {"door": made.door, "fingerprint": made.fingerprint, "file": output and str(output)}
        typer.echo(json.dumps({**facts, "card": json.loads(write_joining(made))}))
        return
    if output is None:
        typer.echo(write_joining(made), nl=False)
    typer.echo(f"fingerprint of this door: {made.fingerprint}", err=True)


@app.command("add-door")
def add_door(
    card_file: Annotated[Path, typer.Argument(metavar="CARD", help="What `edged fleet card` printed.")],
    *,
    group: Annotated[str, typer.Option(help="The group of doors that it joins.")] = DEFAULT_GROUP,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The invitation; DOOR.invitation.json without it.")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="The door has new keys: shut its old ones out of what comes.")
    ] = False,
    fingerprint: FingerprintOption = None,
    fleet: FleetOption = DEFAULT_FLEET,
    passphrase_file: PassphraseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a door read a group's gallery; writes the invitation for ``edged fleet join`` at the door.

    Compare the fingerprint with the one the door printed: whoever swapped the card would read the gallery.
    With ``--fingerprint`` another card is refused.
    """
    from edged.fleet.joining import DoorCard, read_joining, write_joining
    from edged.publishing import doors

    made = read_joining(_bytes(card_file), DoorCard)
    if fingerprint is not None:
        _compare(made, fingerprint)
    folder = open_fleet(fleet, passphrase_file)
    known = folder.register.read().doors.get(made.door)
    invitation = doors.add_door(folder, made, group, replace=replace)
    path = output or Path(f"{made.door}.invitation.json")
    _write(path, write_joining(invitation))
    facts = {"door": made.door, "group": group, "card": made.fingerprint, "invitation": str(path)}
    if as_json:
        typer.echo(json.dumps({**facts, "fingerprint": invitation.fingerprint}))
        return
    typer.echo(f"door {made.door} of group {group}; its fingerprint: {made.fingerprint}")
    typer.echo(f"{path}: give it to the door. Fingerprint of the invitation: {invitation.fingerprint}")
    typer.echo("It reads the gallery from the next `edged fleet publish` on.")
    if known is not None and (known.group, known.card.sealing) != (group, made.sealing):
        on_its_way = known.card.sealing == made.sealing
        typer.echo(
            f"What group {known.group} was sent so far stays open to it as it was, nothing that comes after"
            f"{' but who is denied there, until it has joined' if on_its_way else ''}: "
            f"run `edged fleet publish {known.group}`."
        )


@app.command()
def join(
    invitation_file: Annotated[Path, typer.Argument(metavar="INVITATION", help="From the publisher.")],
    fingerprint: FingerprintOption = None,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """At a door: believe this publisher from now on. Set ``fleet.enabled: true`` and restart the door.

    Whoever swapped the invitation would say who may enter: so its fingerprint is asked for first, unless
    ``--fingerprint`` gives it.
    """
    from edged.config.loading import load
    from edged.fleet.joining import Invitation, read_joining
    from edged.membership.opening import accept
    from edged.storage.vault import Vault

    settings = load(config)
    invitation = read_joining(_bytes(invitation_file), Invitation)
    _compare(invitation, fingerprint)
    accept(settings, Vault.open(settings.gallery.key_file), invitation)
    if as_json:
        facts = {"group": invitation.group, "fingerprint": invitation.fingerprint}
        typer.echo(json.dumps(facts | {"enabled": settings.fleet.enabled}))
        return
    typer.echo(f"joined group {invitation.group}; fingerprint of the invitation: {invitation.fingerprint}")
    if not settings.fleet.enabled:
        typer.echo(f"now set fleet.enabled: true in {config} and restart the door")


@app.command("remove-door")
def remove_door(
    door: Annotated[str, typer.Argument(metavar="DOOR", help="A door's name.")],
    *,
    messages_only: Annotated[
        bool, typer.Option("--messages-only", help="It has left already: only clear what it said last.")
    ] = False,
    discovery_prefix: Annotated[
        str, typer.Option(help="Where Home Assistant hears of it, as in the door's file.")
    ] = "homeassistant",
    fleet: FleetOption = DEFAULT_FLEET,
    passphrase_file: PassphraseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Shut a door out of all that is published from now on, and clear what it said last from the broker.

    What it has, it keeps: wipe it. A door that still reaches the broker says all of it again.
    """
    from edged.errors import NotFoundError
    from edged.publishing import doors

    folder = open_fleet(fleet, passphrase_file, ask=not messages_only)
    if messages_only and door in folder.register.read().doors:
        raise typer.BadParameter(f"door {door} is a door of this fleet", param_hint="--messages-only")
    register = folder.register.read()
    try:
        group = None if messages_only else doors.remove_door(folder, door)
    except NotFoundError as exc:
        raise NotFoundError(f"{exc}; for one that has left there is --messages-only") from exc
    if group is not None and not as_json:
        typer.echo(f"door {door} left group {group}; run `edged fleet publish {group}` to tell the others")
        if register.group(group).canary == [door]:
            typer.echo(
                f"It was the only canary, nobody tries version {register.group(group).version} any more: "
                f"`edged fleet release {group}` gives it to all, a publish takes its place."
            )
    refused = _clear(folder, door, discovery_prefix)
    if as_json:
        typer.echo(json.dumps({"door": door, "left": group, "not_cleared": refused}))
    elif not refused:
        typer.echo(f"what door {door} said last is cleared from the broker")
    if refused:
        raise typer.Exit(1)


def _clear(folder: "FleetFolder", door: str, discovery_prefix: str) -> tuple[str, ...]:
    """Clear what a door said last; return the topics that stay on the broker, which are told."""
    import os

    from edged.errors import FleetError
    from edged.fleet.broker import BrokerClient
    from edged.fleet.topics import Topics
    from edged.publishing.clearing import clear, retained_topics

    register = folder.register.read()
    topics = retained_topics(Topics(register.prefix, register.site, door), discovery_prefix)
    client = BrokerClient(register.broker, client_id=f"edged-publisher-clears-{os.getpid()}", will=None)
    try:
        refused = clear(client, topics)
    except FleetError as exc:
        again = f"`edged fleet remove-door {door} --messages-only` clears it"
        raise FleetError(f"{exc}; what door {door} said last stays on the broker until {again}") from exc
    finally:
        client.close(goodbye=True)
    for topic in refused:
        typer.echo(f"the broker does not let us clear {topic}: see docs/broker.md", err=True)
    return refused


def _compare(item: "DoorCard | Invitation", typed: str | None) -> None:
    """Go on only where somebody has compared the fingerprint of ``item``. Raises ``FleetError``."""
    import sys

    from edged.errors import FleetError
    from edged.fleet.joining import is_fingerprint

    if typed is not None:
        if not is_fingerprint(typed, item):
            raise FleetError(
                f"its fingerprint is {item.fingerprint}, not {typed[:60]!r}: nothing was changed"
            )
        return
    if not sys.stdin.isatty():
        raise typer.BadParameter(
            "there is no terminal to ask on: give the fingerprint that `edged fleet add-door` printed",
            param_hint="--fingerprint",
        )
    typer.echo(f"fingerprint: {item.fingerprint}", err=True)
    if not typer.confirm("Is it the one that `edged fleet add-door` printed at the desk?", err=True):
        raise FleetError("not the same fingerprint: nothing was changed")


def _write(path: Path, text: str) -> None:
    from edged.errors import FleetError

    try:
        path.write_text(text, encoding="utf-8")
    except OSError as exc:
        raise FleetError(f"{path}: cannot be written: {exc.strerror or exc}") from exc


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as exc:
        raise typer.BadParameter(f"{path}: cannot be read: {exc.strerror}") from exc


def _broker(
    address: str, username: str | None, password_file: Path | None, tls: tuple[Path | None, ...]
) -> "MqttConfig":
    from edged.config.sections import MqttConfig, MqttTlsConfig

    host, _, port = address.rpartition(":") if address.count(":") == 1 else (address, "", "")
    if not host or (port and not port.isdigit()):
        raise typer.BadParameter(f"{address!r}: expected HOST or HOST:PORT", param_hint="--broker")
    ca, certificate, key = (None if path is None else path.resolve() for path in tls)
    return MqttConfig(
        host=host,
        port=int(port) if port else None,
        username=username,
        password_file=None if password_file is None else password_file.resolve(),
        tls=None if not any(tls) else MqttTlsConfig(ca_file=ca, certificate_file=certificate, key_file=key),
    )
