"""``edged calibrate`` and ``edged doctor`` on the starter pack, with a real gallery and a real journal."""

import hashlib
import json
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
import yaml
from typer.testing import CliRunner

from edged.cli import calibrate, doctor
from edged.config import load
from edged.config.sections import JournalConfig
from edged.demo.bundled import bundled_cast
from edged.doctor.checks import CHECKS
from edged.enrolment.entries import Entry
from edged.enrolment.opening import open_enrolment
from edged.enrolment.service import Policy
from edged.enrolment.sources import FilePhoto
from edged.errors import EdgedError, EvaluationError
from edged.storage.journal import Journal
from edged.vision.cohort import quantized
from edged.vision.packs import DESCRIPTOR, shipped_directory
from tests.integration.storage.conftest import event

STRANGERS = 600
RISK_CHECKS = [word for name in CHECKS for word in ("--only", name)]
CONFIG = """
site: test
door_id: front
camera: {source: {type: folder, path: scene}}
door: {lock: {driver: fake}}
models: {directory: models, detector: starter, embedder: trial, threads: 1}
gallery: {path: people.db, key_file: vault.key}
journal: {path: journal.db}
mqtt: {enabled: false}
"""


class Office:
    """A folder with a configuration, in which commands are run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.site = folder / "people.calibration.json"
        self.app = typer.Typer()
        self.app.command("calibrate")(calibrate.calibrate)
        self.app.command("doctor")(doctor.doctor)
        self.configure("")

    def configure(self, more: str) -> None:
        (self.folder / "config.yaml").write_text(CONFIG + more)

    def run(self, *arguments: str, expect: int = 0) -> str:
        config = ("--config", str(self.folder / "config.yaml"))
        result = CliRunner().invoke(self.app, [*arguments, *config])
        if isinstance(result.exception, EdgedError):
            raise result.exception
        assert result.exit_code == expect, result.output
        return result.stdout

    def doctor(self, expect: int = 0) -> dict[str, Any]:
        report = json.loads(self.run("doctor", *RISK_CHECKS, "--json", expect=expect))
        assert report["ok"] == (expect == 0)
        return {row["check"]: row for row in report["checks"]}


def pack_with_cohort(models: Path) -> None:
    """The starter pack under another name, with strangers made of noise."""
    shutil.copytree(shipped_directory() / "starter", models / "trial")
    path = models / "trial" / DESCRIPTOR
    document = yaml.safe_load(path.read_bytes())
    embedder = next(model for model in document["models"] if model["task"] == "embedder")
    noise = np.random.default_rng(5).normal(size=(STRANGERS, embedder["dimension"]))
    np.save(models / "trial" / "cohort.npy", quantized(noise.astype(np.float32)))
    data = (models / "trial" / "cohort.npy").read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    embedder["cohort"] = {"name": "cohort.npy", "sha256": digest, "size": len(data), "people": STRANGERS}
    path.write_text(yaml.safe_dump(document | {"name": "trial"}))


@pytest.fixture(scope="module")
def enrolled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An office in which the demo's people are enrolled."""
    folder = tmp_path_factory.mktemp("office")
    (folder / "models").mkdir()
    pack_with_cohort(folder / "models")
    (folder / "config.yaml").write_text(CONFIG)
    config = load(folder / "config.yaml")
    people = bundled_cast()[0]
    entries = [Entry(name, tuple(map(FilePhoto, photos[:3]))) for name, photos in people.items()]
    with open_enrolment(config.models, config.quality, config.gallery, Policy()) as tools:
        assert all(report.person_id for report in tools.enrolment.run(entries))
    return folder


@pytest.fixture
def office(enrolled: Path, tmp_path: Path) -> Office:
    shutil.copytree(enrolled, tmp_path / "office", ignore=shutil.ignore_patterns("*.lock"))
    return Office(tmp_path / "office")


