import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import openpyxl
import pytest

from edged.enrolment.entries import Entry, folder_entries
from edged.enrolment.fetching import Fetcher
from edged.enrolment.tables import Columns, table_entries
from edged.enrolment.terms import Terms
from edged.errors import EnrolmentError
from tests.fuzz.table_targets import NAMESPACE, workbook_parts, zipped


@pytest.fixture
def fetcher() -> Iterator[Fetcher]:
    with Fetcher() as opened:
        yield opened


def read(path: Path, fetcher: Fetcher, columns: Columns = Columns(), terms: Terms = Terms()) -> list[Entry]:  # noqa: B008 - frozen
    return table_entries(path, columns, terms, UTC, fetcher).entries


def csv_file(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "people.csv"
    path.write_bytes(text.encode(encoding))
    return path


def labels(entry: Entry) -> list[str]:
    return [photo.label for photo in entry.photos]


def test_rows_become_entries_with_paths_beside_the_table(tmp_path: Path, fetcher: Fetcher) -> None:
    path = csv_file(tmp_path, 'name,photo\nJane Doe,a.jpg\n,\nJosé,"b.jpg, c.jpg"\n')
    jane, jose = read(path, fetcher)
    assert (jane.name, jane.origin, labels(jane)) == ("Jane Doe", "row 2", [str(tmp_path / "a.jpg")])
    assert labels(jose) == [str(tmp_path / "b.jpg"), str(tmp_path / "c.jpg")]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_the_exports_of_spreadsheets_are_read(
    tmp_path: Path, fetcher: Fetcher, delimiter: str, encoding: str
) -> None:
    rows = [("Time", " NAME ", "Photo"), ("09:00", "Zoë", "a.jpg")]
    path = csv_file(tmp_path, "\r\n".join(delimiter.join(row) for row in rows), encoding)
    assert [entry.name for entry in read(path, fetcher)] == ["Zoë"]


def test_headings_are_configurable(tmp_path: Path, fetcher: Fetcher) -> None:
    path = csv_file(tmp_path, "Full name,Your picture\nJane,a.jpg\n")
    (entry,) = read(path, fetcher, Columns("full name", "your picture"))
    assert entry.name == "Jane"


def test_a_missing_heading_is_told_with_those_that_are_there(tmp_path: Path, fetcher: Fetcher) -> None:
    with pytest.raises(EnrolmentError, match=r"'photo'.*'name', 'picture'"):
        read(csv_file(tmp_path, "Name,Picture\nJane,a.jpg\n"), fetcher)


def test_a_file_name_with_a_comma_stays_whole_and_addresses_too(tmp_path: Path, fetcher: Fetcher) -> None:
    (tmp_path / "Doe, Jane.jpg").touch()
    links = "https://a.example/x,y.jpg?key=1, https://u:p@b.example/z.jpg"
    path = csv_file(tmp_path, f'name,photo\nJane,"Doe, Jane.jpg"\nPetra,"{links}"\n')
    jane, petra = read(path, fetcher)
    assert labels(jane) == [str(tmp_path / "Doe, Jane.jpg")]
    assert labels(petra) == ["https://a.example/x,y.jpg", "https://b.example/z.jpg"]


def test_groups_and_dates_of_a_row_are_its_own(tmp_path: Path, fetcher: Fetcher) -> None:
    path = csv_file(
        tmp_path, 'name,photo,group,valid_until\nJane,a.jpg,"staff, lab",2026-12-31\nPetra,b.jpg,,\n'
    )
    columns = Columns(group="Group", valid_until="valid_until")
    jane, petra = read(path, fetcher, columns, Terms(frozenset({"all"})))
    assert jane.terms.groups == {"all", "staff", "lab"}
    assert jane.terms.valid_until == datetime(2027, 1, 1, tzinfo=UTC)
    assert petra.terms == Terms(frozenset({"all"}))


def test_who_fills_in_a_form_gives_no_group_and_no_date(tmp_path: Path, fetcher: Fetcher) -> None:
    path = csv_file(tmp_path, "name,photo,Group,Groups,valid_until\nEve,a.jpg,staff,lab,2099-12-31\n")
    sheet = table_entries(path, Columns(), Terms(), UTC, fetcher)
    assert sheet.entries[0].terms == Terms()
    assert sheet.passed_over == ["group", "groups", "valid_until"]
    sheet = table_entries(path, Columns(group="groups"), Terms(), UTC, fetcher)
    assert sheet.entries[0].terms == Terms(frozenset({"lab"}))
    assert sheet.passed_over == ["valid_until"]


def test_a_column_that_is_asked_for_must_be_there(tmp_path: Path, fetcher: Fetcher) -> None:
    path = csv_file(tmp_path, "name,photo\nJane,a.jpg\n")
    for columns in (Columns(group="team"), Columns(valid_until="team")):
        with pytest.raises(EnrolmentError, match="no column 'team'"):
            read(path, fetcher, columns)


def test_a_row_that_makes_no_sense_is_reported_as_one(tmp_path: Path, fetcher: Fetcher) -> None:
    path = csv_file(tmp_path, "name,photo,valid_until\n,a.jpg,\nJane,b.jpg,soon\nPetra,c.jpg,\n")
    entries = read(path, fetcher, Columns(valid_until="valid_until"))
    problems = [entry.problem and entry.problem.reason for entry in entries]
    assert problems == ["bad_name", "bad_date", None]


def test_a_workbook_is_read_with_its_dates(tmp_path: Path, fetcher: Fetcher) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["Name", "Photo", "valid_until"])
    sheet.append(["Jane", "a.jpg\nb.jpg", datetime(2026, 12, 31)])  # noqa: DTZ001 - as spreadsheets have it
    sheet.append([12, "c.jpg", None])
    sheet.append([None, None, None])
    book.save(tmp_path / "people.xlsx")
    jane, number = read(tmp_path / "people.xlsx", fetcher, Columns(valid_until="valid_until"))
    assert len(jane.photos) == 2
    assert jane.terms.valid_until == datetime(2027, 1, 1, tzinfo=UTC)
    assert number.name == "12"


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04" + bytes(100)])
def test_a_broken_workbook_is_refused(tmp_path: Path, fetcher: Fetcher, content: bytes) -> None:
    (tmp_path / "people.xlsx").write_bytes(content)
    with pytest.raises(EnrolmentError) as caught:
        read(tmp_path / "people.xlsx", fetcher)
    assert caught.value.reason == "bad_table"


