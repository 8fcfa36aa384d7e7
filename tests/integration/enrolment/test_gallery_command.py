"""``edged gallery audit`` and the commands that it names, on the people who come with edged."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from edged.demo.bundled import bundled_cast
from tests.integration.enrolment.test_enrol_command import Office

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Office:
    """One person under two names, one with a photograph of another, one with a single photograph."""
    office = Office(tmp_path_factory.mktemp("office"))
    people = list(bundled_cast()[0].values())
    chosen = {
        "Jane Doe": people[0][:3],
        "Janet Roe": people[0][3:5],
        "Petra Winter": [*people[1][:2]],
        "Otto Sommer": people[2][:3],
        "Karl Herbst": people[3][:1],
    }
    for name, photos in chosen.items():
        for photo in photos:
            folder = office.folder / "staff" / name
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(photo, folder)
    office.run("enrol", "--folder", "staff", "--largest-face", "--allow-similar")
    _add_by_hand(office, "Petra Winter", people[2][3])
    return office


def _add_by_hand(office: Office, name: str, photo: Path) -> None:
    """Put a photograph of somebody else into a person, as enrolment itself never would."""
    (report,) = office.lines("enrol", "Somebody Else", photo, "--largest-face", "--allow-similar")
    office.run("people", "merge", report["person_id"], name, "--force", "--yes")


def audit(office: Office, expect: int) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(office.run("gallery", "audit", "--json", expect=expect).stdout)
    return facts


def test_a_pair_that_is_said_to_be_two_people_leaves_the_list_of_doubles(office: Office) -> None:
    office.run("gallery", "different", "Jane Doe", "Janet Roe", "--reason", "twins")
    kinds = {finding["finding"]: finding["text"] for finding in audit(office, 1)["findings"]}
    assert "same_person" not in kinds
    assert "twins" in kinds["acknowledged"]
    (told,) = json.loads(office.run("gallery", "different", "--json").stdout)
    assert sorted(person["name"] for person in told["people"]) == ["Jane Doe", "Janet Roe"]
    assert "1 pair" in office.run("gallery", "different").stdout
    refused = office.run("people", "merge", "Janet Roe", "Jane Doe", "--yes", expect=1)
    assert "--undo" in refused.stderr
    office.run("gallery", "different", "Jane Doe", expect=2)
    office.run("gallery", "different", "Janet Roe", "Jane Doe", "--undo")
    assert json.loads(office.run("gallery", "different", "--json").stdout) == []


def test_doubles_and_wrong_photographs_are_found_and_mended_by_the_commands_named(office: Office) -> None:
    facts = audit(office, 1)
    names = {
        finding["finding"]: sorted(person["name"] for person in finding["people"])
        for finding in facts["findings"]
    }
    assert facts["people"] == 5
    assert names["same_person"] == ["Jane Doe", "Janet Roe"]
    assert names["wrong_photo"] == ["Otto Sommer", "Petra Winter"]
    table = office.run("gallery", "audit", expect=1).stdout
    assert "one person under two names: 1" in table
    assert f"{facts['actions']} to act on" in table

    for finding in facts["findings"]:
        if finding["action"]:
            program, *arguments = finding["advice"][0].split()
            assert program == "edged"
            office.run(*arguments, "--yes")
    mended = audit(office, 0)
    assert mended["actions"] == 0
    assert mended["people"] == 4


def test_photographs_are_listed_and_the_only_one_stays(office: Office) -> None:
    (photo,) = json.loads(office.run("people", "photos", "Karl Herbst", "--json").stdout)
    refused = office.run("people", "remove-photo", photo["template_id"], "--yes", expect=1)
    assert "edged enrol --add-to" in refused.stderr
    assert "--yes" in office.run("people", "remove-photo", photo["template_id"], expect=2).stderr
