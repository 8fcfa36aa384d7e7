"""``decision.armed`` switched in the file itself, with everything else of it left as it is."""

import contextlib
import os
import re
import secrets
import shutil
from pathlib import Path

import msgspec

from edged.config.loading import load, parse, read_text
from edged.config.sections import Config
from edged.errors import ConfigError

_SECTION = re.compile(r"^decision:.*(?:\n(?:[ \t#].*)?)*", re.MULTILINE)
_KEY = re.compile(r"^(?P<before>(?:[^#\n]*[\s{,])?armed:[ \t]*)(?:true|false)\b", re.MULTILINE)
_HEAD = re.compile(r"^decision:[ \t]*(?P<rest>#.*)?$", re.MULTILINE)
_INLINE = re.compile(r"^decision:[ \t]*\{[ \t]*", re.MULTILINE)
_INDENT = re.compile(r"^(?P<indent>[ \t]+)[^\s#]", re.MULTILINE)


def switched(text: str, *, armed: bool) -> str:
    """Return the YAML ``text`` with ``decision.armed`` set; comments and all else stay."""
    word = "true" if armed else "false"
    found = _SECTION.search(text)
    if found is None:
        return f"{text.rstrip()}\n\ndecision:\n  armed: {word}\n"
    section = found[0]
    if _KEY.search(section):
        changed = _KEY.sub(rf"\g<before>{word}", section, count=1)
    elif _INLINE.search(section):
        changed = _INLINE.sub(f"decision: {{armed: {word}, ", section, count=1)
    else:
        indent = _INDENT.search(section)
        line = f"{indent['indent'] if indent else '  '}armed: {word}"
        changed = _HEAD.sub(lambda head: f"{head[0]}\n{line}", section, count=1)
    return text[: found.start()] + changed + text[found.end() :]


def switch(path: Path, *, armed: bool) -> Config:
    """Set ``decision.armed`` in the file at ``path``, in one step; return the new configuration.

    Raises ``ConfigError`` where the file is wrong before, or could not be changed without doubt.
    """
    before = load(path)
    wanted = msgspec.structs.replace(before, decision=msgspec.structs.replace(before.decision, armed=armed))
    if wanted == before:
        return before
    text = switched(read_text(path), armed=armed)
    try:
        understood = parse(text, base=path.parent, environ=os.environ) == wanted
    except ConfigError:
        understood = False
    if not understood:
        raise ConfigError([f"decision.armed: {path} is written too unusually to be changed; edit it by hand"])
    _replace(path, text)
    return wanted


def _replace(path: Path, text: str) -> None:
    path = path.resolve()
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    try:
        owner = path.stat()
        beside.write_text(text, encoding="utf-8")
        shutil.copymode(path, beside)
        with contextlib.suppress(PermissionError):  # only root may give files away, and need not here
            os.chown(beside, owner.st_uid, owner.st_gid)
        beside.replace(path)
    except OSError as exc:
        raise ConfigError([f"{path}: cannot be written: {exc.strerror or exc}"]) from exc
    finally:
        beside.unlink(missing_ok=True)
