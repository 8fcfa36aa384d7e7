"""The measure of an open line must see what it is there to see."""

import json
from pathlib import Path

from tests.chaos.line import Opening, openings, samples_of, unsafe_ms


def test_openings_are_the_spans_between_open_and_shut() -> None:
    samples = [(1.0, False), (2.0, True), (2.5, True), (3.0, False), (3.5, False), (4.0, True)]
    assert openings(samples) == [Opening(2.0, 3.0), Opening(4.0, None)]


def test_a_pulse_and_fifty_milliseconds_are_safe_and_what_is_beyond_is_not() -> None:
    assert unsafe_ms([Opening(10.0, 13.049)], 3.0, now=99.0) == 0
    assert unsafe_ms([Opening(10.0, 13.30)], 3.0, now=99.0) in (250, 251)
    assert unsafe_ms([Opening(10.0, 13.30), Opening(20.0, 23.15)], 3.0, now=99.0) in (350, 351, 352)


def test_a_line_that_still_stands_open_counts_until_now() -> None:
    assert unsafe_ms([Opening(10.0, None)], 3.0, now=14.05) in (1000, 1001)


def test_levels_are_read_by_the_polarity_and_a_torn_row_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "timeline.jsonl"
    rows = [
        {"at": 1.0, "line": 17, "high": True},
        {"at": 1.5, "line": 3, "high": False},
        {"at": 2.0, "line": 17, "high": False},
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows) + '{"at": 3.0, "li')
    assert samples_of(path, 17, active_low=True) == [(1.0, False), (2.0, True)]
    assert samples_of(path, 17, active_low=False) == [(1.0, True), (2.0, False)]
    assert samples_of(tmp_path / "none", 17, active_low=True) == []