def test_an_archive_that_is_no_workbook_is_refused(tmp_path: Path, fetcher: Fetcher) -> None:
    with zipfile.ZipFile(tmp_path / "people.xlsx", "w") as archive:
        archive.writestr("hello.txt", "hello")
    with pytest.raises(EnrolmentError, match="not a readable XLSX"):
        read(tmp_path / "people.xlsx", fetcher)


def test_a_workbook_that_unpacks_to_very_much_is_refused(tmp_path: Path, fetcher: Fetcher) -> None:
    path = tmp_path / "people.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("sheet.xml", bytes(1000))
    content = bytearray(path.read_bytes())
    size_at = content.index(b"PK\x01\x02") + 24
    content[size_at : size_at + 4] = (500 * 1024**2).to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(EnrolmentError, match="64 MiB"):
        read(path, fetcher)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("name,photo\nM\u00fcller,a.jpg\n".encode("latin-1"), "UTF-8"),
        (b"name,photo\n", "no rows"),
        (b"", "no column"),
    ],
)
def test_a_table_that_cannot_be_used_says_why(
    tmp_path: Path, fetcher: Fetcher, content: bytes, said: str
) -> None:
    (tmp_path / "people.csv").write_bytes(content)
    with pytest.raises(EnrolmentError, match=said):
        read(tmp_path / "people.csv", fetcher)


def test_a_missing_table_is_told(tmp_path: Path, fetcher: Fetcher) -> None:
    for name in ("people.csv", "people.xlsx"):
        with pytest.raises(EnrolmentError, match="cannot be read"):
            read(tmp_path / name, fetcher)


