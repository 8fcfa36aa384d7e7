"""The files of a door's membership, found and opened as the configuration says."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import msgspec

from edged.config.sections import Config
from edged.errors import ConfigError, FleetError, StoreError
from edged.fleet.joining import Invitation, read_joining, write_joining
from edged.membership.blobs import BlobFolder
from edged.membership.identity import DoorIdentity, load_identity
from edged.membership.opener import Member
from edged.membership.store import FleetStore
from edged.storage.files import is_there, make_private_directory, replace_private_file
from edged.storage.people import Contents, PeopleStore
from edged.storage.vault import Vault


@dataclass(frozen=True, slots=True)
class Membership:
    """This door in its fleet."""

    invitation: Invitation
    identity: DoorIdentity
    store: FleetStore
    directory: Path


def identity_path(config: Config) -> Path:
    """Return where the door's keys lie."""
    return config.fleet.directory / "identity"


def invitation_path(config: Config) -> Path:
    """Return where the invitation lies."""
    return config.fleet.directory / "invitation.json"


def open_membership(config: Config, vault: Vault) -> Membership:
    """Return this door's membership.

    Raises ``ConfigError`` where it has not joined the fleet, or has under another name; ``StoreError``.
    """
    identity = load_identity(identity_path(config), vault)
    path = invitation_path(config)
    if identity is None or not path.exists():
        raise ConfigError(
            ["fleet.enabled: this door has not joined a fleet; run `edged fleet card` and `edged fleet join`"]
        )
    try:
        invitation = read_joining(path.read_bytes(), Invitation)
    except OSError as exc:
        raise StoreError(f"{path}: cannot be read: {exc.strerror}") from exc
    except FleetError as exc:
        raise StoreError(f"{path}: {exc}") from exc
    _check(config, invitation)
    member = Member(config.site, config.door_id, invitation.group, identity.sealing)
    store = FleetStore(config.fleet.directory, vault, member)
    return Membership(invitation, identity, store, config.fleet.directory)


def received_contents(membership: Membership, config: Config, vault: Vault, space: str) -> Contents:
    """Return the fleet's people with the templates of ``space``, and this door's own vetoes.

    Raises ``StoreError``.
    """
    store = membership.store
    with PeopleStore.open(config.gallery.path, vault, writable=False) as local:
        vetoes = tuple(local.vetoes(space))
    generation, (people, templates) = store.generation(), store.everybody(space)
    return Contents(generation, tuple(people), tuple(templates), vetoes)


def accept(config: Config, vault: Vault, invitation: Invitation) -> None:
    """Believe the publisher of ``invitation`` from now on; the door's keys must exist.

    Raises ``ConfigError`` where it is meant for another door, ``FleetError`` without keys, ``StoreError``.
    """
    _check(config, invitation)
    if load_identity(identity_path(config), vault) is None:
        raise FleetError("this door has no keys yet; run `edged fleet card` first")
    make_private_directory(config.fleet.directory)
    if _is_another(invitation_path(config), invitation):
        _start_anew(config.fleet.directory)
    replace_private_file(invitation_path(config), write_joining(invitation).encode())


def _is_another(path: Path, invitation: Invitation) -> bool:
    """Whether the door believed somebody else, or another group, before: then versions start anew."""
    if not is_there(path):
        return False
    try:
        known = read_joining(path.read_bytes(), Invitation)
    except FleetError:
        return True
    return known.group != invitation.group or not _root_keys(known) & _root_keys(invitation)


def _root_keys(invitation: Invitation) -> frozenset[str]:
    try:
        plain = msgspec.json.decode(invitation.root)
        return frozenset(map(str, plain["signed"]["roles"]["root"]["keyids"]))
    except (msgspec.DecodeError, KeyError, TypeError):
        return frozenset()


def _start_anew(directory: Path) -> None:
    """Let go of the gallery, of what was seen, and of TUF's cache; the commands' memory stays."""
    BlobFolder(directory / "blobs").keep_only(())
    try:
        (directory / "state").unlink(missing_ok=True)
        shutil.rmtree(directory / "tuf", ignore_errors=True)
    except OSError as exc:
        raise StoreError(f"{directory}: cannot be cleared: {exc.strerror}") from exc


def _check(config: Config, invitation: Invitation) -> None:
    own = (config.mqtt.topic_prefix, config.site, config.door_id)
    named = (invitation.prefix, invitation.site, invitation.door)
    if own != named:
        raise ConfigError([f"fleet: the invitation is for {'/'.join(named)}, this door is {'/'.join(own)}"])
