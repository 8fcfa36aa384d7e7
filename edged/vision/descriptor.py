"""YAML as a pack's descriptor needs it: plain values, bounded.

A pack may come from anywhere. libyaml's loader composes nodes by recursion in C, so that 30,000 brackets,
30 kB, end the process; and PyYAML's constructors of dates, sets and tagged values fail in a dozen ways of
their own. So the events are looked through first: no tag, no alias, no depth. What is left are mappings,
lists and scalars.
"""

import math
from typing import Any

import yaml

from edged.errors import ModelError

LIMIT_BYTES = 65_536  # the shipped ones are below 4 kB
_MAX_DEPTH = 16  # the deepest value of a descriptor, a coordinate of a template, is on level 7
_MAX_SCALAR = 3000  # a text has 2000 at most; Python refuses to write out an integer of 4300 digits
_DATE = "tag:yaml.org,2002:timestamp"
# libyaml's loader builds the same plain values ten times as fast: 6 ms a descriptor otherwise.
_SAFE_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_SAFE_LOADER):  # type: ignore[misc] # typed as Any: either of two
    """Takes a date for text: a descriptor has none, and not every text that looks like one is one."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != _DATE]
    for first, resolvers in _SAFE_LOADER.yaml_implicit_resolvers.items()
}


def plain_values(raw: bytes) -> Any:
    """Return what the YAML ``raw`` holds. Raises ``ModelError`` saying where it cannot be read."""
    if len(raw) > LIMIT_BYTES:
        raise ModelError(f"larger than {LIMIT_BYTES} bytes")
    try:
        _check(raw)
        values = yaml.load(raw, Loader=_Loader)  # noqa: S506 - a safe loader with less
    except (yaml.YAMLError, UnicodeError, ValueError, OverflowError) as exc:
        # The last two: what looks like a number and is none, or one of a thousand digits.
        raise ModelError(" ".join(str(exc).split())[:400]) from exc
    if not _finite(values):
        # Every comparison with NaN is false, and some comparison may be a gate.
        raise ModelError("expected finite numbers")
    return values


def _check(raw: bytes) -> None:
    depth = 0
    for event in yaml.parse(raw, Loader=_Loader):
        mark: Any = event.start_mark
        line = mark.line + 1
        if isinstance(event, yaml.AliasEvent):
            raise ModelError(f"line {line}: aliases (*name) are not supported; write the value out")
        if getattr(event, "tag", None) not in (None, "!"):
            raise ModelError(f"line {line}: tags (!name) are not supported")
        if isinstance(event, yaml.ScalarEvent) and len(event.value) > _MAX_SCALAR:
            raise ModelError(f"line {line}: a value of {len(event.value)} characters")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _MAX_DEPTH:
            raise ModelError(f"line {line}: nested too deeply")


def _finite(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_finite, value.values()))
    if isinstance(value, list):
        return all(map(_finite, value))
    return not isinstance(value, float) or math.isfinite(value)
