"""Read ``config.yaml``: every problem at once, each with its path.

msgspec stops at the first problem, so the mapping is walked key by key and msgspec judges one leaf
at a time. Relative paths resolve against the file. The path of a secret (a key ending in ``_file``) may
come from the environment, ``EDGED_MQTT_TLS_KEY_FILE`` for ``mqtt.tls.key_file``, and may begin with
``$CREDENTIALS_DIRECTORY``. Nothing else is taken from the environment.
"""

import difflib
import os
import types
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

import msgspec

from edged.config.checks import contradictions
from edged.config.document import MAX_BYTES, read_document
from edged.config.sections import Config, DoorConfig, LockConfig
from edged.config.wording import did_you_mean, said, why
from edged.errors import ConfigError

_ENV_PREFIX, _ENV_SUFFIX = "EDGED_", "_FILE"
_CREDENTIALS = "$CREDENTIALS_DIRECTORY"


def load(path: Path, environ: Mapping[str, str] = os.environ) -> Config:
    """Read, check and return the configuration of ``path``.

    Raises ``ConfigError`` with all problems.
    """
    return parse(read_text(path), base=path.parent, environ=environ)


def load_lock(path: Path) -> LockConfig:
    """Return ``door.lock`` alone, whatever is wrong elsewhere in the file.

    For the command that secures the line after a crash: a typing mistake in another section, even one
    after which the file is no YAML, must not leave a door open. Raises ``ConfigError`` where the lock
    itself is not described.
    """
    text = read_text(path)
    try:
        raw, _ = read_document(text)
    except ConfigError:
        raw, _ = read_document(_block(text, "door"))
    door = raw.get("door") if isinstance(raw, dict) else None
    given = door.get("lock") if isinstance(door, dict) else None
    problems: list[str] = []
    lock = _Reader(path.parent.resolve(), {}, problems).value(LockConfig, given, "door.lock")
    if problems or not isinstance(lock, LockConfig):
        raise ConfigError(problems or ["door.lock: missing"])
    return lock


def load_door(path: Path) -> DoorConfig:
    """Return the section ``door`` alone, for the process that owns the lock and needs nothing else.

    Raises ``ConfigError`` with all problems of that section; what is wrong elsewhere does not matter.
    """
    return parse_door(read_text(path), base=path.parent)


def parse_door(text: str, *, base: Path) -> DoorConfig:
    """Return the section ``door`` of YAML ``text``. Raises ``ConfigError``."""
    try:
        raw, _ = read_document(text)
    except ConfigError:
        raw, _ = read_document(_block(text, "door"))
    problems: list[str] = []
    reader = _Reader(base.resolve(), {}, problems)
    door = reader.struct(DoorConfig, raw.get("door"), "door")
    for section in reader.sections:
        problems += contradictions(section)
    if problems or not isinstance(door, DoorConfig):
        raise ConfigError(problems)
    return door


def _block(text: str, section: str) -> str:
    """Return the lines of one top-level section, cut out without understanding the others."""
    found: list[str] = []
    for line in text.splitlines():
        starts_another = line[:1] not in ("", " ", "#")
        if found and starts_another:
            break
        if found or line.startswith(f"{section}:"):
            found.append(line)
    return "\n".join(found)


