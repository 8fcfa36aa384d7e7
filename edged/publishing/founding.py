"""The first day of a fleet: its folder, its keys, and a place to enrol people at the publisher's desk."""

import json
from pathlib import Path
from typing import Any

import msgspec

from edged.config.sections import MqttConfig
from edged.errors import FleetError
from edged.publishing.keyring import DAILY, PUBLISHER, READER, REVOKER, Keyring
from edged.publishing.register import Fleet, GroupEntry
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

    Raises ``FleetError`` where there is a fleet already, ``StoreError``.
    """
    if folder.register.exists():
        raise FleetError(f"{folder.register.path}: there is a fleet already")
    if not 1 <= threshold <= root_keys:
        raise FleetError(f"{threshold} of {root_keys} root keys cannot be asked for")
    names = [f"root-{number}" for number in range(1, root_keys + 1)]
    make_private_directory(folder.directory)
    for name in (*names, PUBLISHER, REVOKER, DAILY, READER):
        if name not in folder.keyring.names():
            folder.keyring.create(name)
    fleet = Fleet(prefix=prefix, site=site, broker=broker, root_keys=names, root_threshold=threshold)
    folder.register.write(fleet)
    folder.create_group(group, GroupEntry())
    chosen = (
        "  {}" if not models else "\n".join(f"  {key}: {json.dumps(value)}" for key, value in models.items())
    )
    text = _CONFIG.format(
        site=site, models=chosen, broker=_section({**_changed(broker), "topic_prefix": prefix})
    )
    create_private_file(folder.directory / "config.yaml", text.encode())
    return folder.register.read()


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
