"""What is said and done once the embedder is another one; changes of terms from the command line."""

import json
import logging
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
import typer
from typer.testing import CliRunner, Result

from edged.app import Daemon
from edged.cli import registry
from edged.config.loading import load
from edged.demo.bundled import bundled_cast
from edged.errors import EnrolmentError
from edged.storage.people import NewTemplate, PeopleStore
from edged.storage.vault import Vault

CONFIG = """
site: test
door_id: front
camera: {source: {type: folder, path: scene}}
door: {lock: {driver: fake}}
gallery: {path: people.db, key_file: vault.key}
journal: {path: journal.db}
http: {enabled: false}
mqtt: {enabled: false}
access:
  time_zone: Europe/Paris
  schedules: {never: [{days: [mon], from: "03:00", to: "03:01"}]}
  groups: {staff: [], guests: [never]}
"""

Run = Callable[..., Result]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A door whose two people were enrolled with an embedder that is not in use any more."""
    (tmp_path / "config.yaml").write_text(CONFIG)
    (tmp_path / "scene").mkdir()
    vector = np.eye(4, dtype=np.float32)
    with PeopleStore.open(tmp_path / "people.db", Vault.open(tmp_path / "vault.key"), writable=True) as store:
        for row, name in enumerate(("Jane Doe", "Petra Winter")):
            person = store.add_person(name, person_id=f"p-{row}", groups={"guests"})
            store.add_templates(person.person_id, [NewTemplate("older/1", vector[row], 0.9, bytes([row]))])
    return tmp_path


@pytest.fixture
def run(folder: Path) -> Run:
    app = typer.Typer()
    registry.register(app)

    def invoke(*words: object, code: int = 0) -> Result:
        arguments = [*map(str, words), "--config", str(folder / "config.yaml")]
        result = CliRunner().invoke(app, arguments, catch_exceptions=False, env={"COLUMNS": "200"})
        assert result.exit_code == code, result.output
        return result

    return invoke


def gallery_check(folder: Path) -> tuple[bool, str]:
    """What the readiness page of a door says of its gallery."""
    daemon = Daemon(load(folder / "config.yaml"))
    try:
        check = daemon.readiness().checks["gallery"]
    finally:
        daemon.people.close()
        daemon.journal.close()
    return check.ok, check.detail


def test_after_a_change_of_the_model_everything_says_so_until_people_are_enrolled_again(
    folder: Path, run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    photos = next(iter(bundled_cast()[0].values()))
    assert "2 of 2 people have no template of this model" in run("people", "list").stdout
    with pytest.raises(EnrolmentError, match="2 of 2 people"):
        run("identify", photos[0])
    ready, detail = gallery_check(folder)
    assert (ready, "2 of 2 people" in detail) == (False, True)
    assert [record.levelno for record in caplog.records if "2 of 2 people" in record.message] == [
        logging.WARNING
    ]

    asked = (*photos[:2], "--largest-face", "--json")
    assert json.loads(run("enrol", "Jane Doe", *asked, code=1).stdout.splitlines()[0])["reason"] == "unproven"
    report = json.loads(run("enrol", "--add-to", "p-0", *asked).stdout)
    assert (report["status"], report["person_id"]) == ("extended", "p-0")
    assert "you say who it is" in report["notes"][0]

    lines = run("people", "list").stdout.splitlines()
    assert "2 of 3" in next(line for line in lines if "Jane" in line)
    assert lines[-1].startswith("1 of 2 people have no template of this model")
    listed = json.loads(run("people", "list", "--json").stdout)
    assert [person["recognisable"] for person in listed] == [True, False]

    answer = run("identify", photos[3])
    assert "would be refused: outside_schedule" in answer.stdout
    assert "1 of 2 people" in answer.stderr


def test_terms_are_set_and_taken_away(run: Run) -> None:
    def facts(*words: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(run("people", "set", "jane doe", *words, "--json").stdout)
        assert found == json.loads(run("people", "show", "p-0", "--json").stdout)
        return found

    facts("--group", "staff", "--group", "guests", "--valid-until", "2099-12-31")
    consent = ("--consent-basis", "consent", "--consent-policy", "v2", "--consent-until", "2098-01-31")
    facts("--valid-from", "2026-01-01", *consent)
    person = facts("--no-valid-from")
    assert (person["groups"], person["valid_from"]) == (["guests", "staff"], None)
    until = datetime.fromisoformat(person["valid_until"])
    assert until == datetime(2100, 1, 1, tzinfo=ZoneInfo("Europe/Paris"))
    assert (person["consent"]["policy_version"], person["consent"]["basis"]) == ("v2", "consent")
    person = facts("--no-groups", "--no-valid-until")
    assert (person["groups"], person["valid_until"]) == ([], None)
    assert "groups" in run("people", "set", "p-0", "--group", "staff").stdout


def test_unclear_changes_are_usage_errors(run: Run) -> None:
    for words in (
        (),
        ("--group", "staff", "--no-groups"),
        ("--valid-until", "2099-12-31", "--no-valid-until"),
        ("--valid-from", "2099-12-31", "--no-valid-from"),
    ):
        run("people", "set", "Jane Doe", *words, code=2)


def test_a_wrong_change_changes_nothing(run: Run) -> None:
    before = run("people", "list", "--json").stdout
    for words, reason in (
        (("--group", "stuff"), "unknown_group"),
        (("--no-groups", "--valid-until", "2001-01-01"), "bad_validity"),
        (("--no-groups", "--valid-until", ""), "bad_date"),
        (("--no-groups", "--consent-basis", "consent"), "bad_consent"),
    ):
        with pytest.raises(EnrolmentError) as caught:
            run("people", "set", "Jane Doe", *words)
        assert caught.value.reason == reason
    assert run("people", "list", "--json").stdout == before


def test_a_column_of_groups_is_passed_over_with_a_word(folder: Path, run: Run) -> None:
    photo = next(iter(bundled_cast()[0].values()))[0]
    (folder / "people.csv").write_text(f"name,photo,group\nEve New,{photo},staff\n")
    common = ("enrol", "--table", folder / "people.csv", "--largest-face", "--dry-run")
    result = run(*common)
    assert "passed over" in result.stderr
    assert "--group-column" in result.stderr
    assert "groups:" not in result.stdout
    result = run(*common, "--group-column", "group")
    assert result.stderr == ""
    assert "groups: staff" in result.stdout
