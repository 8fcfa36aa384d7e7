"""What became of each photograph and each person."""

import csv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from edged.errors import EnrolmentError, printable


class Status(StrEnum):
    """What became of a person."""

    ENROLLED = "enrolled"
    EXTENDED = "extended"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class PhotoReport:
    """One photograph: ``reason`` is None where it was accepted, else a stable code; ``quality`` 0..1.

    ``flaw`` is a code for what the quality suffers from most, empty where from nothing.
    """

    label: str
    reason: str | None
    text: str = ""
    quality: float | None = None
    flaw: str = ""

    @property
    def accepted(self) -> bool:
        """Whether a template was made of it."""
        return self.reason is None


@dataclass(frozen=True, slots=True)
class PersonReport:
    """One person: ``reason`` a stable code where refused; ``notes`` what an operator should look at.

    ``groups`` and ``valid_until`` (aware) are what the person was enrolled with.
    """

    name: str
    origin: str
    status: Status
    person_id: str | None = None
    reason: str | None = None
    text: str = ""
    photos: tuple[PhotoReport, ...] = ()
    notes: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    valid_until: datetime | None = None

    @property
    def accepted(self) -> int:
        """How many photographs were accepted."""
        return sum(photo.accepted for photo in self.photos)

    def as_json(self) -> dict[str, Any]:
        """JSON values, photographs included."""
        return {
            "name": self.name,
            "origin": self.origin,
            "status": self.status.value,
            "person_id": self.person_id,
            "reason": self.reason,
            "text": self.text,
            "notes": list(self.notes),
            "groups": list(self.groups),
            "valid_until": None if self.valid_until is None else self.valid_until.isoformat(),
            "photos": [
                {
                    "photo": photo.label,
                    "accepted": photo.accepted,
                    "reason": photo.reason,
                    "text": photo.text,
                    "quality": None if photo.quality is None else round(photo.quality, 3),
                    "flaw": photo.flaw or None,
                }
                for photo in self.photos
            ],
        }


CSV_HEADER = (
    "person", "status", "person_id", "photo", "accepted", "reason", "text", "quality", "flaw", "groups",
    "valid_until",
)  # fmt: skip


def csv_rows(report: PersonReport) -> list[tuple[str, ...]]:
    """Return one row a photograph, and one for the person as a whole with an empty ``photo``.

    A cell that a spreadsheet would take for a formula gets an apostrophe before it; control characters and
    what is no text are spelt out.
    """
    person = (report.name, report.status.value, report.person_id or "")
    told = "; ".join((report.text, *report.notes)).strip("; ")
    until = "" if report.valid_until is None else report.valid_until.isoformat()
    rows = [(*person, "", "", report.reason or "", told, "", "", ", ".join(report.groups), until)]
    rows += [
        (
            *person,
            photo.label,
            "yes" if photo.accepted else "no",
            photo.reason or "",
            photo.text,
            "" if photo.quality is None else f"{photo.quality:.3f}",
            photo.flaw,
            "",
            "",
        )
        for photo in report.photos
    ]
    return [tuple(_inert(cell) for cell in row) for row in rows]


def _inert(cell: str) -> str:
    # The name of a folder may hold anything but a slash: bytes that are no text, and what moves a cursor.
    cell = printable(cell)
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell


@contextmanager
def csv_report(path: Path | None) -> Iterator[Callable[[PersonReport], None]]:
    """Give a function that appends a person's rows to a new file at ``path``; None writes nothing.

    Each person is on disk before the next begins. Raises ``EnrolmentError`` (bad_report).
    """
    if path is None:
        yield lambda _report: None
        return
    try:
        stream = path.open("w", encoding="utf-8", newline="")
    except OSError as exc:
        raise EnrolmentError("bad_report", f"{path}: cannot be written: {exc.strerror or exc}") from exc
    with stream:
        writer = csv.writer(stream)
        writer.writerow(CSV_HEADER)

        def write(report: PersonReport) -> None:
            writer.writerows(csv_rows(report))
            stream.flush()

        yield write
