"""The JSON Schema of the configuration, for editors and for people."""

import inspect
import typing
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin

import msgspec

from edged.config.descriptions import DESCRIPTIONS
from edged.config.sections import Config


def json_schema() -> dict[str, Any]:
    """Return JSON Schema 2020-12 for ``config.yaml``, with a description and the default of each key."""
    schema: dict[str, Any] = msgspec.json.schema(_twin(Config))
    for name, definition in schema["$defs"].items():
        definition["properties"] = _described(name, definition["properties"])
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "edged config", **schema}


def _described(struct: str, properties: dict[str, Any]) -> dict[str, Any]:
    """Put the text that an editor shows beside each key."""
    texts = DESCRIPTIONS[struct]
    return {
        key: {**definition, "description": texts[key]} if key in texts else definition
        for key, definition in properties.items()
    }


@cache
def _twin(kind: type[msgspec.Struct]) -> type[msgspec.Struct]:
    """Return ``kind`` with text in place of paths: msgspec knows no schema for those, nor their defaults."""
    config = kind.__struct_config__
    hints = typing.get_type_hints(kind, include_extras=True)
    fields = msgspec.structs.fields(kind)
    return msgspec.defstruct(
        kind.__name__,
        [(field.name, _twin_hint(hints[field.name]), *_default(field)) for field in fields],
        namespace={"__doc__": inspect.getdoc(kind)},
        rename={field.name: field.encode_name for field in fields},
        tag=config.tag,
        tag_field=config.tag_field,
        forbid_unknown_fields=True,
        kw_only=True,
    )


def _twin_hint(hint: Any) -> Any:
    if hint is Path:
        return str
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return _twin(hint)
    origin, args = get_origin(hint), get_args(hint)
    if origin in (typing.Union, UnionType):
        return typing.Union[tuple(_twin_hint(arg) for arg in args)]  # noqa: UP007 - built from a tuple
    if origin in (list, dict):
        return origin[tuple(_twin_hint(arg) for arg in args)]
    return hint


def _default(field: msgspec.structs.FieldInfo) -> tuple[Any, ...]:
    """Return the default in the form that ``defstruct`` takes; a section's is shown by its own keys."""
    if isinstance(field.default, msgspec.Struct):
        return (msgspec.field(default_factory=dict),)
    if isinstance(field.default, Path):
        return (str(field.default),)
    if field.default is not msgspec.NODEFAULT:
        return (field.default,)
    if field.default_factory is not msgspec.NODEFAULT:
        return (msgspec.field(default_factory=field.default_factory),)
    return ()
