"""``edged events``, ``explain`` and ``report`` on a real journal."""

import csv
import io
import json
import sqlite3
import stat
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import typer
from typer.testing import CliRunner

from edged.cli import registry
from edged.cli.events import Kind
from edged.config.sections import JournalConfig
from edged.domain.attendance import AttendanceClock
from edged.domain.event_body import access_body, attendance_body
from edged.domain.types import Decision, Event, EventKind, Gate, Outcome, Reason
from edged.errors import NotFoundError, StoreError
from edged.storage.journal import Journal
from edged.storage.people import PeopleStore
from edged.storage.vault import Vault

BERLIN = ZoneInfo("Europe/Berlin")
CONFIG = """
site: demo
door_id: front
camera: {source: {type: folder, path: photos}}
door: {lock: {driver: fake}}
access: {time_zone: Europe/Berlin}
"""
PUNCHES = ((2, 8, 0), (2, 12, 0), (2, 12, 30), (2, 17, 15), (3, 8, 0))


@pytest.fixture
def door(tmp_path: Path) -> Path:
    """A configuration file with an enrolled person and two days of attendance beside it."""
    with PeopleStore.open(
        tmp_path / "var" / "people.db", Vault.open(tmp_path / "var" / "vault.key", {}), writable=True
    ) as store:
        store.add_person("=Ada Lovelace", person_id="p-ada")
    clock = AttendanceClock("toggle", 60)
    events: list[Event] = []
    for number, (day, hour, minute) in enumerate(PUNCHES):
        local = datetime(2026, 3, day, hour, minute, tzinfo=BERLIN)
        punch = clock.punch("p-ada", local.timestamp(), local)
        assert punch is not None
        body = attendance_body(punch, direction="toggle", access_event_id="01A")
        events.append(
            Event(f"01PUNCH{number}", EventKind.ATTENDANCE, punch.at, 0, "b", time_synced=day != 3,
                  person_id="p-ada", body=body)
        )  # fmt: skip
    trace = (
        Gate("nearest", 0.3123, None, True, "p-ada"), Gate("second", 0.2123, None, True, "p-gone"),
        Gate("freshness", 0.1, 0.5, passed=True), Gate("score", 0.3123, 0.4, passed=False),
    )  # fmt: skip
    denied = Decision(Outcome.DENY, Reason.UNKNOWN, 1, None, 0.3123, 0.1, 4, 0.8, None, trace=trace)
    body = access_body(denied, latency_ms=300.0, gallery_version=1, model="toy/1")
    at = datetime(2026, 3, 4, 9, 0, tzinfo=BERLIN).timestamp()
    events.append(Event("01DENIED", EventKind.ACCESS, at, 0, "b", time_synced=True, body=body, trace=trace))
    journal = Journal.open(JournalConfig(path=tmp_path / "var" / "journal.db"))
    journal.submit(events).result()
    journal.close()
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG)
    return path


Run = Callable[..., str]


@pytest.fixture
def run(door: Path) -> Run:
    app = typer.Typer()
    registry.register(app)

    def invoke(*words: str, code: int = 0) -> str:
        result = CliRunner().invoke(app, [*words, "--config", str(door)], catch_exceptions=False)
        assert result.exit_code == code, result.output
        return result.stdout

    return invoke


def test_tail_prints_the_newest_oldest_first(run: Run) -> None:
    lines = run("events", "tail", "-n", "2").splitlines()
    assert [line.split()[0] for line in lines] == ["5", "6"]
    assert "2026-03-04 09:00:00+01:00" in lines[1]
    assert "reason=unknown" in lines[1]
    assert "clock not synchronised" in lines[0]


def test_tail_as_json_can_be_narrowed(run: Run) -> None:
    records = [
        json.loads(line) for line in run("events", "tail", "--kind", "attendance", "--json").splitlines()
    ]
    assert [record["seq"] for record in records] == [1, 2, 3, 4, 5]
    assert run("events", "tail", "--person", "p-nobody") == ""


def test_the_kinds_of_the_option_are_those_of_the_journal() -> None:
    assert {kind.value for kind in Kind} == {kind.value for kind in EventKind}


def test_export_takes_whole_local_days(run: Run) -> None:
    rows = list(
        csv.DictReader(io.StringIO(run("events", "export", "--since", "2026-03-03", "--until", "2026-03-03")))
    )
    assert [row["seq"] for row in rows] == ["5"]
    assert (rows[0]["punch"], rows[0]["person_id"], rows[0]["time_synced"]) == ("in", "p-ada", "False")


def test_export_to_a_file_is_private_and_replaces_it_whole(run: Run, tmp_path: Path) -> None:
    target = tmp_path / "events.jsonl"
    target.write_text("old")
    assert run("events", "export", "--json", "-o", str(target)) == ""
    assert len(target.read_text().splitlines()) == 6
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert "Lovelace" not in target.read_text()
    with pytest.raises(StoreError, match="cannot be written"):
        run("events", "export", "-o", str(tmp_path / "none" / "x.csv"))


