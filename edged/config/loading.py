"""Read ``config.yaml``: every problem at once, each with its path.

msgspec stops at the first problem, so the mapping is walked key by key and msgspec judges one leaf
at a time. Relative paths resolve against the file. ``EDGED_<SECTION>_<KEY>`` may replace the path of
a secret's file (keys ending in ``_file``), nothing else.
"""

import difflib
import math
import os
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

import msgspec
import yaml

from edged.config.checks import cross_section_problems
from edged.config.sections import Config
from edged.errors import ConfigError

_ENV_PREFIX = "EDGED_"


class _UniqueKeyLoader(yaml.SafeLoader):
    """SafeLoader that refuses a key given twice: YAML would silently keep the last one."""


def _construct_unique(loader: _UniqueKeyLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node, deep=True)
        if key in seen:
            raise ConfigError([f"line {key_node.start_mark.line + 1}: key {key!r} is given twice"])
        seen.add(key)
    return loader.construct_mapping(node, deep=True)


_UniqueKeyLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _construct_unique)


def load(path: Path, environ: Mapping[str, str] = os.environ) -> Config:
    """Read, check and return the configuration of ``path``.

    Raises ``ConfigError`` with all problems.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError([f"{path}: cannot be read: {exc}"]) from exc
    return parse(text, base=path.parent, environ=environ)


def parse(text: str, *, base: Path, environ: Mapping[str, str] | None = None) -> Config:
    """Check YAML ``text``; relative paths resolve against ``base``. Raises ``ConfigError``."""
    try:
        # A SafeLoader with one constructor more: it builds plain values only.
        raw = yaml.load(text, Loader=_UniqueKeyLoader)  # noqa: S506
    except yaml.YAMLError as exc:
        raise ConfigError([f"not YAML: {exc}"]) from exc
    if not isinstance(raw, dict):
        raise ConfigError([f"expected a mapping of sections, got {type(raw).__name__}"])
    problems: list[str] = []
    config = _struct(Config, raw, "", problems, base.resolve())
    if not problems and isinstance(config, Config):
        config = _override_secrets(config, environ or {}, problems)
        problems += cross_section_problems(config)
        if not problems:
            return config
    raise ConfigError(problems)


def _struct(kind: type[msgspec.Struct], raw: object, path: str, problems: list[str], base: Path) -> object:
    """Build one struct from a mapping, appending a line to ``problems`` for each thing wrong."""
    if not isinstance(raw, dict):
        problems.append(f"{path or 'top level'}: expected a mapping, got {_said(raw)}")
        return None
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    hints = typing.get_type_hints(kind, include_extras=True)
    tag_field = kind.__struct_config__.tag_field
    values: dict[str, object] = {}
    problems += [
        f"{_join(path, str(key))}: unknown key{_did_you_mean(str(key), fields)}"
        for key in raw
        if key not in fields and key != tag_field
    ]
    before = len(problems)
    for name, field in fields.items():
        if name in raw:
            values[field.name] = _value(hints[field.name], raw[name], _join(path, name), problems, base)
        elif field.required:
            problems.append(f"{_join(path, name)}: missing")
        elif isinstance(field.default, Path):
            values[field.name] = base / field.default
        elif isinstance(field.default, msgspec.Struct):
            values[field.name] = _struct(type(field.default), {}, _join(path, name), problems, base)
    return kind(**values) if len(problems) == before else None


def _value(hint: Any, raw: object, path: str, problems: list[str], base: Path) -> object:
    """Convert one value; the type decides whether it is walked or handed to msgspec."""
    members = [arg for arg in get_args(hint) if arg is not type(None)] if _is_union(hint) else [hint]
    if raw is None and type(None) in get_args(hint):
        return None
    structs = [
        member for member in members if isinstance(member, type) and issubclass(member, msgspec.Struct)
    ]
    if structs:
        chosen = structs[0] if len(structs) == 1 else _by_tag(structs, raw, path, problems)
        return None if chosen is None else _struct(chosen, raw, path, problems, base)
    if members == [Path]:
        return _path(raw, path, problems, base)
    if get_origin(hint) is dict and isinstance(raw, dict):
        kind = get_args(hint)[1]
        return {key: _value(kind, item, _join(path, str(key)), problems, base) for key, item in raw.items()}
    inner = get_args(hint)[0] if get_origin(hint) is typing.Annotated else hint
    item_kind = get_args(inner)[0] if get_origin(inner) is list else None
    if isinstance(item_kind, type) and issubclass(item_kind, msgspec.Struct) and isinstance(raw, list):
        return [
            _struct(item_kind, item, f"{path}[{index}]", problems, base) for index, item in enumerate(raw)
        ]
    return _leaf(hint, raw, path, problems)


def _leaf(hint: Any, raw: object, path: str, problems: list[str]) -> object:
    if isinstance(raw, float) and not math.isfinite(raw):
        problems.append(f"{path}: expected a finite number, got {raw}")
        return None
    try:
        return msgspec.convert(raw, hint, strict=True)
    except msgspec.ValidationError as exc:
        problems.append(f"{path}: {str(exc)[:1].lower()}{str(exc)[1:]} (got {_said(raw)})")
        return None


def _by_tag(
    structs: list[type[msgspec.Struct]], raw: object, path: str, problems: list[str]
) -> type[msgspec.Struct] | None:
    tag_field = structs[0].__struct_config__.tag_field or "type"
    tags = {str(struct.__struct_config__.tag): struct for struct in structs}
    if not isinstance(raw, dict) or tag_field not in raw:
        problems.append(f"{_join(path, tag_field)}: missing; one of {', '.join(tags)}")
        return None
    tag = str(raw[tag_field])
    if tag not in tags:
        problems.append(
            f"{_join(path, tag_field)}: {tag!r} is none of {', '.join(tags)}{_did_you_mean(tag, tags)}"
        )
    return tags.get(tag)


def _path(raw: object, path: str, problems: list[str], base: Path) -> Path | None:
    if not isinstance(raw, str) or not raw:
        problems.append(f"{path}: expected a path, got {_said(raw)}")
        return None
    return base / Path(raw).expanduser()


def _override_secrets(config: Config, environ: Mapping[str, str], problems: list[str]) -> Config:
    """Apply ``EDGED_MQTT_PASSWORD_FILE`` and the like: systemd credentials and container secrets."""
    for name, value in environ.items():
        if not name.startswith(_ENV_PREFIX) or not name.endswith("_FILE"):
            continue
        words = name.removeprefix(_ENV_PREFIX).lower()
        section_name, _, key = words.partition("_")
        section = getattr(config, section_name, None)
        if not isinstance(section, msgspec.Struct) or key not in section.__struct_fields__:
            problems.append(f"environment {name}: no such secret; known: {', '.join(_secret_names(config))}")
            continue
        changed = msgspec.structs.replace(section, **{key: Path(value)})
        config = msgspec.structs.replace(config, **{section_name: changed})
    return config


def _secret_names(config: Config) -> list[str]:
    return [
        f"{_ENV_PREFIX}{section}_{key}".upper()
        for section in config.__struct_fields__
        for key in getattr(getattr(config, section), "__struct_fields__", ())
        if key.endswith("_file")
    ]


def _is_union(hint: Any) -> bool:
    return get_origin(hint) in (typing.Union, types.UnionType)


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _said(raw: object) -> str:
    text = repr(raw)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _did_you_mean(word: str, known: Mapping[str, object]) -> str:
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; known: {', '.join(known)}"
