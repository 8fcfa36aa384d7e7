"""Badges and exit buttons from a CSV."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from edged.domain.shadow import Passage
from edged.errors import EvaluationError
from edged.evaluation.passages import read_passages

IDS = {"Ada": "p-ada", "p-ada": "p-ada"}
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC).timestamp()
PARIS = timezone(timedelta(hours=1))


def written(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "badges.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8-sig")
    return path


def test_people_are_known_by_name_or_id_and_others_are_counted(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "time,person,by",
        "2026-03-02T12:00:00+00:00,Ada,badge",
        "2026-03-02T13:00:01,p-ada,",
        "2026-03-02 13:00:02,,BADGE",
        "2026-03-02T13:00:03,Carl,badge",
        "2026-03-02T13:00:04,Carl,exit",
    )
    assert read_passages(path, IDS, PARIS) == (
        [
            Passage(NOON, "p-ada"),
            Passage(NOON + 1, "p-ada"),
            Passage(NOON + 2, None),
            Passage(NOON + 4, None, "exit"),
        ],
        1,
    )


def test_only_the_time_must_be_there(tmp_path: Path) -> None:
    path = written(tmp_path, "time", "2026-03-02T12:00:00Z")
    assert read_passages(path, IDS, None) == ([Passage(NOON, None)], 0)


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (("when,who", "x,y"), "expected columns time"),
        (("time,person,by,colour", "x,y,badge,red"), "expected columns time"),
        (("",), "expected columns time"),
        (("time", "yesterday"), r"badges\.csv:2: expected a time such as"),
        (("person,time", "Ada"), r"badges\.csv:2: expected a time such as"),
        (("time,by", "2026-03-02T13:00:03,window"), r"badges\.csv:2: expected badge or exit"),
    ],
)
def test_a_record_that_is_not_understood_is_refused(
    tmp_path: Path, lines: tuple[str, ...], told: str
) -> None:
    with pytest.raises(EvaluationError, match=told):
        read_passages(written(tmp_path, *lines), IDS, PARIS)


def test_a_record_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="cannot be read"):
        read_passages(tmp_path / "none.csv", IDS, None)


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "0001-01-01"])
@pytest.mark.parametrize("zone", [ZoneInfo("Asia/Tokyo"), ZoneInfo("America/Lima"), None])
def test_the_ends_of_the_calendar_are_no_times_or_some(
    tmp_path: Path, moment: str, zone: ZoneInfo | None
) -> None:
    path = tmp_path / "passages.csv"
    path.write_text(f"time\n{moment}\n")
    try:
        read_passages(path, {}, zone)
    except EvaluationError as exc:
        assert "expected a time" in str(exc)  # noqa: PT017 - a zone may know that moment


def test_a_heading_without_end_is_quoted_in_part(tmp_path: Path) -> None:
    path = tmp_path / "passages.csv"
    path.write_text("x" * 100_000 + "," * 5000)
    with pytest.raises(EvaluationError) as caught:
        read_passages(path, {}, None)
    assert len(str(caught.value)) < 500
