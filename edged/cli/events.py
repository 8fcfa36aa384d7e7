"""``edged events``: read, export and verify what happened at the door."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from edged.cli.options import DEFAULT_CONFIG, ConfigOption, JsonLinesOption, JsonObjectOption
from edged.domain.count import counted

if TYPE_CHECKING:
    from edged.config.sections import Config
    from edged.domain.types import StoredEvent
    from edged.errors import StoreCorruptError
    from edged.storage.journal_check import Verification

app = typer.Typer(no_args_is_help=True, help="Read, export and verify what happened at the door.")

Since = Annotated[str | None, typer.Option(help="From this day or time on, such as 2026-01-31.")]
Until = Annotated[str | None, typer.Option(help="To the end of this day, or to before this time.")]


class Kind(StrEnum):
    """The names of ``domain.types.EventKind``, whose import would load numpy for every ``--help``."""

    ACCESS = "access"
    ATTENDANCE = "attendance"
    DOOR = "door"
    ALARM = "alarm"
    SYSTEM = "system"


PersonId = Annotated[str | None, typer.Option("--person", help="Only events of this person id.")]
KindOption = Annotated[Kind | None, typer.Option("--kind", help="Only events of this kind.")]


@app.command()
def tail(
    *,
    config: ConfigOption = DEFAULT_CONFIG,
    count: Annotated[int, typer.Option("-n", "--lines", min=0, help="How many.")] = 10,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as events happen.")] = False,
    kind: KindOption = None,
    person: PersonId = None,
    as_json: JsonLinesOption = False,
) -> None:
    """Print the newest events, oldest first."""
    from edged.config.loading import load
    from edged.domain.types import EventKind
    from edged.storage.journal_reader import JournalReader

    settings = load(config)
    wanted = None if kind is None else EventKind(kind)
    show = _Lines(settings, as_json=as_json)
    with JournalReader.open(settings.journal.path, on_damage=_warn) as reader:
        newest = reader.last_seq()
        for stored in reader.events(kind=wanted, person_id=person, limit=count):
            show(stored)
        if not follow:
            return
        try:
            for stored in reader.follow(newest):
                if wanted in (None, stored.event.kind) and person in (None, stored.event.person_id):
                    show(stored)
        except KeyboardInterrupt:
            return


@app.command()
def export(
    *,
    config: ConfigOption = DEFAULT_CONFIG,
    since: Since = None,
    until: Until = None,
    kind: KindOption = None,
    person: PersonId = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="A table with a heading (the default).")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line, with the trace.")] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A new file; standard output if not given.")
    ] = None,
) -> None:
    """Write events for a spreadsheet or another program. People are ids, never names."""
    from edged.config.loading import load
    from edged.domain.types import EventKind
    from edged.enrolment.moments import parse_moment, zone_of
    from edged.storage.journal_export import write_csv, write_json_lines
    from edged.storage.journal_reader import JournalReader

    if as_csv and as_json:
        raise typer.BadParameter("choose one of --csv and --json")
    settings = load(config)
    zone = zone_of(settings.access.time_zone)
    with JournalReader.open(settings.journal.path, on_damage=_warn) as reader, output_file(output) as file:
        events = reader.events(
            since=None if since is None else parse_moment(since, zone, end=False).timestamp(),
            until=None if until is None else parse_moment(until, zone, end=True).timestamp(),
            kind=None if kind is None else EventKind(kind),
            person_id=person,
        )
        written = write_json_lines(file, events) if as_json else write_csv(file, events)
    print(counted(written, "event"), file=sys.stderr)


@app.command()
def verify(
    *,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonObjectOption = False,
) -> None:
    """Check every event against its checksum and the chain. Exit status 1 if anything is wrong.

    The walk goes on behind a fault; the first 20 are shown, and all are counted.
    """
    from edged.config.loading import load
    from edged.storage.journal_reader import JournalReader

    with JournalReader.open(load(config).journal.path) as reader:
        found = reader.verify()
    if as_json:
        faults = [{"seq": one.seq, "fault": one.kind, "rows": one.rows} for one in found.faults]
        print(
            json.dumps(
                {
                    "ok": found.ok, "epoch": found.epoch, "rows": found.rows, "first_seq": found.first_seq,
                    "last_seq": found.last_seq, "fault": found.fault, "bad_seq": found.bad_seq,
                    "faults": faults, "fault_count": found.fault_count,
                }
            )
        )  # fmt: skip
    elif found.ok:
        print(f"{counted(found.rows, 'event')}, {found.first_seq} to {found.last_seq}: whole and unaltered.")
    else:
        _show_faults(found)
    if not found.ok:
        raise typer.Exit(1)


def _show_faults(found: "Verification") -> None:
    from edged.storage.journal_check import EXPLANATIONS

    for one in found.faults:
        where, what = f"Event number {one.seq}", EXPLANATIONS[one.kind]
        if one.rows > 1:
            where, what = f"Event numbers {one.seq} to {one.seq + one.rows - 1}", "the rows are missing"
        print(f"{where}: {what} ({one.kind}).")
    left = found.fault_count - len(found.faults)
    if left:
        print(f"And {left} more.")
    print(f"{counted(found.fault_count, 'fault')}. Good events before the first: {found.rows}.")


class _Lines:
    """Prints an event a line: for people, or as JSON."""

    def __init__(self, settings: "Config", *, as_json: bool) -> None:
        from edged.enrolment.moments import zone_of

        self._zone = zone_of(settings.access.time_zone)
        self._as_json = as_json

    def __call__(self, stored: "StoredEvent") -> None:
        from edged.storage.journal_export import record_of, summary_line

        if self._as_json:
            print(json.dumps(record_of(stored), ensure_ascii=False), flush=True)
        else:
            print(summary_line(stored, self._zone), flush=True)


def _warn(damage: "StoreCorruptError") -> None:
    print(f"edged: passed over: {damage}; run: edged events verify", file=sys.stderr)


@contextmanager
def output_file(path: Path | None) -> Iterator[TextIO]:
    """Yield standard output, or a new private file that appears under its name when it is whole."""
    from edged.storage.files import private_output

    if path is None:
        yield sys.stdout
        return
    with private_output(path) as file:
        yield file
