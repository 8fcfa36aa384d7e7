"""``edged explain``: why the door decided as it did."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from edged.cli.known_names import names_by_id
from edged.cli.options import DEFAULT_CONFIG, ConfigOption, JsonObjectOption

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import tzinfo
    from typing import Any

    from edged.domain.types import StoredEvent


def explain(
    event_id: Annotated[str, typer.Argument(help="The id of an event, or the beginning of one.")],
    *,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonObjectOption = False,
) -> None:
    """Show the best and the second person, and each check behind a decision: value seen, limit, result.

    Whom a face came near without being recognised is known on this device alone: no event that is sent names
    them.
    """
    from edged.config.loading import load
    from edged.enrolment.moments import zone_of
    from edged.storage.journal_reader import JournalReader

    settings = load(config)
    with JournalReader.open(settings.journal.path) as reader:
        stored = reader.find(event_id)
    told = any(gate.who is not None for gate in stored.event.trace)
    names = names_by_id(settings.gallery) if told else {}
    if as_json:
        print(json.dumps(_record(stored, names), ensure_ascii=False))
        return
    _print_head(stored, names, zone_of(settings.access.time_zone))
    _print_gates(stored, names)


def _record(stored: "StoredEvent", names: "Mapping[str, str]") -> dict[str, "Any"]:
    from edged.domain.explanation import candidates_of, gate_text, reason_text
    from edged.storage.journal_export import record_of

    record = record_of(stored)
    record["explanation"] = reason_text(stored)
    best, second = (*candidates_of(stored.event.trace), None, None)[:2]
    record["best"] = best and {
        "person_id": best.person_id, "name": names.get(best.person_id),
        "score": best.score, "score_limit": best.limit,
    }  # fmt: skip
    record["second"] = second and {
        "person_id": second.person_id, "name": names.get(second.person_id),
        "score": second.score, "margin": second.value, "margin_limit": second.limit,
    }  # fmt: skip
    record["trace"] = [
        {**step, "checks": gate_text(gate)}
        for step, gate in zip(record["trace"], stored.event.trace, strict=True)
    ]
    return record


def _print_head(stored: "StoredEvent", names: "Mapping[str, str]", zone: "tzinfo | None") -> None:
    from edged.domain.explanation import candidates_text, reason_text
    from edged.storage.journal_export import summary_line

    print(summary_line(stored, zone).strip())
    for text in (reason_text(stored), candidates_text(stored.event.trace, names)):
        if text:
            print(text)


def _print_gates(stored: "StoredEvent", names: "Mapping[str, str]") -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from edged.domain.explanation import FACTS, gate_text, named

    if not stored.event.trace:
        print("No checks are recorded with this event.")
        return
    table = Table("check", "value", "limit", "result", "what it is", box=box.SIMPLE)
    for gate in stored.event.trace:
        verdict = Text("passed", "green") if gate.passed else Text("failed", "bold red")
        if gate.name in FACTS:
            verdict = Text("-")
        text = gate_text(gate) if gate.who is None else f"{named(gate.who, names)}: {gate_text(gate)}"
        table.add_row(Text(gate.name), _value(gate.value), _value(gate.limit), verdict, Text(text))
    Console().print(table)


def _value(value: float | str | None) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else f"{value:.4g}"
