"""Which commands there are: the table of contents of the command line."""

import typer


def register(app: typer.Typer) -> None:
    """Add every command group to ``app``."""
