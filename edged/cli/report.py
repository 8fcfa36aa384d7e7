"""``edged report``: who came and went when."""

import calendar
import sys
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edged.cli.known_names import names_by_id
from edged.cli.options import DEFAULT_CONFIG, ConfigOption, JsonObjectOption
from edged.domain.count import counted

if TYPE_CHECKING:
    from edged.config.sections import Config
    from edged.domain.attendance_report import DayReport
    from edged.errors import StoreCorruptError


def report(
    *,
    config: ConfigOption = DEFAULT_CONFIG,
    day: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="One day.")] = None,
    month: Annotated[datetime | None, typer.Option(formats=["%Y-%m"], help="One month.")] = None,
    source: Annotated[
        str | None,
        typer.Option(
            "--from", help="A collector's database, postgresql://... or sqlite:PATH, not the journal."
        ),
    ] = None,
    site: Annotated[str | None, typer.Option(help="With --from: only this site.")] = None,
    door: Annotated[str | None, typer.Option(help="With --from: only this door.")] = None,
    names: Annotated[bool, typer.Option(help="Join the names of the local gallery.")] = True,
    as_csv: Annotated[bool, typer.Option("--csv", help="A table, one row a person and day.")] = False,
    as_json: JsonObjectOption = False,
) -> None:
    """Show entry and exit times and the time between, for each person."""
    from edged.cli import report_view
    from edged.domain.attendance_report import month_reports

    if (day is None) == (month is None):
        raise typer.BadParameter("give one of --day and --month")
    if as_csv and as_json:
        raise typer.BadParameter("choose one of --csv and --json")
    if source is None and (site, door) != (None, None):
        raise typer.BadParameter("--site and --door need --from: a journal is of one door")
    settings = _settings(config, needed=source is None)
    first, last = _days(day, month)
    days = (
        _read(settings, first, last)
        if source is None
        else _collected(source, site, door, settings, (first, last))
    )
    known = names_by_id(settings.gallery) if names and days and settings is not None else {}
    months = [] if month is None else month_reports(days)
    if as_json:
        report_view.print_json(days, months, known)
    elif as_csv:
        report_view.print_csv(days, known)
    elif month is None:
        report_view.print_days(days, known)
    else:
        report_view.print_months(months, known)


def _settings(path: Path, *, needed: bool) -> "Config | None":
    """Return the configuration; None where there is none and a collector's database does without."""
    from edged.config.loading import load

    return load(path) if needed or path.exists() else None


def _days(day: datetime | None, month: datetime | None) -> tuple[date, date]:
    """Return the first and the last day that are asked for."""
    if day is not None:
        return day.date(), day.date()
    if month is None:
        raise typer.BadParameter("give one of --day and --month")
    first = month.date()
    return first, first.replace(day=calendar.monthrange(first.year, first.month)[1])


def _span(first: date, last: date) -> tuple[float, float]:
    """Return Unix seconds: local days reach up to 14 hours beyond the UTC days of the same date."""
    since = datetime.combine(first, time(), UTC) - timedelta(days=1)
    until = datetime.combine(last, time(), UTC) + timedelta(days=2)
    return since.timestamp(), until.timestamp()


def _read(settings: "Config | None", first: date, last: date) -> "list[DayReport]":
    from edged.domain.attendance_report import day_reports, stamps_between
    from edged.domain.types import EventKind
    from edged.enrolment.moments import zone_of
    from edged.errors import StoreCorruptError
    from edged.storage.journal_reader import JournalReader

    if settings is None:
        return []
    zone = zone_of(settings.access.time_zone)
    since, until = _span(first, last)
    with JournalReader.open(settings.journal.path, on_damage=_warn) as reader:
        events = reader.events(since=since, until=until, kind=EventKind.ATTENDANCE)
        try:
            return day_reports(stamps_between(events, first, last, zone))
        except ValueError as exc:
            raise StoreCorruptError(f"{settings.journal.path}: {exc}") from exc


def _collected(
    source: str, site: str | None, door: str | None, settings: "Config | None", days: tuple[date, date]
) -> "list[DayReport]":
    from edged.collecting.attendance import doors, stamps
    from edged.collecting.gaps import Gaps
    from edged.collecting.links import open_link
    from edged.domain.attendance_report import day_reports
    from edged.enrolment.moments import zone_of

    zone = None if settings is None else zone_of(settings.access.time_zone)
    link = open_link(source, writable=False)
    try:
        missing = sum(gap.missing for gap in Gaps(link).open(site, door))
        found = stamps(link, doors(link, site, door), days, _span(*days), zone)
    finally:
        link.close()
    if missing:
        print(
            f"edged: missing in this database: {counted(missing, 'event')}; run: edged fleet gaps",
            file=sys.stderr,
        )
    return day_reports(found)


def _warn(damage: "StoreCorruptError") -> None:
    print(f"edged: passed over: {damage}; run: edged events verify", file=sys.stderr)
