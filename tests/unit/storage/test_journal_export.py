import csv
import io
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC

import pytest

from edged.domain.types import Event, Gate, StoredEvent
from edged.storage.journal_export import COLUMNS, safe_cell, summary_line, write_csv, write_json_lines
from tests.integration.storage.conftest import event


def stored(*events: Event) -> Sequence[StoredEvent]:
    return [StoredEvent("epoch", seq, each, "ab" * 32) for seq, each in enumerate(events, 1)]


def test_csv_has_a_heading_and_a_row_an_event() -> None:
    file = io.StringIO()
    assert write_csv(file, stored(event(1), event(2))) == 2
    heading, first, _ = csv.reader(io.StringIO(file.getvalue()))
    assert tuple(heading) == COLUMNS
    row = dict(zip(heading, first, strict=True))
    assert row["time"] == "2026-03-02T12:00:01.000Z"
    assert (row["decision"], row["score"], row["details"]) == ("granted", "0.5123", '{"note": "Grüße"}')


def test_json_lines_hold_everything() -> None:
    file = io.StringIO()
    assert write_json_lines(file, stored(event(1))) == 1
    record = json.loads(file.getvalue())
    assert record["body"] == event(1).body
    assert record["trace"][0] == {"name": "score", "value": 0.5123, "limit": 0.4, "passed": True}
    near = replace(event(1), trace=(Gate("nearest", 0.3, None, True, "p-ada"),))
    file = io.StringIO()
    write_json_lines(file, stored(near))
    assert json.loads(file.getvalue())["trace"][0]["who"] == "p-ada"
    assert (record["seq"], record["digest"], record["epoch"]) == (1, "ab" * 32, "epoch")


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_text_that_a_spreadsheet_would_run_is_quoted(text: str) -> None:
    assert safe_cell(text) == "'" + text
    file = io.StringIO(newline="")
    write_csv(file, stored(replace(event(1), body={"reason": text}, person_id=text)))
    (row,) = csv.DictReader(io.StringIO(file.getvalue(), newline=""))
    assert (row["reason"], row["person_id"]) == ("'" + text, "'" + text)


def test_numbers_and_harmless_text_stay_as_they_are() -> None:
    assert [safe_cell(cell) for cell in (-0.5, None, "p-ada", "")] == [-0.5, None, "p-ada", ""]


def test_a_doubtful_clock_shows_on_the_line() -> None:
    sure, unsure = stored(event(1), replace(event(2), time_synced=False))
    assert "2026-03-02 12:00:01+00:00" in summary_line(sure, UTC)
    assert "not synchronised" not in summary_line(sure, UTC)
    assert "clock not synchronised" in summary_line(unsure, UTC)
