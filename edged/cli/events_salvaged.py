"""``edged events salvaged``: read a damaged journal that was moved aside."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edged.domain.count import counted

if TYPE_CHECKING:
    from edged.domain.types import StoredEvent
    from edged.storage.salvage import Salvage

Directory = Annotated[
    Path, typer.Argument(help="Beside the journal, such as var/journal.db.damaged-20260131T120000Z-1a2b.")
]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", help="A new file; standard output if not given.")
]


def salvaged(
    directory: Directory,
    *,
    output: Output = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="A table with a heading (the default).")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line, with the trace.")] = False,
) -> None:
    """Write every event of a damaged journal that still passes its checksum.

    The daemon takes over the newest 50,000 by itself, and those that wait for delivery; older ones are
    read here.
    """
    from edged.cli.events import output_file
    from edged.storage import remains
    from edged.storage.journal_export import write_csv, write_json_lines
    from edged.storage.salvage import Salvage

    if as_csv and as_json:
        raise typer.BadParameter("choose one of --csv and --json")
    with Salvage(remains.load(directory)) as salvage, output_file(output) as file:
        events = _understood(salvage)
        written = write_json_lines(file, events) if as_json else write_csv(file, events)
    print(counted(written, "event"), file=sys.stderr)


def _understood(salvage: "Salvage") -> "Iterator[StoredEvent]":
    """Yield the events; name those on stderr that make none, such as a newer version's."""
    from edged.errors import StoreCorruptError

    for row in salvage.rows():
        try:
            event = row.stored()
        except StoreCorruptError as exc:
            print(f"edged: {exc}", file=sys.stderr)
        else:
            yield event
