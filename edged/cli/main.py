"""The root of the command line: registers groups, turns errors into exit codes.

Exit codes: 0 done, 1 failed, 2 usage, 78 bad configuration.
"""

import io
import os
import sys
from typing import Annotated

import typer

from edged import __version__
from edged.cli.lazy import LazyGroup, prepare_pages
from edged.cli.light_values import lighten
from edged.errors import EdgedError

app = typer.Typer(
    name="edged",
    cls=LazyGroup,
    help="Face recognition at an office door: camera to lock, attendance over MQTT, Prometheus.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"edged {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Face recognition at an office door: camera to lock, attendance over MQTT, Prometheus."""


def main() -> None:
    """Run the command line; an ``EdgedError`` becomes one line on stderr and its exit code."""
    # OpenBLAS lets its threads spin: 22 ms of processor time at each start, 16 after each comparison of many.
    os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")
    lighten()
    prepare_pages(sys.argv[1:])
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # The name of a file may be no text: \\udcff, in JSON as well, tells more than a traceback.
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except EdgedError as exc:
        for line in str(exc).splitlines() or [type(exc).__name__]:
            print(f"edged: {line}", file=sys.stderr)
        sys.exit(exc.exit_code)