def read_text(path: Path) -> str:
    """Return the text of the file, as far as it may be a configuration. Raises ``ConfigError``."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES * 4 + 1)  # UTF-8 takes four bytes a character at most
        return content.decode("utf-8-sig")
    except FileNotFoundError as exc:
        raise ConfigError([f"{path}: there is no such file; name another one with --config"]) from exc
    except (OSError, UnicodeDecodeError, ValueError) as exc:
        raise ConfigError([f"{path}: cannot be read: {exc}"]) from exc


def parse(text: str, *, base: Path, environ: Mapping[str, str] | None = None) -> Config:
    """Check YAML ``text``; relative paths resolve against ``base``. Raises ``ConfigError``."""
    raw, problems = read_document(text)
    reader = _Reader(base.resolve(), environ or {}, problems)
    config = reader.struct(Config, raw, "")
    reader.check_environment()
    for section in reader.sections:
        problems += contradictions(section)
    if problems or not isinstance(config, Config):
        raise ConfigError(problems)
    return config


class _Reader:
    """One walk over one document; what is wrong is appended to ``problems``."""

    def __init__(self, base: Path, environ: Mapping[str, str], problems: list[str]) -> None:
        self.base = base
        self.environ = environ
        self.problems = problems
        self.secrets: set[str] = set()
        self.sections: list[object] = []  # those that are well-formed, whatever is wrong elsewhere

    def struct(self, kind: type[msgspec.Struct], raw: object, path: str) -> object:
        """Build one struct from a mapping; None where a key of it is wrong. Nothing means all defaults."""
        raw = {} if raw is None else raw
        if not isinstance(raw, dict):
            self.problems.append(f"{path}: expected a mapping, got {said(raw)}")
            return None
        fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
        tag_field = kind.__struct_config__.tag_field
        before = len(self.problems)
        self.problems += [
            f"{_join(path, key)}: unknown key{_meant(key, fields)}"
            for key in raw
            if key not in fields and key != tag_field
        ]
        hints = typing.get_type_hints(kind, include_extras=True)
        values: dict[str, object] = {}
        for name, field in fields.items():
            here = _join(path, name)
            given = self._given(raw, name, here)
            if name in given:
                values[field.name] = self.value(hints[field.name], given[name], here)
            elif field.required:
                self.problems.append(f"{here}: missing")
            elif isinstance(field.default, Path):
                values[field.name] = self.base / field.default
            elif isinstance(field.default, msgspec.Struct):
                values[field.name] = self.struct(type(field.default), {}, here)
        if len(self.problems) > before:
            return None
        built = kind(**values)
        self.sections.append(built)
        return built

    def value(self, hint: Any, raw: object, path: str) -> object:
        """Convert one value; the type decides whether it is walked or handed to msgspec."""
        members = _members(hint)
        structs = [kind for kind in members if isinstance(kind, type) and issubclass(kind, msgspec.Struct)]
        optional = type(None) in get_args(hint)
        if raw is None and optional and not structs:
            return None
        if raw is None and optional:
            # An empty "tls:" may mean with its defaults or without it: a guess could send passwords in clear.
            self.problems.append(f"{path}: is empty; write {{}} for its defaults, or leave the key out")
            return None
        if structs:
            chosen = structs[0] if len(structs) == 1 else self._by_tag(structs, raw, path)
            return None if chosen is None else self.struct(chosen, raw, path)
        if members == [Path]:
            return self._path(raw, path)
        return self._container(hint, raw, path)

    def _container(self, hint: Any, raw: object, path: str) -> object:
        """Walk a mapping of values or a list of structs; leave all else to msgspec."""
        inner = get_args(hint)[0] if get_origin(hint) is typing.Annotated else hint
        if get_origin(inner) is dict and isinstance(raw, dict):
            key_kind, item_kind = get_args(inner)
            return {
                self._leaf(key_kind, key, _join(path, key)): self.value(item_kind, item, _join(path, key))
                for key, item in raw.items()
            }
        item = get_args(inner)[0] if get_origin(inner) is list else None
        if isinstance(item, type) and issubclass(item, msgspec.Struct) and isinstance(raw, list):
            return [self.struct(item, each, f"{path}[{index}]") for index, each in enumerate(raw)]
        return self._leaf(hint, raw, path)

    def _leaf(self, hint: Any, raw: object, path: str) -> Any:
        if reason := why(hint, raw):
            self.problems.append(f"{path}{reason}")
            return None
        return msgspec.convert(raw, hint, strict=True)

    def _by_tag(
        self, structs: list[type[msgspec.Struct]], raw: object, path: str
    ) -> type[msgspec.Struct] | None:
        """Choose the struct that the tag (``type``, ``driver``) names."""
        tag_field = structs[0].__struct_config__.tag_field or "type"
        tags = {str(struct.__struct_config__.tag): struct for struct in structs}
        if not isinstance(raw, dict) or tag_field not in raw:
            self.problems.append(f"{_join(path, tag_field)}: missing; one of {', '.join(tags)}")
            return None
        tag = raw[tag_field]
        if not isinstance(tag, str) or tag not in tags:
            self.problems.append(
                f"{_join(path, tag_field)}: expected one of {', '.join(tags)}, got {said(tag)}"
                f"{did_you_mean(str(tag), tags, always=False)}"
            )
            return None
        return tags[tag]

    def _given(self, raw: dict[str, Any], name: str, path: str) -> Mapping[str, Any]:
        """Return ``raw``, with the environment's word for the path of a secret."""
        if not name.endswith("_file"):
            return raw
        variable = _ENV_PREFIX + path.upper().replace(".", "_")
        self.secrets.add(variable)
        return {**raw, name: self.environ[variable]} if variable in self.environ else raw

    def _path(self, raw: object, path: str) -> Path | None:
        if not isinstance(raw, str) or not raw:
            self.problems.append(f"{path}: expected a path, got {said(raw)}")
            return None
        if reason := why(str, raw):
            self.problems.append(f"{path}{reason}")
            return None
        if path.endswith("_file") and raw.startswith(f"{_CREDENTIALS}/"):
            folder = self.environ.get(_CREDENTIALS[1:])
            if not folder:
                self.problems.append(f"{path}: {_CREDENTIALS} is not set; LoadCredential= of systemd sets it")
                return None
            raw = folder + raw.removeprefix(_CREDENTIALS)
        try:
            return self.base / Path(raw).expanduser()
        except RuntimeError:
            self.problems.append(f"{path}: whose home directory is that? got {said(raw)}")
            return None

    def check_environment(self) -> None:
        """Report each ``EDGED_..._FILE`` that names nothing: a typing error there must not pass silently."""
        self.problems += [
            f"environment {name}: names no secret of a configured section{did_you_mean(name, self.secrets)}"
            for name in sorted(self.environ)
            if name.startswith(_ENV_PREFIX) and name.endswith(_ENV_SUFFIX) and name not in self.secrets
        ]


def _meant(key: str, fields: Iterable[str]) -> str:
    """Return ``; did you mean ...?`` for an unknown key, which may be another section's."""
    homes: dict[str, list[str]] = {}
    for section in msgspec.structs.fields(Config):
        if isinstance(section.default, msgspec.Struct):
            for name in section.default.__struct_fields__:
                homes.setdefault(name, []).append(f"{section.name}.{name}")
    # Only a name that one section alone has says which section was meant.
    unique = {name: dotted for name, (dotted, *others) in homes.items() if not others}
    own = did_you_mean(key, fields, always=False)
    close = [key] if key in unique else [] if own else difflib.get_close_matches(key[:60], unique, 1, 0.8)
    return f"; did you mean {unique[close[0]]!r}?" if close else own or did_you_mean(key, fields)


def _members(hint: Any) -> list[Any]:
    """Return the types that ``hint`` allows beside None."""
    if get_origin(hint) in (typing.Union, types.UnionType):
        return [arg for arg in get_args(hint) if arg is not type(None)]
    return [hint]


def _join(path: str, key: str) -> str:
    return f"{path}.{key[:60]}" if path else key[:60]
