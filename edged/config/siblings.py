"""Configurations of one door that lie beside each other: what its readers must not have in common."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from edged.config.loading import load
from edged.config.sections import Config
from edged.errors import ConfigError


def clashes(path: Path, config: Config, environ: Mapping[str, str] = os.environ) -> list[str]:
    """Return one ``path: text`` for each thing that a configuration beside ``path`` has as well.

    Looked at are the ``*.yaml`` of the same folder that name the same ``door.socket``. One that is no whole
    configuration is the door process's alone, or is not in use, and is passed over.
    """
    if config.door.socket is None:
        return []
    return [
        f"{key}: {other.name} has {value} too, and each reader of a door needs its own"
        for other, sibling in _siblings(path, environ)
        if sibling.door.socket == config.door.socket
        for key, value in _common(config, sibling)
    ]


def _siblings(path: Path, environ: Mapping[str, str]) -> Iterator[tuple[Path, Config]]:
    own = path.resolve()
    for other in sorted(own.parent.glob("*.yaml")):
        if other.resolve() == own:
            continue
        try:
            yield other, load(other, environ)
        except (ConfigError, OSError):
            continue


def _common(one: Config, other: Config) -> Iterator[tuple[str, object]]:
    """Yield what both have, by its key; a client id that is made of site and door_id goes with those."""
    if (one.site, one.door_id) == (other.site, other.door_id):
        yield "door_id", f"{one.site}.{one.door_id}"
    if one.journal.path == other.journal.path:
        yield "journal.path", one.journal.path
    if one.http.enabled and other.http.enabled and one.http.port == other.http.port != 0:
        yield "http.port", one.http.port
    if one.mqtt.enabled and other.mqtt.enabled and one.mqtt.client_id == other.mqtt.client_id is not None:
        yield "mqtt.client_id", one.mqtt.client_id
    factors = one.second_factor, other.second_factor
    if all(factor.enabled for factor in factors) and factors[0].socket_path == factors[1].socket_path:
        yield "second_factor.socket_path", factors[0].socket_path
