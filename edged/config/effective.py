"""The configuration as plain values, and what changed between two of them."""

import hashlib
from typing import Any

import msgspec

from edged.config.sections import Config

# Read anew by the running workers on SIGHUP. All else shapes a thread, a device or a connection.
LIVE_SECTIONS = ("access", "attendance", "decision", "motion", "quality", "security")
LIVE_KEYS = ("gallery.max_unread_seconds", "gallery.poll_seconds", "liveness.threshold", "logging.level")


def effective(config: Config) -> dict[str, Any]:
    """Return all values in force as plain ones, ready for YAML or JSON; what is not set is left out.

    Holds no secret: the configuration knows only the paths of their files.
    """
    values: dict[str, Any] = _without_none(msgspec.to_builtins(config, enc_hook=str))
    return values


def changes(old: Config, new: Config) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the dotted keys that differ: those that may change live, and those that need a restart."""
    before, after = _flat(effective(old)), _flat(effective(new))
    different = sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))
    live = tuple(key for key in different if is_live(key))
    return live, tuple(key for key in different if key not in live)


def is_live(key: str) -> bool:
    """Whether a dotted key may change without a restart."""
    return key in LIVE_KEYS or key.partition(".")[0] in LIVE_SECTIONS


def adopted(old: Config, new: Config) -> Config:
    """Return ``old`` with everything of ``new`` that may change without a restart."""
    sections = {name: getattr(new, name) for name in LIVE_SECTIONS}
    for path in LIVE_KEYS:
        section, _, key = path.partition(".")
        changed = {key: getattr(getattr(new, section), key)}
        sections[section] = msgspec.structs.replace(getattr(old, section), **changed)
    return msgspec.structs.replace(old, **sections)


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    return value


def _flat(value: Any, path: str = "") -> dict[str, Any]:
    """Return one entry a leaf. A list is a leaf, and an empty mapping is one as well."""
    if not isinstance(value, dict) or (not value and path):
        return {path: value}
    return {
        dotted: leaf
        for key, item in value.items()
        for dotted, leaf in _flat(item, f"{path}.{key}" if path else key).items()
    }


def digest(config: Config) -> str:
    """Return a short digest of the effective configuration, by which drift between doors shows."""
    return hashlib.sha256(msgspec.json.encode(config, enc_hook=str)).hexdigest()[:16]
