"""The commands as an operator runs them, on real models and photographs."""

import csv
import json
import os
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from edged.demo.bundled import bundled_cast
from tests.e2e.door import edged
from tests.fakes.file_server import FileServer, file, status

PEOPLE = len(bundled_cast()[0])
CONFIG = """
site: test
door_id: front
camera: {source: {type: folder, path: scene}}
door: {lock: {driver: fake}}
gallery: {path: people.db, key_file: vault.key}
access:
  time_zone: Europe/Paris
  schedules: {always: [{days: [mon], from: "08:00", to: "18:00"}]}
  groups: {staff: [always]}
"""

pytestmark = pytest.mark.timeout(300)

Cast = dict[str, list[Path]]


@pytest.fixture(scope="module")
def cast() -> Cast:
    """The demo's people, five photographs each, as folders would name them."""
    return {name.replace(" ", "_"): photos for name, photos in bundled_cast()[0].items()}


@pytest.fixture(scope="module")
def strangers() -> list[Path]:
    return [photo for photos in bundled_cast()[1] for photo in photos]


class Office:
    """A folder with a configuration, in which commands are run."""

    def __init__(self, folder: Path, models: str = "") -> None:
        self.folder = folder
        (folder / "config.yaml").write_text(CONFIG + models)

    def run(self, *arguments: object, expect: int = 0) -> subprocess.CompletedProcess[str]:
        done = edged(*arguments, cwd=self.folder, check=False)
        assert done.returncode == expect, f"{arguments}: {done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done

    def lines(self, *arguments: object, expect: int = 0) -> list[dict[str, Any]]:
        done = self.run(*arguments, "--json", expect=expect)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def people(self) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = json.loads(self.run("people", "list", "--json").stdout)
        return listed

    def lay_out(self, cast: Cast, start: int, stop: int) -> Path:
        """Write photographs ``start`` to ``stop`` of each person into folders."""
        root = self.folder / f"photos-{start}-{stop}"
        for name, photos in cast.items():
            (root / name).mkdir(parents=True)
            for photo in photos[start:stop]:
                shutil.copy(photo, root / name)
        return root


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


@pytest.fixture(scope="module")
def enrolled(tmp_path_factory: pytest.TempPathFactory, cast: Cast) -> Office:
    """Everybody enrolled from two photographs each; a test that uses it leaves the gallery as it is."""
    built = Office(tmp_path_factory.mktemp("office"))
    built.run("enrol", "--folder", built.lay_out(cast, 0, 2), "--largest-face")
    return built


@pytest.fixture
def server() -> Iterator[FileServer]:
    with FileServer() as running:
        yield running


def test_everybody_of_a_folder_is_enrolled_and_no_picture_is_kept(enrolled: Office, cast: Cast) -> None:
    people = enrolled.people()
    assert {person["name"].replace(" ", "_") for person in people} == set(cast)
    assert all(sum(person["templates"].values()) >= 1 for person in people)
    stored = b"".join(path.read_bytes() for path in enrolled.folder.glob("people.db*"))
    assert b"JFIF" not in stored
    assert not [name for name in cast if name.replace("_", " ").encode() in stored]


def test_the_same_people_under_other_names_are_stopped_and_named(enrolled: Office, cast: Cast) -> None:
    others = {f"Visitor {number} Nobody": photos for number, photos in enumerate(cast.values())}
    root = enrolled.lay_out(others, 2, 4)
    reports = enrolled.lines("enrol", "--folder", root, "--largest-face", "--dry-run", expect=1)
    stopped = {report["name"]: report for report in reports if report["reason"] == "similar_face"}
    assert len(stopped) >= PEOPLE - 1
    for number, name in enumerate(cast):
        if (report := stopped.get(f"Visitor {number} Nobody")) is not None:
            assert name.replace("_", " ") in report["text"]
    assert len(enrolled.people()) == PEOPLE


def test_the_same_folder_again_enrols_nobody_twice(enrolled: Office, cast: Cast) -> None:
    reports = enrolled.lines("enrol", "--folder", enrolled.folder / "photos-0-2", expect=1)
    assert {report["reason"] for report in reports} == {"already_enrolled"}
    assert len(enrolled.people()) == PEOPLE