def test_each_folder_is_a_person(tmp_path: Path) -> None:
    for name in ("Jane_Doe/2.jpg", "Jane_Doe/1.PNG", "Jane_Doe/notes.txt", "Jane_Doe/.x.jpg", "Li/a.heic"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    jane, li = folder_entries(tmp_path, Terms())
    assert (jane.name, li.name) == ("Jane Doe", "Li")
    assert [Path(photo.label).name for photo in jane.photos] == ["1.PNG", "2.jpg"]
    assert len(li.photos) == 1


def test_a_photograph_outside_the_folders_is_reported(tmp_path: Path) -> None:
    (tmp_path / "Jane").mkdir()
    (tmp_path / "party.jpg").touch()
    problems = {entry.name: entry.problem for entry in folder_entries(tmp_path, Terms())}
    assert problems["Jane"] is None
    assert problems["party.jpg"] is not None


def test_a_folder_without_people_is_refused(tmp_path: Path) -> None:
    (tmp_path / "party.jpg").touch()
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(EnrolmentError) as caught:
            folder_entries(folder, Terms())
        assert caught.value.reason == "no_people"


LAUGHS = '<!ENTITY a0 "lol">' + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
STRINGS = "xl/sharedStrings.xml"


@pytest.mark.parametrize(
    ("part", "content"),
    [
        (STRINGS, f"<!DOCTYPE x [{LAUGHS}]><sst {NAMESPACE}><si><t>&a11;</t></si></sst>"),
        (
            STRINGS,
            '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
            f"<sst {NAMESPACE}><si><t>&a;</t></si></sst>",
        ),
        ("xl/worksheets/sheet1.xml", f"<worksheet {NAMESPACE}>" + "<a>" * 20_000),
        ("[Content_Types].xml", "<Types><Override truePartName='x'/></Types>"),
        ("xl/workbook.xml", f"<workbook {NAMESPACE}><sheets/></workbook>"),
    ],
)
def test_a_workbook_with_a_hostile_part_is_refused(
    tmp_path: Path, fetcher: Fetcher, part: str, content: str
) -> None:
    path = tmp_path / "people.xlsx"
    sound = workbook_parts()
    path.write_bytes(zipped(sound))
    assert [entry.name for entry in read(path, fetcher)] == ["Ada", "Zoë", "Bob"]
    path.write_bytes(zipped(sound | {part: content.encode()}, squeezed=True))
    with pytest.raises(EnrolmentError, match="not a readable XLSX") as caught:
        read(path, fetcher)
    assert caught.value.reason == "bad_table"


def test_a_cell_in_the_last_column_or_row_costs_no_more_than_any_other(
    tmp_path: Path, fetcher: Fetcher
) -> None:
    far = '<row r="1000000000"><c r="XFD1000000000" t="inlineStr"><is><t>x</t></is></c></row></sheetData>'
    sheet = "xl/worksheets/sheet1.xml"
    parts = workbook_parts()
    parts[sheet] = parts[sheet].replace(b"</sheetData>", far.encode())
    (tmp_path / "people.xlsx").write_bytes(zipped(parts))
    assert [entry.name for entry in read(tmp_path / "people.xlsx", fetcher)] == ["Ada", "Zoë", "Bob"]


@pytest.mark.parametrize("row", ["ab," * 100_000, '"\n",' * 100_000, "x" * 300_000])
def test_a_row_that_is_a_table_of_its_own_is_refused(tmp_path: Path, fetcher: Fetcher, row: str) -> None:
    for text in (f"name,photo\n{row}\n", f"{row}\nname,photo\n"):
        with pytest.raises(EnrolmentError) as caught:
            read(csv_file(tmp_path, text), fetcher)
        assert caught.value.reason == "bad_table"


def test_a_row_of_more_photographs_than_anybody_has_is_a_problem_of_that_row(
    tmp_path: Path, fetcher: Fetcher
) -> None:
    path = csv_file(tmp_path, f'name,photo\nAda,"{"a," * 201}"\nBob,b.jpg\n')
    ada, bob = read(path, fetcher)
    assert ada.problem is not None
    assert ada.photos == ()
    assert bob.problem is None