def test_verify_says_whether_all_is_well(run: Run, door: Path) -> None:
    assert "6 events, 1 to 6" in run("events", "verify")
    assert json.loads(run("events", "verify", "--json"))["ok"] is True
    connection = sqlite3.connect(door.parent / "var" / "journal.db")
    with connection:
        connection.execute("UPDATE events SET person_id = 'p-eve' WHERE seq = 3")
    connection.close()
    found = json.loads(run("events", "verify", "--json", code=1))
    assert (found["ok"], found["bad_seq"], found["fault"], found["rows"]) == (False, 3, "checksum", 2)
    assert (found["faults"], found["fault_count"]) == ([{"seq": 3, "fault": "checksum", "rows": 1}], 1)
    assert "Event number 3" in run("events", "verify", code=1)
    # A damaged row is passed over with a word, and does not hide the others.
    assert len(run("events", "tail").splitlines()) == 5


def test_verify_goes_on_behind_a_fault(run: Run, door: Path) -> None:
    connection = sqlite3.connect(door.parent / "var" / "journal.db")
    with connection:
        connection.execute("UPDATE events SET person_id = 'p-eve' WHERE seq = 2")
        connection.execute("DELETE FROM events WHERE seq IN (4, 5)")
    connection.close()
    lines = run("events", "verify", code=1).splitlines()
    assert [line.split(":")[0] for line in lines[:2]] == ["Event number 2", "Event numbers 4 to 5"]
    assert lines[2] == "2 faults. Good events before the first: 1."


def test_explain_shows_each_check_and_the_reason_in_plain_words(run: Run) -> None:
    text = run("explain", "01DEN")
    assert "not close enough to anybody" in text
    assert "0.3123" in text
    assert "failed" in text
    record = json.loads(run("explain", "01DENIED", "--json"))
    assert [(step["name"], step["passed"]) for step in record["trace"][2:]] == [
        ("freshness", True),
        ("score", False),
    ]
    assert all(step["checks"] for step in record["trace"])
    assert "No checks" in run("explain", "01PUNCH0")
    with pytest.raises(NotFoundError):
        run("explain", "01NOTHING")


def test_explain_names_the_best_and_the_second_person_of_a_denial(run: Run, door: Path) -> None:
    text = run("explain", "01DEN")
    assert "Nearest: =Ada Lovelace (p-ada): score 0.312, needs 0.400. Second: p-gone: margin 0.100." in text
    record = json.loads(run("explain", "01DEN", "--json"))
    assert record["best"] == {
        "person_id": "p-ada", "name": "=Ada Lovelace", "score": 0.3123, "score_limit": 0.4,
    }  # fmt: skip
    assert record["second"]["person_id"] == "p-gone"
    assert record["second"]["margin"] == pytest.approx(0.1)
    (door.parent / "var" / "vault.key").write_bytes(b"another key")
    assert json.loads(run("explain", "01DEN", "--json"))["best"]["name"] is None


def test_a_day_is_reported_with_names_and_times(run: Run) -> None:
    text = run("report", "--day", "2026-03-02")
    for part in ("Ada", "08:00-12:00", "12:30-17:15", "8:45"):
        assert part in text
    (day,) = json.loads(run("report", "--day", "2026-03-02", "--json"))["days"]
    assert (day["name"], day["worked_seconds"], day["missing_out"]) == ("=Ada Lovelace", 31500, False)
    assert day["stays"][1] == {"in": "2026-03-02T12:30:00+01:00", "out": "2026-03-02T17:15:00+01:00"}
    assert "No attendance" in run("report", "--day", "2026-03-09")


def test_a_month_adds_up_and_flags_what_is_missing(run: Run) -> None:
    shown = json.loads(run("report", "--month", "2026-03", "--json"))
    (month,) = shown["months"]
    assert (month["days"], month["days_missing_out"], month["days_unsynced"]) == (2, 1, 1)
    assert [day["missing_out"] for day in shown["days"]] == [False, True]
    assert "2026-03" in run("report", "--month", "2026-03")


def test_the_table_is_safe_in_a_spreadsheet(run: Run) -> None:
    rows = list(csv.DictReader(io.StringIO(run("report", "--month", "2026-03", "--csv"))))
    assert [row["name"] for row in rows] == ["'=Ada Lovelace"] * 2
    assert [row["missing_out"] for row in rows] == ["0", "1"]


def test_without_the_key_ids_stand_for_names(run: Run, door: Path) -> None:
    (door.parent / "var" / "vault.key").unlink()
    (day,) = json.loads(run("report", "--day", "2026-03-02", "--json"))["days"]
    assert (day["person_id"], day["name"]) == ("p-ada", None)


WRONG = (
    ["report"],
    ["report", "--day", "2026-03-02", "--month", "2026-03"],
    ["report", "--day", "yesterday"],
    ["events", "export", "--csv", "--json"],
    ["events", "tail", "--kind", "moon"],
)


@pytest.mark.parametrize("words", WRONG, ids=" ".join)
def test_wrong_use_is_exit_status_2(run: Run, words: list[str]) -> None:
    run(*words, code=2)
