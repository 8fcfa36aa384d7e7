"""The files of a door's membership, found and opened as the configuration says."""

from dataclasses import dataclass
from pathlib import Path

from edged.config.sections import Config
from edged.errors import ConfigError, FleetError, StoreError
from edged.fleet.joining import Invitation, read_joining, write_joining
from edged.membership.identity import DoorIdentity, load_identity
from edged.membership.store import FleetStore, Member
from edged.storage.files import make_private_directory, replace_private_file
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


def accept(config: Config, vault: Vault, invitation: Invitation) -> None:
    """Believe the publisher of ``invitation`` from now on; the door's keys must exist.

    Raises ``ConfigError`` where it is meant for another door, ``FleetError`` without keys, ``StoreError``.
    """
    _check(config, invitation)
    if load_identity(identity_path(config), vault) is None:
        raise FleetError("this door has no keys yet; run `edged fleet card` first")
    make_private_directory(config.fleet.directory)
    replace_private_file(invitation_path(config), write_joining(invitation).encode())


def _check(config: Config, invitation: Invitation) -> None:
    own = (config.mqtt.topic_prefix, config.site, config.door_id)
    named = (invitation.prefix, invitation.site, invitation.door)
    if own != named:
        raise ConfigError([f"fleet: the invitation is for {'/'.join(named)}, this door is {'/'.join(own)}"])
