"""People in a table: the export of a form, as CSV or XLSX."""

import csv
import io
import itertools
import re
import warnings
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, time, tzinfo
from pathlib import Path
from typing import Any, BinaryIO, TextIO

import openpyxl

from edged.enrolment.entries import Entry
from edged.enrolment.fetching import Fetcher
from edged.enrolment.moments import parse_moment
from edged.enrolment.ports import PhotoSource
from edged.enrolment.sources import photo_at
from edged.enrolment.terms import Terms
from edged.errors import EnrolmentError

# 100,000 people in 200 letters each are 20 MB of text.
_MAX_BYTES = 50 * 1024 * 1024
# 100,000 rows took 32 MiB as openpyxl wrote them. What is unpacked takes up to seven times as much in memory.
_MAX_UNPACKED_BYTES = 64 * 1024 * 1024
_MAX_ROWS = 100_000
# A form has a dozen questions; a thousand letters each would be a long answer.
_MAX_ROW_LETTERS = 262_144
_MAX_COLUMNS = 500
_MAX_PHOTOS = 200
_MAX_TABLE_PHOTOS = 500_000  # some 300 bytes each until they are fetched
_HEADER_BYTES = 65_536
_DELIMITERS = ",;\t"

# Headings under which people write what ``Columns.group`` and ``Columns.valid_until`` are for.
_GROUP_HEADINGS = ("group", "groups")
_UNTIL_HEADINGS = ("valid_until", "valid until")

Row = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Columns:
    """Headings, compared without case and outer spaces.

    The last two say who may enter, and whoever fills in a form writes its cells: they are read only where
    the operator names them.
    """

    name: str = "name"
    photo: str = "photo"
    group: str | None = None
    valid_until: str | None = None

    def named(self) -> list[str]:
        """Return the headings that the table must have."""
        return [one for one in (self.name, self.photo, self.group, self.valid_until) if one is not None]


@dataclass(frozen=True, slots=True)
class Sheet:
    """What a table says; ``passed_over`` are headings of groups or dates that nobody asked to read."""

    entries: list[Entry]
    passed_over: list[str]


def table_entries(path: Path, columns: Columns, terms: Terms, zone: tzinfo | None, fetcher: Fetcher) -> Sheet:
    """Read one entry a row of ``path`` (.csv or .xlsx, first sheet).

    Photographs are separated by commas or lines; paths resolve against the table. A cell of groups
    adds to those of ``terms``, a date replaces theirs. A row that makes no sense is an entry with a
    ``problem``. Raises ``EnrolmentError`` (bad_table).
    """
    reading = _Reading(path.parent, columns, terms, zone, fetcher)
    rows = _xlsx_rows(path) if path.suffix.lower() in (".xlsx", ".xlsm") else _csv_rows(path, columns)
    try:
        header = [heading.strip().lower() for heading in next(rows, ())]
        at = _positions(header, columns)
        entries = _bounded(
            path,
            (
                reading.entry(number, row, at)
                for number, row in enumerate(itertools.islice(rows, _MAX_ROWS + 1), start=2)
                if any(cell.strip() for cell in row)
            ),
        )
    except (OSError, csv.Error, UnicodeDecodeError) as exc:
        raise EnrolmentError("bad_table", f"{path}: cannot be read: {_why(exc)}") from exc
    if not entries:
        raise EnrolmentError("bad_table", f"{path}: no rows below the headings")
    return Sheet(entries, _passed_over(header, columns))


def _bounded(path: Path, entries: Iterable[Entry]) -> list[Entry]:
    found: list[Entry] = []
    photos = 0
    for entry in entries:
        found.append(entry)
        photos += len(entry.photos)
        if len(found) > _MAX_ROWS:
            raise EnrolmentError("bad_table", f"{path}: more than {_MAX_ROWS} rows")
        if photos > _MAX_TABLE_PHOTOS:
            raise EnrolmentError("bad_table", f"{path}: more than {_MAX_TABLE_PHOTOS} photographs")
    return found


@dataclass(frozen=True, slots=True)
class _Reading:
    base: Path
    columns: Columns
    terms: Terms
    zone: tzinfo | None
    fetcher: Fetcher

    def entry(self, number: int, row: Row, at: Mapping[str, int]) -> Entry:
        cells = {name: row[column].strip() if column < len(row) else "" for name, column in at.items()}
        origin = f"row {number}"
        name = cells[self.columns.name]
        if not name:
            return Entry("", (), origin, problem=EnrolmentError("bad_name", "the row has no name"))
        try:
            terms = self._terms(cells)
        except EnrolmentError as exc:
            return Entry(name, (), origin, problem=exc)
        photos = self._photos(cells[self.columns.photo])
        if len(photos) > _MAX_PHOTOS:
            many = EnrolmentError(
                "bad_table", f"the row names {len(photos)} photographs; at most {_MAX_PHOTOS}"
            )
            return Entry(name, (), origin, problem=many)
        return Entry(name, photos, origin, terms)

    def _terms(self, cells: Mapping[str, str]) -> Terms:
        groups = [group.strip() for group in cells.get(self.columns.group or "", "").split(",")]
        terms = replace(self.terms, groups=self.terms.groups | {group for group in groups if group})
        until = cells.get(self.columns.valid_until or "", "")
        return replace(terms, valid_until=parse_moment(until, self.zone, end=True)) if until else terms

    def _photos(self, cell: str) -> tuple[PhotoSource, ...]:
        lines = [line.strip() for line in cell.splitlines() if line.strip()]
        return tuple(photo_at(text, self.base, self.fetcher) for line in lines for text in self._split(line))

    def _split(self, line: str) -> list[str]:
        """Split at commas, unless the whole is a file whose name has one; addresses keep theirs."""
        if "," in line and _is_file(self.base / line):
            return [line]
        parts = re.split(r",\s*(?=https?://)|,\s+", line)
        return [
            text.strip()
            for part in parts
            for text in ([part] if "://" in part else part.split(","))
            if text.strip()
        ]


