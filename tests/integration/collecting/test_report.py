"""``edged report`` of a collector's database says what the door's own journal says."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import typer
from typer.testing import CliRunner
from ulid import ULID

from edged.cli import registry
from edged.collecting.event_store import EventStore
from edged.collecting.incoming import read
from edged.collecting.links import Link
from edged.config.sections import JournalConfig
from edged.domain.attendance import Punch, PunchKind
from edged.domain.clock_correction import correction_body
from edged.domain.event_body import attendance_body, withdrawal_body
from edged.domain.types import Event, EventKind, StoredEvent
from edged.fleet.connection import Arrived
from edged.fleet.messages import event_payload
from edged.storage.journal import Journal
from edged.storage.journal_reader import JournalReader

BERLIN = ZoneInfo("Europe/Berlin")
MORNING = datetime(2026, 3, 2, 8, tzinfo=BERLIN)
CONFIG = """
site: hq
door_id: front
camera: {source: {type: folder, path: photos}}
door: {lock: {driver: fake}}
access: {time_zone: Europe/Berlin}
"""


def punched(kind: PunchKind, local: datetime, person: str = "p-ada") -> Event:
    punch = Punch(person, kind, local.timestamp(), local)
    body = attendance_body(punch, direction="toggle", access_event_id=str(ULID()))
    return Event(str(ULID()), EventKind.ATTENDANCE, punch.at, 100.0, "boot-1", True, person, body)


def day() -> list[Event]:
    """Come, gone, a stamp taken back, and one from before the clock was right: four hours late."""
    wrong = punched(PunchKind.IN, MORNING + timedelta(hours=3))
    withdrawal = replace(wrong, event_id=str(ULID()), body=withdrawal_body(wrong, "the door never answered"))
    lost = datetime(1970, 1, 1, 1, tzinfo=BERLIN)
    early = replace(
        punched(PunchKind.OUT, lost, "p-bob"), monotonic_at=500.0, boot_id="boot-2", time_synced=False
    )
    offset = (MORNING + timedelta(hours=4)).timestamp() - 500.0
    correction = Event(
        str(ULID()), EventKind.SYSTEM, offset + 600.0, 600.0, "boot-2", True, None,
        correction_body(["boot-2"], offset, 1.0),
    )  # fmt: skip
    out = punched(PunchKind.OUT, MORNING + timedelta(hours=9))
    return [punched(PunchKind.IN, MORNING), wrong, withdrawal, early, correction, out]


def collected(link: Link, stored: list[StoredEvent], door: str) -> None:
    for one in stored:
        content = event_payload(one)
        topic = f"edged/hq/{door}/event/{one.event.kind.value}"
        message = read(Arrived(topic, content, len(content), False, handle=1), "edged")
        assert message is not None
        EventStore(link).store([message], MORNING.timestamp())


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG)
    return path


@pytest.fixture
def events(tmp_path: Path) -> list[StoredEvent]:
    path = tmp_path / "var" / "journal.db"
    journal = Journal.open(JournalConfig(path=path))
    journal.submit(day()).result()
    journal.close()
    with JournalReader.open(path) as reader:
        return [replace(one, corrected_at=None) for one in reader.events()]


def report(config: Path, *words: str) -> str:
    app = typer.Typer()
    registry.register(app)
    done = CliRunner().invoke(app, ["report", "--config", str(config), *words])
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.mark.parametrize("words", [("--day", "2026-03-02"), ("--month", "2026-03")])
def test_journal_and_database_tell_the_same(
    link: Link, url: str, config: Path, events: list[StoredEvent], words: tuple[str, str]
) -> None:
    collected(link, events, "front")
    own = json.loads(report(config, *words, "--json"))
    assert [(one["person_id"], one["worked_seconds"]) for one in own["days"]] == [
        ("p-ada", 9 * 3600), ("p-bob", 0),
    ]  # fmt: skip
    assert json.loads(report(config, *words, "--json", "--from", url)) == own


def test_who_comes_at_one_door_and_goes_at_another_worked_in_between(
    link: Link, url: str, config: Path
) -> None:
    def stored(seq: int, epoch: str, event: Event) -> StoredEvent:
        return StoredEvent(epoch, seq, event, "")

    collected(link, [stored(1, "e1", punched(PunchKind.IN, MORNING))], "front")
    leaving = punched(PunchKind.OUT, MORNING + timedelta(hours=8))
    # A door may take back its own punches alone.
    forged = replace(leaving, event_id=str(ULID()), body=withdrawal_body(leaving, "so I say"))
    collected(link, [stored(2, "e2", leaving)], "back")
    collected(link, [stored(1, "e3", forged)], "yard")
    words = ("--day", "2026-03-02", "--json", "--from", url)
    for path in (config, config.with_name("none.yaml")):  # the database does without a configuration
        (one,) = json.loads(report(path, *words))["days"]
        assert one["worked_seconds"] == 8 * 3600
    (one,) = json.loads(report(config, *words, "--door", "front"))["days"]
    assert one["missing_out"]


def test_what_is_missing_is_said(link: Link, url: str, config: Path, events: list[StoredEvent]) -> None:
    collected(link, events[1:], "front")
    app = typer.Typer()
    registry.register(app)
    words = ["report", "--config", str(config), "--day", "2026-03-02", "--from", url]
    done = CliRunner().invoke(app, words)
    assert "missing in this database: 1 event;" in done.stderr
    assert CliRunner().invoke(app, ["fleet", "gaps", "--from", url]).exit_code == 1
    assert CliRunner().invoke(app, [*words, "--door", "none"]).exit_code == 1


def test_a_journal_is_of_one_door(config: Path) -> None:
    app = typer.Typer()
    registry.register(app)
    words = ["report", "--config", str(config), "--day", "2026-03-02", "--door", "front"]
    assert CliRunner().invoke(app, words).exit_code == 2
