"""The command line: one file a command group; prints, asks, exits, and has no logic of its own."""

from edged.cli.main import main

__all__ = ["main"]