def test_other_photographs_are_identified_and_strangers_are_not(
    enrolled: Office, cast: Cast, strangers: list[Path]
) -> None:
    known = {str(photos[3]): name.replace("_", " ") for name, photos in cast.items()}
    answers = edged("identify", *known, *strangers, "--json", cwd=enrolled.folder, check=False).stdout
    named: dict[str, set[str]] = defaultdict(set)
    for line in answers.splitlines():
        answer = json.loads(line)
        if answer["name"]:
            named[answer["photo"]].add(answer["name"])
    assert all(named[path] <= {name} for path, name in known.items())
    assert sum(named[path] == {name} for path, name in known.items()) >= PEOPLE - 2
    assert not any(named[str(path)] for path in strangers)


def test_identify_prints_a_line_for_a_person_and_says_what_it_could_not_read(
    enrolled: Office, cast: Cast
) -> None:
    name, photos = next(iter(cast.items()))
    done = enrolled.run("identify", photos[0], "missing.jpg", expect=1)
    assert name.replace("_", " ") in done.stdout.splitlines()[0]
    assert ", quality " in done.stdout.splitlines()[0]
    assert "not_found" in done.stdout
    assert "threshold" in done.stderr
    assert "people are enrolled" not in done.stderr


def test_identify_warns_where_the_calibration_carries_fewer_people(
    enrolled: Office, cast: Cast, tmp_path: Path
) -> None:
    strict = tmp_path / "strict.yaml"
    text = (enrolled.folder / "config.yaml").read_text()
    strict.write_text(
        text.replace("people.db", str(enrolled.folder / "people.db")).replace(
            "vault.key", str(enrolled.folder / "vault.key")
        )
        + "security: {level: most_secure}\n"
    )
    photo = next(iter(cast.values()))[0]
    done = enrolled.run("identify", photo, "--config", strict)
    assert f"{PEOPLE} people are enrolled, and the calibration carries the stated risk for 0" in done.stderr
    assert "unknown" in done.stdout


def test_enrolment_tells_the_quality_of_what_it_accepted(office: Office, cast: Cast) -> None:
    photos = next(iter(cast.values()))[:2]
    told = office.run("enrol", "Ada Example", *photos).stdout
    assert f"accepted  {photos[0]}: quality " in told
    (report,) = office.lines("enrol", "Ben Example", *next(iter(list(cast.values())[1:]))[:2])
    assert all(0.5 < photo["quality"] <= 1 for photo in report["photos"])
    assert {"flaw"} <= set(report["photos"][0])