def _positions(header: list[str], columns: Columns) -> dict[str, int]:
    """Return column name -> index. Raises ``EnrolmentError`` where one is missing."""
    found = {
        name: header.index(name.strip().lower()) for name in columns.named() if name.strip().lower() in header
    }
    for wanted in columns.named():
        if wanted not in found:
            got = ", ".join(repr(heading[:40]) for heading in header[:20]) or "none"
            raise EnrolmentError("bad_table", f"no column {wanted!r}; the headings are {got}")
    return found


def _passed_over(header: list[str], columns: Columns) -> list[str]:
    unread = (_GROUP_HEADINGS if columns.group is None else ()) + (
        _UNTIL_HEADINGS if columns.valid_until is None else ()
    )
    read = {name.strip().lower() for name in columns.named()}
    return [heading for heading in header if heading in unread and heading not in read]


def _csv_rows(path: Path, columns: Columns) -> Iterator[Row]:
    """Yield rows as they are read; the delimiter is the one that makes the wanted headings appear."""
    try:
        _check_size(path)
        with path.open(encoding="utf-8-sig", newline="") as stream:
            start = stream.read(_HEADER_BYTES)
            stream.seek(0)
            delimiter = _delimiter(start, columns)
            lines = _Lines(stream)
            for row in csv.reader(lines, delimiter=delimiter):
                lines.taken = 0
                yield tuple(row)
    except OSError as exc:
        raise EnrolmentError("bad_table", f"{path}: cannot be read: {_why(exc)}") from exc


class _Lines:
    """The lines of a table, of which one row may take ``_MAX_ROW_LETTERS``: the reader builds it whole.

    50 MiB of short cells in one row would take some 20 times their size. ``taken`` counts up to the next row.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.taken = 0

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._stream.readline(_MAX_ROW_LETTERS + 1)
        if not line:
            raise StopIteration
        self.taken += len(line)
        if self.taken > _MAX_ROW_LETTERS:
            raise EnrolmentError("bad_table", f"a row of more than {_MAX_ROW_LETTERS} letters")
        return line


def _delimiter(start: str, columns: Columns) -> str:
    """Return the delimiter that shows the wanted headings, else the one that shows most headings."""
    wanted = {columns.name.strip().lower(), columns.photo.strip().lower()}
    headers = {
        delimiter: next(csv.reader(_Lines(io.StringIO(start, newline="")), delimiter=delimiter), [])
        for delimiter in _DELIMITERS
    }
    for delimiter, header in headers.items():
        if wanted <= {heading.strip().lower() for heading in header}:
            return delimiter
    return max(headers, key=lambda delimiter: len(headers[delimiter]))


def _xlsx_rows(path: Path) -> Iterator[Row]:
    """Yield rows of the active sheet; a workbook that unpacks to far more than it is is refused."""
    try:
        _check_size(path)
        # Opened here: openpyxl leaves a file open that it stumbles over.
        with path.open("rb") as stream, zipfile.ZipFile(stream) as archive:
            if sum(info.file_size for info in archive.infolist()) > _MAX_UNPACKED_BYTES:
                megabytes = _MAX_UNPACKED_BYTES // 1024**2
                raise EnrolmentError("bad_table", f"{path}: unpacks to more than {megabytes} MiB")  # noqa: TRY301
            yield from _sheet_rows(stream)
    except (OSError, EnrolmentError):
        raise
    except Exception as exc:
        # Out of a damaged workbook zipfile, zlib and openpyxl raise whatever they stumble over.
        raise EnrolmentError("bad_table", f"{path}: not a readable XLSX workbook") from exc


def _sheet_rows(stream: BinaryIO) -> Iterator[Row]:
    with warnings.catch_warnings():
        # It warns of decoration that it cannot keep; nothing is written back.
        warnings.simplefilter("ignore")
        book = openpyxl.load_workbook(stream, read_only=True, data_only=True)
        try:
            sheet: Any = book.worksheets[0]
            # A sheet says how many rows it has, and not every program says it rightly.
            sheet.reset_dimensions()
            yield from _text_rows(sheet.iter_rows(values_only=True))
        finally:
            book.close()


def _check_size(path: Path) -> None:
    if path.stat().st_size > _MAX_BYTES:
        raise EnrolmentError("bad_table", f"{path}: more than {_MAX_BYTES // 1024**2} MiB")


def _text_rows(rows: Iterable[Iterable[object]]) -> Iterator[Row]:
    for row in rows:
        # One cell in the last column fills its row up with 16,383 empty ones.
        yield tuple(_text(cell) for cell in itertools.islice(row, _MAX_COLUMNS))


def _text(cell: object) -> str:
    if cell is None:
        return ""
    if isinstance(cell, datetime):
        # A spreadsheet has no dates without a time: midnight is how it writes one.
        return cell.date().isoformat() if cell.time() == time() else cell.isoformat()
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _why(exc: Exception) -> str:
    if isinstance(exc, UnicodeDecodeError):
        return "it is not UTF-8; save it as 'CSV UTF-8'"
    return str(exc.strerror if isinstance(exc, OSError) and exc.strerror else exc)
