"""Options that most commands have."""

from pathlib import Path
from typing import Annotated

import typer

DEFAULT_CONFIG = Path("config.yaml")

ConfigOption = Annotated[
    Path, typer.Option("--config", envvar="EDGED_CONFIG", help="The configuration file.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
JsonObjectOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
JsonLinesOption = Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")]
Who = Annotated[str, typer.Argument(metavar="PERSON", help="An id, or a name that only one person has.")]
