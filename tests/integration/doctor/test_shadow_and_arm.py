"""``edged shadow report`` and ``edged arm`` on a real journal and gallery."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from edged.cli import shadow
from edged.config import load
from edged.config.sections import JournalConfig
from edged.domain.types import Event, EventKind, Gate
from edged.errors import EdgedError, ModelError
from edged.storage.journal import Journal
from edged.storage.people import PeopleStore
from edged.storage.vault import Vault
from tests.integration.storage.conftest import NOON, event

CONFIG = """\
site: test
door_id: front
camera: {source: {type: folder, path: scene}}
door: {lock: {driver: fake}} # a desk
models: {directory: models, threads: 1}
gallery: {path: people.db, key_file: vault.key}
journal: {path: journal.db}
access: {time_zone: Europe/Paris}
mqtt: {enabled: false}
decision: {armed: false} # a week of shadow mode
"""


class Office:
    """A folder with a configuration, two people and a journal."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "config.yaml"
        self.config.write_text(CONFIG)
        self.app = typer.Typer()
        self.app.command("arm")(shadow.arm)
        self.app.add_typer(shadow.app, name="shadow")
        vault = Vault.open(folder / "vault.key", environ={})
        with PeopleStore.open(folder / "people.db", vault, writable=True) as store:
            self.ada, self.ben = (store.add_person(name).person_id for name in ("Ada Example", "Ben Example"))

    def record(self, *visits: tuple[float, str | None, str, str]) -> None:
        """Write access events: seconds after noon, person, decision, reason."""
        journal = Journal.open(JournalConfig(path=self.folder / "journal.db"), deliver=False)
        try:
            # The door started before and went on after everybody came.
            rows = [self.event(-3600, None, EventKind.SYSTEM, {"type": "started"})]
            rows += [
                self.event(at, who, EventKind.ACCESS, {"decision": decision, "reason": reason})
                for at, who, decision, reason in visits
            ]
            rows.append(self.event(36_000, None, EventKind.SYSTEM, {"type": "stopped"}))
            journal.submit(rows).result(60)
        finally:
            journal.close()

    def event(self, at: float, who: str | None, kind: EventKind, body: dict[str, Any]) -> Event:
        number = round(at) + 10_000
        return replace(event(number, kind, who), occurred_at=NOON + at, body=body)

    def badges(self, *lines: str, head: str = "time,person,by") -> None:
        (self.folder / "badges.csv").write_text("\n".join([head, *lines]) + "\n")

    def run(self, *arguments: str, expect: int = 0) -> str:
        result = CliRunner().invoke(self.app, [*arguments, "--config", str(self.config)])
        if isinstance(result.exception, EdgedError):
            raise result.exception
        assert result.exit_code == expect, result.output
        return result.stdout

    def report(self, *options: str) -> dict[str, Any]:
        told = self.run("shadow", "report", "--records", str(self.folder / "badges.csv"), "--json", *options)
        found = json.loads(told)
        assert isinstance(found, dict)
        return found


def at(seconds: float) -> str:
    return datetime.fromtimestamp(NOON + seconds, UTC).isoformat()


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def test_would_be_grants_are_held_against_badges(office: Office) -> None:
    office.record(
        (0, office.ada, "denied", "disarmed"),
        (100, None, "denied", "unknown"),
        (200, office.ben, "denied", "disarmed"),
        (300, office.ben, "denied", "outside_schedule"),
        (400, office.ben, "granted", "matched"),
        (500, office.ada, "denied", "disarmed"),
        (600, None, "denied", "disarmed"),
    )
    office.badges(
        f"{at(5)},Ada Example,badge",
        f"{at(95)},{office.ben},",
        f"{at(205)},Ada Example,badge",
        f"{at(400)},,badge",
        f"{at(601)},Carl Visitor,badge",
        f"{at(-50_000)},Ada Example,badge",
    )
    found = office.report()
    assert (found["badges"], found["agreed"], found["missed"]) == (4, 2, 1)
    assert len(found["wrong"]) == len(found["unexplained"]) == 1
    assert (found["not_enrolled"], found["outside"]) == (1, 1)
    assert not found["may_arm"]
    later = office.report("--since", "2026-03-02T13:08:00")  # noon is one o'clock in Paris
    assert (later["badges"], len(later["unexplained"])) == (0, 1)
    told = office.run("shadow", "report", "--records", str(office.folder / "badges.csv"))
    assert "Advice: do not arm" in told
    assert "Ada" not in told


def test_a_week_that_agrees_recommends_to_arm(office: Office) -> None:
    office.record(*((60.0 * n, office.ada, "denied", "disarmed") for n in range(40)))
    office.badges(*(f"{at(60.0 * n + 4)}" for n in range(40)), head="time")
    found = office.report()
    assert found["may_arm"]
    assert found["missed_bound"] == pytest.approx(3 / 40, rel=0.01)


def test_what_an_armed_door_would_have_asked_for_is_counted(office: Office) -> None:
    shadow = {"decision": "denied", "reason": "disarmed", "factor_outcome": None}
    gesture = (Gate("challenge", "not_asked", "passed", passed=False),)
    bodies = [
        ({**shadow, "second_factor": "lookalike"}, ()),
        ({**shadow, "second_factor": "always"}, gesture),
        (shadow, gesture),
        (shadow, ()),
        (
            {**shadow, "reason": "no_second_factor", "second_factor": "always", "factor_outcome": "missing"},
            (),
        ),
        (
            {
                "decision": "granted",
                "reason": "matched",
                "second_factor": "always",
                "factor_outcome": "confirmed",
            },
            (),
        ),
    ]
    journal = Journal.open(JournalConfig(path=office.folder / "journal.db"), deliver=False)
    try:
        rows = [
            replace(office.event(60.0 * number, office.ada, EventKind.ACCESS, body), trace=trace)
            for number, (body, trace) in enumerate(bodies)
        ]
        journal.submit(rows).result(60)
    finally:
        journal.close()
    office.badges(*(f"{at(60.0 * n)},Ada Example,badge" for n in range(6)))
    found = office.report()
    assert (found["agreed"], found["missed"]) == (5, 1)  # who has no PIN would have stayed outside
    assert found["would_be_asked"] == {
        "of": 5, "either": 3, "second_factor": {"lookalike": 1, "always": 1}, "challenge": 2,
    }  # fmt: skip
    told = office.run("shadow", "report", "--records", str(office.folder / "badges.csv"))
    assert "asked first   3 of 5 would-be grants" in told


def test_times_without_an_offset_are_the_doors(office: Office) -> None:
    office.record((0, office.ada, "denied", "disarmed"))
    office.badges("2026-03-02T13:00:03,Ada Example,badge")
    assert office.report()["agreed"] == 1


def test_arming_changes_one_value_and_is_undone_by_off(office: Office) -> None:
    assert "is armed" in office.run("arm")
    assert office.config.read_text() == CONFIG.replace("armed: false", "armed: true")
    assert load(office.config).decision.armed
    assert json.loads(office.run("arm", "--off", "--json"))["armed"] is False
    assert office.config.read_text() == CONFIG


def test_a_door_without_a_threshold_is_not_armed(office: Office) -> None:
    office.config.write_text(CONFIG + "security: {level: most_secure, frames_per_visit: 1000}\n")
    before = office.config.read_text()
    with pytest.raises(ModelError, match=r"not armed: .*not enough comparisons for this claim"):
        office.run("arm")
    assert office.config.read_text() == before