def test_a_table_with_broken_links_enrols_the_rest(office: Office, cast: Cast, server: FileServer) -> None:
    good, linked, torn, gone, late = list(cast.values())[:5]
    server.routes = {
        "/linked.jpg": file(linked[0].read_bytes()),
        "/gone.jpg": status(404),
    }
    shutil.copy(good[0], office.folder / "good.jpg")
    (office.folder / "torn.jpg").write_bytes(torn[0].read_bytes()[:2000])
    table = office.folder / "people.csv"
    with table.open("w", newline="") as stream:
        csv.writer(stream).writerows(
            [
                ["Timestamp", "Full name", "Photos", "group", "valid_until"],
                ["1", "Good Person", "good.jpg, nowhere.jpg", "staff", "2031-12-31"],
                ["2", "Linked Person", f"{server.url}/linked.jpg", "", ""],
                ["3", "Torn Person", "torn.jpg", "", ""],
                ["4", "Gone Person", f"{server.url}/gone.jpg", "", ""],
                ["5", "Grouped Person", str(gone[0]), "stuff", ""],
                ["6", "Late Person", str(late[0]), "", "tomorrow"],
            ]
        )
    columns = (
        "--name-column", "full name", "--photo-column", "photos", "--group-column", "group",
        "--valid-until-column", "valid_until",
    )  # fmt: skip
    done = office.run(
        "enrol", "--table", "people.csv", *columns, "--largest-face", "--report", "report.csv", expect=1
    )
    assert "2 enrolled, 4 refused" in done.stdout
    with (office.folder / "report.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    reasons = {(row["person"].split()[0], row["reason"]) for row in rows if row["reason"]}
    assert reasons == {
        ("Good", "not_found"),
        ("Torn", "no_usable_photo"), ("Torn", "unreadable"),
        ("Gone", "no_usable_photo"), ("Gone", "not_fetched"),
        ("Grouped", "unknown_group"),
        ("Late", "bad_date"),
    }  # fmt: skip
    good_person = json.loads(office.run("people", "show", "Good Person", "--json").stdout)
    assert good_person["groups"] == ["staff"]
    until = datetime.fromisoformat(good_person["valid_until"])
    assert until == datetime(2032, 1, 1, tzinfo=ZoneInfo("Europe/Paris"))


def test_a_person_is_enrolled_extended_renamed_disabled_and_forgotten(office: Office, cast: Cast) -> None:
    (photos, others) = list(cast.values())[:2]
    consent = ("--consent-basis", "consent", "--consent-policy", "v2", "--consent-until", "2031-01-31")
    (report,) = office.lines("enrol", "Jane Doe", photos[0], "--largest-face", *consent)
    jane = report["person_id"]
    (report,) = office.lines(
        "enrol", "--add-to", "jane doe", photos[0], photos[1], others[0], "--largest-face"
    )
    assert [one["reason"] for one in report["photos"]] == ["duplicate_photo", None, "inconsistent"]
    office.run("people", "rename", jane, "Jane Roe")
    office.run("people", "disable", "Jane Roe")
    facts = json.loads(office.run("people", "show", jane, "--json").stdout)
    assert (facts["name"], facts["enabled"]) == ("Jane Roe", False)
    assert facts["consent"]["policy_version"] == "v2"
    assert "disabled" in office.run("people", "list").stdout
    office.run("people", "enable", jane)
    assert "--yes" in office.run("people", "forget", "Jane Roe", expect=2).stderr
    assert "2 photographs" in office.run("people", "forget", "Jane Roe", "--yes").stdout
    assert office.people() == []
    assert "nobody is called" in office.run("people", "show", "Jane Roe", expect=1).stderr


def test_two_records_are_merged_only_if_they_look_alike(office: Office, cast: Cast) -> None:
    one, other = list(cast.values())[:2]
    office.run("enrol", "J. Doe", one[0], "--largest-face")
    office.run("enrol", "Jane Roe", one[1], "--largest-face", "--allow-similar")
    office.run("enrol", "Petra Winter", other[0], "--largest-face")
    assert (
        "do not look like"
        in office.run("people", "merge", "Petra Winter", "J. Doe", "--yes", expect=1).stderr
    )
    office.run("people", "merge", "J. Doe", "Jane Roe", "--yes")
    assert [person["name"] for person in office.people()] == ["Jane Roe", "Petra Winter"]


def test_the_camera_without_a_willing_person_enrols_nobody(office: Office, cast: Cast) -> None:
    (office.folder / "scene").mkdir()
    for number, photo in enumerate(next(iter(cast.values()))[:2]):
        shutil.copy(photo, office.folder / "scene" / f"{number}.jpg")
    done = office.run("enrol", "Jane Doe", "--camera", expect=1)
    assert "of 5 good frames" in done.stderr
    assert office.people() == []


@pytest.mark.weights
def test_somebody_who_turns_as_asked_is_enrolled_at_the_camera(
    tmp_path: Path, photos_dir: Path, weights_dir: Path
) -> None:
    office = Office(tmp_path, "models: {directory: models, detector: yunet, embedder: arcface-y1}\n")
    office.run("models", "import", weights_dir, "--directory", "models")
    most = max((photos_dir / "images").iterdir(), key=lambda folder: len(list(folder.iterdir())))
    (office.folder / "scene").symlink_to(most)
    done = office.run("enrol", "Jane Doe", "--camera", "--largest-face")
    assert "5 of 5 photographs" in done.stdout
    assert "turn a little to the left" in done.stderr
    assert list(office.people()[0]["templates"].values()) == [5]


def test_a_folder_whose_name_is_no_text_is_told_and_the_others_go_on(tmp_path: Path) -> None:
    people = tmp_path / "people"
    (people / os.fsdecode(b"\xff\xfe")).mkdir(parents=True)
    (people / os.fsdecode(b"\xff\xfe") / "1.jpg").write_bytes(b"no picture")
    config = tmp_path / "config.yaml"
    config.write_text(
        "site: hq\ndoor_id: front\ncamera: {source: {type: folder, path: people}}\n"
        "door: {lock: {driver: fake}}\ngallery: {path: people.db, key_file: vault.key}\n"
    )
    argv = ["enrol", "--folder", str(people), "--config", str(config), "--json"]
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8:strict"}
    done = subprocess.run(
        [sys.executable, "-m", "edged", *argv], capture_output=True, env=environment, check=False
    )
    assert done.returncode == 1
    told = json.loads(done.stdout.splitlines()[0])
    assert (told["name"], told["reason"]) == ("\udcff\udcfe", "bad_name")
    assert b"Traceback" not in done.stderr
