"""How reports of attendance are printed."""

import csv
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from edged.domain.attendance_report import DayReport, MonthReport, Stamp
from edged.storage.journal_export import safe_cell

_CSV_COLUMNS = (
    "person_id", "name", "day", "first_in", "last_out", "worked_minutes", "stays", "missing_in",
    "missing_out", "clock_unsynced",
)  # fmt: skip


def print_days(days: Sequence[DayReport], names: Mapping[str, str]) -> None:
    """Print one row a person and day."""
    if not days:
        print("No attendance is recorded.")
        return
    table = Table("day", "person", "in", "out", "worked", "stays", "note", box=box.SIMPLE)
    for report in days:
        table.add_row(
            report.day.isoformat(),
            Text(_who(report.person_id, names)),
            _clock(report.first_entry),
            _clock(report.last_leaving),
            _hours(report.worked_seconds),
            "\n".join(_stays(report)),
            _note(report),
        )
    Console().print(table)


def print_months(months: Sequence[MonthReport], names: Mapping[str, str]) -> None:
    """Print one row a person and month."""
    if not months:
        print("No attendance is recorded.")
        return
    columns = ("month", "person", "days", "worked", "days without in", "days without out", "days unsynced")
    table = Table(*columns, box=box.SIMPLE)
    for report in months:
        table.add_row(
            f"{report.month:%Y-%m}",
            Text(_who(report.person_id, names)),
            str(report.days),
            _hours(report.worked_seconds),
            str(report.days_missing_in),
            str(report.days_missing_out),
            str(report.days_unsynced),
        )
    Console().print(table)


def print_csv(days: Iterable[DayReport], names: Mapping[str, str]) -> None:
    """Print a heading and one row a person and day."""
    writer = csv.writer(sys.stdout)
    writer.writerow(_CSV_COLUMNS)
    for report in days:
        cells = (
            report.person_id, names.get(report.person_id, ""), report.day.isoformat(),
            _clock(report.first_entry), _clock(report.last_leaving), round(report.worked_seconds / 60),
            " ".join(_stays(report)), int(report.missing_in),
            int(report.missing_out), int(report.clock_unsynced),
        )  # fmt: skip
        writer.writerow([safe_cell(cell) for cell in cells])


def print_json(days: Iterable[DayReport], months: Iterable[MonthReport], names: Mapping[str, str]) -> None:
    """Print ``{"days": [...], "months": [...]}``."""
    shown: dict[str, Any] = {
        "days": [_day_record(report, names) for report in days],
        "months": [_month_record(report, names) for report in months],
    }
    print(json.dumps(shown, ensure_ascii=False))


def _day_record(report: DayReport, names: Mapping[str, str]) -> dict[str, Any]:
    return {
        "person_id": report.person_id,
        "name": names.get(report.person_id),
        "day": report.day.isoformat(),
        "first_in": _iso(report.first_entry),
        "last_out": _iso(report.last_leaving),
        "worked_seconds": round(report.worked_seconds),
        "stays": [{"in": _iso(stay.entry), "out": _iso(stay.leaving)} for stay in report.stays],
        "missing_in": report.missing_in,
        "missing_out": report.missing_out,
        "clock_unsynced": report.clock_unsynced,
    }


def _month_record(report: MonthReport, names: Mapping[str, str]) -> dict[str, Any]:
    return {
        "person_id": report.person_id,
        "name": names.get(report.person_id),
        "month": f"{report.month:%Y-%m}",
        "days": report.days,
        "worked_seconds": round(report.worked_seconds),
        "days_missing_in": report.days_missing_in,
        "days_missing_out": report.days_missing_out,
        "days_unsynced": report.days_unsynced,
    }


def _who(person_id: str, names: Mapping[str, str]) -> str:
    name = names.get(person_id)
    return person_id if name is None else f"{name}\n{person_id}"


def _clock(stamp: Stamp | None) -> str:
    return "" if stamp is None else f"{stamp.punch.local:%H:%M}"


def _iso(stamp: Stamp | None) -> str | None:
    return None if stamp is None else stamp.punch.local.isoformat(timespec="seconds")


def _stays(report: DayReport) -> list[str]:
    return [f"{_clock(stay.entry) or '?'}-{_clock(stay.leaving) or '?'}" for stay in report.stays]


def _hours(seconds: float) -> str:
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours}:{minutes:02}"


def _note(report: DayReport) -> str:
    notes = {
        "no in": report.missing_in,
        "no out": report.missing_out,
        "clock unsure": report.clock_unsynced,
    }
    return "\n".join(text for text, applies in notes.items() if applies)
