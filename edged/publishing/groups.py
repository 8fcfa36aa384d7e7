"""A group's hours, read from a file like the section ``access`` of a door's configuration."""

from pathlib import Path
from typing import Any

import msgspec

from edged.config.document import read_document
from edged.config.loading import read_text
from edged.config.sections import AccessConfig
from edged.domain.access import WEEKDAYS
from edged.errors import ConfigError
from edged.fleet.gallery_format import AccessRecord


def access_record(path: Path) -> AccessRecord:
    """Return schedules and groups of the file. Raises ``ConfigError`` on anything else in it."""
    try:
        access = msgspec.convert(_plain(read_text(path)), AccessConfig)
    except ConfigError as exc:
        named = [one if str(path) in one else f"{path}: {one}" for one in exc.problems]
        raise ConfigError(named) from exc
    except msgspec.ValidationError as exc:
        raise ConfigError([f"{path}: {exc}"]) from exc
    unknown = {name for names in access.groups.values() for name in names} - access.schedules.keys()
    if unknown:
        raise ConfigError([f"{path}: groups name the schedule {min(unknown)!r}, which is not there"])
    schedules = {
        name: [
            {"days": [WEEKDAYS.index(day) for day in period.days], "start": period.start, "end": period.end}
            for period in periods
        ]
        for name, periods in access.schedules.items()
    }
    try:
        return msgspec.convert({"schedules": schedules, "groups": access.groups}, AccessRecord)
    except msgspec.ValidationError as exc:
        raise ConfigError([f"{path}: {exc}"]) from exc


def _plain(text: str) -> dict[str, Any]:
    plain, problems = read_document(text)
    if problems:
        raise ConfigError(problems)
    return plain
