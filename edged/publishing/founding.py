"""The first day of a fleet: its folder, its keys, and a place to enrol people at the publisher's desk."""

import json
from pathlib import Path
from typing import Any

import msgspec

from edged.config.loading import parse
from edged.config.sections import MqttConfig
from edged.errors import ConfigError, FleetError
from edged.publishing.keyring import DAILY, PUBLISHER, READER, REVOKER, Keyring
from edged.publishing.register import Fleet, GroupEntry, decoded, encoded
from edged.publishing.release import FleetFolder
from edged.storage.files import create_private_file, make_private_directory

# `edged enrol --config FOLDER/config.yaml` and all of `edged people` work on it as at a door; it has neither
# camera nor lock.
_CONFIG = """\
# The publisher's desk: people are enrolled here and published with `edged fleet publish`.
site: {site}
door_id: publisher
camera:
  source: {{type: folder, path: photographs}}
door:
  lock: {{driver: fake}}
mqtt:
{broker}
models:
{models}
gallery:
  path: people.db
  key_file: people.key
journal:
  path: journal.db
"""


def found(
    folder: FleetFolder,
    *,
    site: str,
    prefix: str,
    broker: MqttConfig,
    root_keys: int,
    threshold: int,
    group: str,
    models: dict[str, str],
) -> Fleet:
    """Make keys, register, first group and the desk's configuration.

    All of it is checked before anything is written, and the register comes last: one that is cut off is begun
    again by the same call. Raises ``ConfigError`` on what no fleet can be called or broker reached by,
    ``FleetError`` where there is a fleet already, ``StoreError``.
    """
    if folder.register.exists():
        raise FleetError(f"{folder.register.path}: there is a fleet already")
    if not 1 <= threshold <= root_keys:
        raise FleetError(f"{threshold} of {root_keys} root keys cannot be asked for")
    names = [f"root-{number}" for number in range(1, root_keys + 1)]
    fleet = Fleet(prefix=prefix, site=site, broker=broker, root_keys=names, root_threshold=threshold)
    config = _desk_config(site, prefix, broker, models)
    _check(folder, fleet.with_group(group, GroupEntry()), config)
    make_private_directory(folder.directory)
    for name in (*names, PUBLISHER, REVOKER, DAILY, READER):
        if name not in folder.keyring.names():
            folder.keyring.create(name)
    for name in (*names, PUBLISHER, REVOKER, DAILY):
        folder.keyring.signing(name)  # of a call that was cut off: under this passphrase?
    folder.keyring.reading()
    create_private_file(folder.directory / "config.yaml", config.encode())
    with folder.alone():
        repository = folder.repository(group)
        repository.create(fleet.root_keys, fleet.root_threshold)
        fleet = fleet.with_group(group, GroupEntry())
        folder.register.write(fleet)
    return fleet


def _desk_config(site: str, prefix: str, broker: MqttConfig, models: dict[str, str]) -> str:
    chosen = (
        "  {}" if not models else "\n".join(f"  {key}: {json.dumps(value)}" for key, value in models.items())
    )
    return _CONFIG.format(
        site=json.dumps(site), models=chosen, broker=_section({**_changed(broker), "topic_prefix": prefix})
    )


def _check(folder: FleetFolder, fleet: Fleet, config: str) -> None:
    """Raise ``ConfigError`` on a fleet that could not be read, ``FleetError`` where one is in the way."""
    parse(config, base=folder.directory)
    try:
        decoded(encoded(fleet))
    except msgspec.ValidationError as exc:
        raise ConfigError([str(exc)]) from exc
    signed = (path.name for path in (folder.directory / "groups").glob("*/meta/*.json"))
    if not all(name.startswith(("1.", "timestamp.")) for name in signed):  # more than a call like this writes
        raise FleetError(
            f"{folder.directory}: signed files without the fleet.json that belongs to them; put that back "
            "from a copy, or move the folder away to begin anew"
        )
    path = folder.directory / "config.yaml"
    if path.exists() and path.read_bytes() != config.encode():
        raise FleetError(f"{path}: is there already, and says something else; move it away")


def _changed(broker: MqttConfig) -> dict[str, Any]:
    """Return what was said of the broker, as plain values."""
    plain: dict[str, Any] = msgspec.to_builtins(broker, enc_hook=str)
    usual: dict[str, Any] = msgspec.to_builtins(MqttConfig(), enc_hook=str)
    return {key: value for key, value in plain.items() if value != usual[key] or key == "host"}


def _section(values: dict[str, Any]) -> str:
    return "\n".join(f"  {key}: {json.dumps(value)}" for key, value in values.items())


def keyring(directory: Path, passphrase: bytes | None) -> Keyring:
    """Return the keys of the fleet in ``directory``."""
    return Keyring(directory / "keys", passphrase)
