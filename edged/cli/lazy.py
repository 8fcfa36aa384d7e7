"""A command line that imports only the command it is asked for.

All commands together import for longer than most of them run.
"""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import typer
from typer.core import HAS_RICH, TyperCommand, TyperGroup

from edged.cli.registry import ENTRIES, Entry

_HELP = {"-h", "--help"}
# Typer's pages import them for Markdown and for tracebacks in colours, of which edged has neither: with them
# come markdown-it and pygments, more than half of the time that a page takes.
_NEVER_SHOWN = ("rich.markdown", "rich.traceback")


class LazyGroup(TyperGroup):
    """The root of the command line: knows its commands by name and first paragraph until one is wanted."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for entry in ENTRIES:
            self.commands[entry.name] = TyperCommand(entry.name, help=entry.help)
        self._waiting = {entry.name: entry for entry in ENTRIES}

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Put the command itself in the place of its name, then find it as any."""
        if args and (entry := self._waiting.pop(args[0], None)) is not None:
            self.commands[entry.name] = _command(entry)
        return super().resolve_command(ctx, args)


def _command(entry: Entry) -> Any:
    app = typer.Typer(pretty_exceptions_enable=False)
    app.callback()(_nothing)  # makes it a group, however few commands it has
    entry.add_to(app)
    return typer.main.get_group(app).commands[entry.name]


def _nothing() -> None:
    """Do nothing."""


def prepare_pages(arguments: list[str]) -> None:
    """Load what prints help, without what it never prints, if ``arguments`` ask for help."""
    wanted = not arguments or _HELP.intersection(arguments)
    if wanted and HAS_RICH and "typer.rich_utils" not in sys.modules:
        with _placeholders(_NEVER_SHOWN):
            importlib.import_module("typer.rich_utils")


@contextmanager
def _placeholders(names: tuple[str, ...]) -> Iterator[None]:
    """Have modules that were not imported yet stand empty while the block imports what names them."""
    empty = [name for name in names if name not in sys.modules]
    sys.modules.update({name: _Placeholder(name) for name in empty})
    try:
        yield
    finally:
        for name in empty:
            del sys.modules[name]


class _Placeholder(ModuleType):
    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})
