"""What the documents and the program's own messages tell to type is there: commands, options, keys, links."""

import ast
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest
import typer
import yaml

from edged.cli.registry import register

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TEXTS = [*DOCUMENTS, ROOT / "config.yaml", *sorted((ROOT / "monitoring").rglob("*.y*ml"))]
SOURCES = sorted((ROOT / "edged").rglob("*.py"))
SCHEMA = msgspec.json.decode((ROOT / "edged" / "config" / "config.schema.json").read_bytes())
# It has options of its own, which typer never sees.
OWN_PARSER = ("door", "run")
PLACEHOLDER = "{}"
# These lie on disk, beside a section of the same name.
FILES = ("journal.db.",)


@cache
def commands() -> Any:
    app = typer.Typer()
    register(app)
    return typer.main.get_command(app)


def fences(text: str) -> list[str]:
    return re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def spans(text: str) -> list[str]:
    """What stands in backticks, on one line; outside of fences."""
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    prose = re.sub(r"^ *#(?= )", "", prose, flags=re.MULTILINE)  # a comment of YAML that goes on
    return [" ".join(found.split()) for found in re.findall(r"`+([^`]+)`+", prose)]


def strings(path: Path) -> Iterator[str]:
    """The texts of a module; what an f-string fills in is a placeholder."""
    inner = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.JoinedStr):
            inner |= {id(part) for part in node.values}
            yield "".join(
                str(part.value) if isinstance(part, ast.Constant) else PLACEHOLDER for part in node.values
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inner:
            yield node.value


def typed(text: str) -> list[str]:
    """The command lines of edged in a document, with what is said about them behind."""
    lines = [line for fence in fences(text) for line in fence.splitlines()]
    return [one for one in (*spans(text), *lines) if one.startswith("edged ")]


def options(command: Any) -> set[str]:
    names = {"--help", "-h"}
    for parameter in command.params:
        names |= {*getattr(parameter, "opts", ()), *getattr(parameter, "secondary_opts", ())}
    return names


def faults(line: str) -> list[str]:
    """What of ``edged a b --option`` is not there; ``a | b`` are commands side by side."""
    try:
        words = shlex.split(line.split("  ", maxsplit=1)[0].removesuffix("&"))[1:]
    except ValueError:
        return []
    command, path = commands(), []
    while words and hasattr(command, "commands"):
        names = words[::2] if words[1:2] == ["|"] else words[:1]
        if PLACEHOLDER in names[0] or names[0] in {"COMMAND", "..."}:
            return []
        missing = [name for name in names if name not in command.commands and not name.startswith("-")]
        if missing:
            return [f"{line!r}: no command {missing[0]!r} in {' '.join(['edged', *path])!r}"]
        if names[0].startswith("-"):
            break
        command = command.commands[words[0]]
        path.append(words[0])
        words = words[1:] if len(names) == 1 else []
    if hasattr(command, "commands") or tuple(path) == OWN_PARSER:
        return []
    given = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", line))
    return [f"{line!r}: no option {name!r}" for name in sorted(given - options(command))]


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_the_commands_of_the_documents_are_there(path: Path) -> None:
    assert [fault for line in typed(path.read_text()) for fault in faults(line)] == []


def test_the_commands_of_the_messages_are_there() -> None:
    lines = [
        (path.name, span)
        for path in SOURCES
        if "`edged " in path.read_text()
        for text in strings(path)
        if "`edged " in text
        for span in spans(text)
        if span.startswith("edged ")
    ]
    assert len(lines) > 100
    assert [(name, fault) for name, line in lines for fault in faults(line)] == []


def test_a_command_or_option_that_is_not_there_is_found() -> None:
    assert faults("edged people set-pin WHO --yes  asks nobody; --json") == [
        "'edged people set-pin WHO --yes  asks nobody; --json': no option '--yes'"
    ]
    assert faults("edged people list | shew") == [
        "'edged people list | shew': no command 'shew' in 'edged people'"
    ]
    assert faults("edged peeple") == ["'edged peeple': no command 'peeple' in 'edged'"]
    assert faults("edged people list | show") == faults("edged events tail  newest last (-f follows)") == []


def section(name: str) -> dict[str, Any]:
    return SCHEMA["$defs"][name.rpartition("/")[2]]  # type: ignore[no-any-return]


def inside(node: dict[str, Any]) -> list[dict[str, Any]]:
    """The objects that a value of the schema may be."""
    found = [section(node["$ref"])] if "$ref" in node else [node]
    for branch in (*node.get("anyOf", ()), *node.get("oneOf", ())):
        found += inside(branch)
    return found


def absent(key: str) -> bool:
    """Whether the schema has no such key, as ``door.lock.chip``."""
    nodes = inside(SCHEMA)
    for name in key.split("."):
        below = [one["properties"][name] for one in nodes if name in one.get("properties", {})]
        below += [one["additionalProperties"] for one in nodes if one.get("additionalProperties")]
        if not below:
            return True
        nodes = [deeper for one in below for deeper in inside(one)]
    return False


def keys(text: str) -> list[str]:
    """The keys of the configuration in a document: ``section.key`` in backticks, or a fence of YAML."""
    first = {name for one in inside(SCHEMA) for name in one["properties"]}
    found = [span.split(":")[0] for span in spans(text)]
    dotted = [one for one in found if re.fullmatch(r"[a-z_]+(\.[a-z_]+)+", one)]
    known = [one for one in dotted if one.split(".")[0] in first and not one.startswith(FILES)]
    for fence in fences(text):
        try:
            document = yaml.safe_load(fence)
        except yaml.YAMLError:
            continue
        if isinstance(document, dict) and set(document) <= first:
            known += list(paths(document))
    return known


def paths(document: dict[str, Any], above: str = "") -> Iterator[str]:
    for name, value in document.items():
        if isinstance(value, dict):
            yield from paths(value, f"{above}{name}.")
        else:
            yield f"{above}{name}"


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_the_keys_of_the_documents_are_there(path: Path) -> None:
    assert [key for key in keys(path.read_text()) if absent(key)] == []


def test_a_key_that_is_not_there_is_found() -> None:
    assert keys("`decision.armed: false`, `config.yaml`") == ["decision.armed"]
    assert keys("```\nmqtt: {tls: {ca: a}}\n```\n") == ["mqtt.tls.ca"]
    assert [key for key in ("decision.armed", "door.lock.chip", "mqtt.tls.ca") if absent(key)] == [
        "mqtt.tls.ca"
    ]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_and_make_targets_are_there(path: Path) -> None:
    text = path.read_text()
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]
    assert [link for link in links if not (path.parent / link.partition("#")[0]).exists()] == []
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z][a-z-]*):", makefile, re.MULTILINE))
    told = [line for fence in fences(text) for line in fence.splitlines()] + spans(text)
    wanted = [match for line in told for match in re.findall(r"^(?:sudo )?make ([a-z][a-z-]*)", line)]
    assert [name for name in wanted if name not in targets] == []
