"""Tables: of people, of photographs to compare, of passages."""

import io
import zipfile
from collections.abc import Iterator
from datetime import UTC
from functools import cache
from pathlib import Path

import openpyxl

from edged.enrolment.fetching import Fetcher
from edged.enrolment.tables import Columns, table_entries
from edged.enrolment.terms import Terms
from edged.errors import EnrolmentError, EvaluationError
from edged.evaluation.embedding import read_image
from edged.evaluation.passages import read_passages
from edged.evaluation.protocols import read_labelled, read_pairs
from tests.fuzz.target import Target, attempt, put

NAMESPACE = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
_COLUMNS = Columns(group="group", valid_until="until")


@cache
def _fetcher() -> Fetcher:
    return Fetcher()


def _table(path: Path) -> None:
    for entry in table_entries(path, _COLUMNS, Terms(), UTC, _fetcher()).entries:
        for photo in entry.photos:
            str(photo.label)
            if hasattr(photo, "path"):
                attempt(photo.content)


def _csv(data: bytes, folder: Path) -> None:
    _table(put(folder / "people.csv", data))


def _xlsx(data: bytes, folder: Path) -> None:
    _table(put(folder / "people.xlsx", data))


def _xlsx_part(data: bytes, folder: Path) -> None:
    """A sound workbook with one of its parts replaced, the one that the first byte names."""
    parts = dict(_parts(folder))
    name = sorted(parts)[data[0] % len(parts)] if data else "xl/workbook.xml"
    parts[name] = data[1:]
    _table(put(folder / "people.xlsx", zipped(parts)))


@cache
def _parts(folder: Path) -> tuple[tuple[str, bytes], ...]:
    del folder
    return tuple(workbook_parts().items())


def workbook_parts() -> dict[str, bytes]:
    """A workbook's parts by name; one cell is a shared string, as Excel writes them and openpyxl does not."""
    with zipfile.ZipFile(io.BytesIO(_workbook())) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts["xl/sharedStrings.xml"] = f"<sst {NAMESPACE}><si><t>Bob</t></si></sst>".encode()
    kinds = "application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
    override = f'<Override PartName="/xl/sharedStrings.xml" ContentType="{kinds}"/></Types>'
    parts["[Content_Types].xml"] = parts["[Content_Types].xml"].replace(b"</Types>", override.encode())
    cell = b'<row r="4"><c r="A4" t="s"><v>0</v></c></row></sheetData>'
    sheet = "xl/worksheets/sheet1.xml"
    parts[sheet] = parts[sheet].replace(b"</sheetData>", cell)
    return parts


def zipped(parts: dict[str, bytes], *, squeezed: bool = False) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED if squeezed else zipfile.ZIP_STORED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return stream.getvalue()


def _workbook() -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in (
        ("name", "photo", "group", "until"),
        ("Ada", "a.jpg", "staff", "2026-12-31"),
        ("Zoë", 3, None, 1.5),
    ):
        sheet.append(row)
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def _part_seeds(folder: Path) -> Iterator[bytes]:
    for number, (_, content) in enumerate(sorted(_parts(folder))):
        yield bytes([number]) + content


def _protocols(data: bytes, folder: Path) -> None:
    path = put(folder / "pairs.csv", data)
    attempt(read_pairs, path)
    for one in read_labelled(path)[:20]:
        attempt(read_image, folder / one.image)


def _passages(data: bytes, folder: Path) -> None:
    read_passages(put(folder / "passages.csv", data), {"p-1": "p-1"}, UTC)
    read_passages(folder / "passages.csv", {}, None)


_TABLE = 'name,photo,group,until\nAda,"a.jpg, b.jpg",staff,2026-12-31\nZoë,https://x/a,b;c,2026-12-31T18:00\n'


def _csv_seeds(_folder: Path) -> Iterator[bytes]:
    yield _TABLE.encode()
    yield _TABLE.replace(",", ";").encode("utf-8-sig")


TARGETS = (
    Target("csv", _csv, _csv_seeds, (EnrolmentError,)),
    Target("xlsx", _xlsx, lambda _: (_workbook(),), (EnrolmentError,), 16_384, ("zipfile",)),
    Target("xlsx-part", _xlsx_part, _part_seeds, (EnrolmentError,), 16_384, ("openpyxl",)),
    Target(
        "protocols", _protocols,
        lambda _: (b"image_a,image_b,same\na.jpg,b.jpg,1\n", b"person,image\nAda,a/1.jpg\n,b.jpg\n"),
        (EvaluationError,),
    ),
    Target(
        "passages", _passages,
        lambda _: (b"time,person,by\n2026-03-02T08:01:30,p-1,badge\n2026-03-02T08:01:30+01:00,,exit\n",),
        (EvaluationError,),
    ),
)  # fmt: skip
