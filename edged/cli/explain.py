"""``edged explain``: why the door decided as it did."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from edged.cli.options import DEFAULT_CONFIG, ConfigOption

if TYPE_CHECKING:
    from datetime import tzinfo

    from edged.domain.types import StoredEvent


def explain(
    event_id: Annotated[str, typer.Argument(help="The id of an event, or the beginning of one.")],
    *,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show each check behind a decision: the value seen, the limit, the result."""
    from edged.config.loading import load
    from edged.domain.explanation import gate_text, reason_text
    from edged.enrolment.moments import zone_of
    from edged.storage.journal_export import record_of
    from edged.storage.journal_reader import JournalReader

    settings = load(config)
    with JournalReader.open(settings.journal.path) as reader:
        stored = reader.find(event_id)
    if as_json:
        record = record_of(stored)
        record["explanation"] = reason_text(stored)
        record["trace"] = [
            {**step, "checks": gate_text(gate)}
            for step, gate in zip(record["trace"], stored.event.trace, strict=True)
        ]
        print(json.dumps(record, ensure_ascii=False))
        return
    _print_head(stored, zone_of(settings.access.time_zone))
    _print_gates(stored)


def _print_head(stored: "StoredEvent", zone: "tzinfo | None") -> None:
    from edged.domain.explanation import reason_text
    from edged.storage.journal_export import summary_line

    print(summary_line(stored, zone).strip())
    text = reason_text(stored)
    if text:
        print(text)


def _print_gates(stored: "StoredEvent") -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from edged.domain.explanation import gate_text

    if not stored.event.trace:
        print("No checks are recorded with this event.")
        return
    table = Table("check", "value", "limit", "result", "what it is", box=box.SIMPLE)
    for gate in stored.event.trace:
        verdict = Text("passed", "green") if gate.passed else Text("failed", "bold red")
        table.add_row(Text(gate.name), _value(gate.value), _value(gate.limit), verdict, Text(gate_text(gate)))
    Console().print(table)


def _value(value: float | str | None) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else f"{value:.4g}"
