"""YAML as a configuration needs it: the core schema of YAML 1.2, strict and bounded.

PyYAML speaks YAML 1.1, where ``no`` is false, ``18:00`` is 1080, ``010`` is 8, ``1e-3`` is text and of
two equal keys the last one wins. An editor that checks against the JSON Schema speaks 1.2. Here both
see the same, and what could make a small file large (aliases, nesting) is refused.
"""

import re
from typing import Any

import yaml

from edged.errors import ConfigError

MAX_BYTES = 65_536  # the commented example has some 10,000
_MAX_DEPTH = 16  # the deepest key of the configuration is on level 6

# YAML 1.2.2, section 10.3.2, less octal numbers and the spellings in capitals
_SCALARS = (
    ("null", re.compile(r"^(?:~|null|)$"), ["~", "n", ""]),
    ("bool", re.compile(r"^(?:true|false)$"), list("tf")),
    ("int", re.compile(r"^(?:[-+]?(?:0|[1-9][0-9]*)|0x[0-9a-fA-F]{1,64})$"), list("-+0123456789")),
    (
        "float",
        re.compile(
            r"^(?:[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+"
            r"|[-+]?\.inf|\.nan)$"
        ),
        list("-+.0123456789"),
    ),
)
_Resolvers = dict[Any, Any]
_TEXT = "tag:yaml.org,2002:str"


class _Loader(yaml.SafeLoader):
    """Builds mappings, lists and plain scalars; notes what is wrong with keys in ``problems``."""

    yaml_implicit_resolvers: _Resolvers = {}  # noqa: RUF012 - the library keeps its table on the class

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.problems: list[str] = []
        self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent):
            raise _refused("aliases (*name) are not supported; write the value out", event)
        if getattr(event, "tag", None) not in (None, "!"):
            raise _refused("tags (!name) are not supported", event)
        if self._depth >= _MAX_DEPTH:
            raise _refused("nested too deeply", event)
        self._depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        del deep  # always: the depth is bounded
        mapping: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag != _TEXT:
                self.problems.append(f"line {line}: a key must be text; put it into quotes")
            elif key_node.value in mapping:
                self.problems.append(f"line {line}: key {key_node.value[:60]!r} is given twice")
            else:
                mapping[key_node.value] = self.construct_object(value_node, deep=True)
        return mapping


_TEXT = "tag:yaml.org,2002:str"


class _Dumper(yaml.SafeDumper):
    """Quotes what ``_Loader``, or a reader of YAML 1.1, would not read as text."""

    yaml_implicit_resolvers: _Resolvers = {}  # noqa: RUF012 - the library keeps its table on the class


for _name, _pattern, _first in _SCALARS:
    for _class in (_Loader, _Dumper):
        _class.add_implicit_resolver(f"tag:yaml.org,2002:{_name}", _pattern, _first)
_YAML_1_1 = yaml.resolver.Resolver()


def _text_node(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    tag = _YAML_1_1.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]  # its stubs lack it
    plain = tag == _TEXT
    return dumper.represent_scalar(_TEXT, text, style=None if plain else "'")


_Dumper.add_representer(str, _text_node)


def read_document(text: str) -> tuple[dict[str, Any], list[str]]:
    """Return the mapping that ``text`` holds, and a line for each key that cannot stand.

    An empty text is an empty mapping. Raises ``ConfigError`` where ``text`` is not YAML at all.
    """
    if len(text) > MAX_BYTES:
        raise ConfigError([f"expected at most {MAX_BYTES} characters, got {len(text)}"])
    try:
        loader = _Loader(text)
        raw = loader.get_single_data()
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise ConfigError([f"{where}not YAML: {exc.problem or exc.context}"]) from exc
    except (yaml.YAMLError, ValueError, OverflowError) as exc:
        # A number of thousands of digits and "\U99999999" fail in Python, not in PyYAML.
        raise ConfigError([f"not YAML: {' '.join(str(exc).split())[:200]}"]) from exc
    if raw is None:
        raw = {}
    if not isinstance(raw, dict):
        raise ConfigError([f"expected a mapping of sections, got a {type(raw).__name__}"])
    return raw, loader.problems


def write_document(mapping: dict[str, Any]) -> str:
    """Return ``mapping`` as YAML that ``read_document`` reads back unchanged."""
    return yaml.dump(mapping, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=False)


def _refused(text: str, event: yaml.Event) -> yaml.MarkedYAMLError:
    mark: Any = event.start_mark
    return yaml.MarkedYAMLError(problem=text, problem_mark=mark)
