import csv
from datetime import UTC, datetime
from pathlib import Path

import pytest

from edged.enrolment.checks import quality_text
from edged.enrolment.reports import PersonReport, PhotoReport, Status, csv_report, csv_rows
from edged.errors import EnrolmentError

REPORT = PersonReport(
    "Jane",
    "row 2",
    Status.REFUSED,
    reason="no_usable_photo",
    text="none",
    photos=(
        PhotoReport("a.jpg", "no_face", "no face was found"),
        PhotoReport("b.jpg", None, quality=0.5, flaw="too_dark"),
    ),
)


def test_the_report_has_a_line_a_photograph(tmp_path: Path) -> None:
    with csv_report(tmp_path / "report.csv") as write:
        write(REPORT)
        write(REPORT)
    with (tmp_path / "report.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["photo"], row["accepted"], row["reason"]) for row in rows[:3]] == [
        ("", "", "no_usable_photo"),
        ("a.jpg", "no", "no_face"),
        ("b.jpg", "yes", ""),
    ]
    assert len(rows) == 6
    assert [(row["quality"], row["flaw"]) for row in rows[1:3]] == [("", ""), ("0.500", "too_dark")]


@pytest.mark.parametrize("name", ["=HYPERLINK(1)", "+1", "-1", "@x"])
def test_a_cell_is_never_a_formula(name: str) -> None:
    rows = csv_rows(PersonReport(name, "row 2", Status.REFUSED))
    assert rows[0][0] == f"'{name}"


def test_a_report_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(EnrolmentError, match="cannot be written"), csv_report(tmp_path / "no" / "r.csv"):
        pass


def test_no_report_is_written_unless_asked_for() -> None:
    with csv_report(None) as write:
        write(REPORT)


def test_what_a_person_was_given_is_reported() -> None:
    until = datetime(2027, 1, 1, tzinfo=UTC)
    given = PersonReport("Jane", "row 2", Status.ENROLLED, "p-1", groups=("lab", "staff"), valid_until=until)
    assert csv_rows(given)[0][-2:] == ("lab, staff", "2027-01-01T00:00:00+00:00")
    facts = given.as_json()
    assert (facts["groups"], facts["valid_until"]) == (["lab", "staff"], "2027-01-01T00:00:00+00:00")


def test_json_has_each_photograph() -> None:
    facts = REPORT.as_json()
    assert facts["status"] == "refused"
    assert [photo["accepted"] for photo in facts["photos"]] == [False, True]
    assert [(photo["quality"], photo["flaw"]) for photo in facts["photos"]] == [
        (None, None),
        (0.5, "too_dark"),
    ]


@pytest.mark.parametrize(
    ("quality", "flaw", "told"),
    [
        (0.934, "too_dark", "quality 0.93, dark"),
        (0.999, "extreme_pose", "quality 0.99, not seen from the front"),
        (1.0, "", "quality 1.00"),
        (0.5, "of another version", "quality 0.50, of another version"),
    ],
)
def test_quality_is_told_with_what_it_suffers_from(quality: float, flaw: str, told: str) -> None:
    assert quality_text(quality, flaw) == told


def test_a_name_that_is_no_text_or_moves_the_cursor_is_spelt_out(tmp_path: Path) -> None:
    """As the name of a folder comes from the file system."""
    with csv_report(tmp_path / "report.csv") as write:
        write(PersonReport("\udcff\x1b[31m Zoë", "row 2", Status.REFUSED))
    text = (tmp_path / "report.csv").read_text(encoding="utf-8")
    assert "\\udcff\\x1b[31m Zoë,refused" in text