def test_a_door_that_was_not_measured_stands_on_the_packs_table(office: Office) -> None:
    found = office.doctor()
    people = len(bundled_cast()[0])
    assert found["gallery"]["facts"]["people"] == people
    assert found["calibration"]["facts"]["most_people"] >= people
    assert found["threshold"]["facts"]["people"] == people
    assert 0 < found["threshold"]["facts"]["fpir"] <= 1e-3 * 1.001
    assert found["licence"]["facts"] == {"not_commercial": ["starter", "trial"]}
    assert found["armed"]["state"] == "ok"
    # Nothing was recorded yet, so nothing is made up.
    assert found["false accepts"]["state"] == "warning"
    assert found["false accepts"]["facts"]["expected_a_year"] is None


def test_measuring_keeps_rates_and_no_faces(office: Office) -> None:
    before = office.doctor()["threshold"]["facts"]["cosine"]
    report = json.loads(office.run("calibrate", "--json"))
    people = len(bundled_cast()[0])
    site = report["site"]
    assert (site["people"], site["photographs"], site["cohort"]) == (people, 3 * people, STRANGERS)
    assert site["genuine"] == 3 * people
    comparisons = people * STRANGERS + 3 * people * (people - 1)
    assert {point["comparisons"] for point in site["points"]} == {comparisons}
    # The rule of three: no rate is claimed below it.
    assert min(point["bound"] for point in site["points"]) >= 3 / comparisons
    assert report["file"] == str(office.site)
    kept = office.site.read_text()
    assert json.loads(kept)["measured"] == site
    assert not any(name.split()[0] in kept for name in bundled_cast()[0])
    assert max(len(row) for row in kept.splitlines()) < 200  # no vectors
    after = office.doctor()
    assert after["calibration"]["facts"]["measured_at"] == site["measured_at"]
    assert after["threshold"]["facts"]["cosine"] == report["threshold"] >= before


def test_a_rehearsal_keeps_nothing(office: Office) -> None:
    told = office.run("calibrate", "--dry-run")
    assert "comparisons" in told
    assert "Nothing was kept." in told
    assert not office.site.exists()


def test_a_damaged_measurement_lets_nobody_in(office: Office) -> None:
    office.run("calibrate")
    office.site.write_text(office.site.read_text().replace("threshold", "treshold", 1))
    found = office.doctor(expect=1)
    assert {name for name, row in found.items() if row["state"] == "failed"} == {
        "calibration", "threshold", "false accepts", "armed",
    }  # fmt: skip
    assert "edged calibrate" in found["armed"]["detail"]


def test_a_claim_that_the_data_cannot_carry_is_refused(office: Office) -> None:
    office.configure("security: {level: most_secure, frames_per_visit: 100}")
    found = office.doctor(expect=1)
    assert "not enough comparisons for this claim" in found["threshold"]["detail"]
    assert found["armed"]["state"] == "failed"
    assert found["models"]["state"] == "ok"
    assert "failed" in office.run("doctor", *RISK_CHECKS, expect=1)


def test_expected_false_accepts_are_of_the_visits_that_the_journal_counted(office: Office) -> None:
    now = time.time()
    journal = Journal.open(JournalConfig(path=office.folder / "journal.db"), deliver=False)
    try:
        days = [replace(event(number), occurred_at=now - number * 3600) for number in range(49)]
        journal.submit(days[::-1]).result(60)
    finally:
        journal.close()
    found = office.doctor()
    facts = found["false accepts"]["facts"]
    assert facts["visits_a_day"] == pytest.approx(49 / 2, rel=0.01)
    expected = found["threshold"]["facts"]["fpir"] * facts["visits_a_day"] * 365.25
    assert facts["expected_a_year"] == pytest.approx(expected)


def test_an_empty_gallery_cannot_be_measured(office: Office) -> None:
    (office.folder / "people.db").unlink()
    assert office.doctor()["gallery"]["state"] == "warning"
    with pytest.raises(EvaluationError, match="nobody is enrolled"):
        office.run("calibrate")


def test_models_that_are_not_there_fail_every_check_that_needs_them(office: Office) -> None:
    shutil.rmtree(office.folder / "models" / "trial")
    found = office.doctor(expect=1)
    assert "no model pack 'trial'" in found["models"]["detail"]
    assert found["threshold"]["state"] == "failed"
