"""Which commands there are: the table of contents of the command line."""

import typer


def register(app: typer.Typer) -> None:
    """Add every command group to ``app``."""
    from edged.cli import door

    app.add_typer(door.app, name="door")
