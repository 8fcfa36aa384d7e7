"""``edged eval detection`` with two real detectors."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from edged.cli import eval as evaluation
from edged.domain.types import Image

pytestmark = pytest.mark.weights


@pytest.fixture
def folder(photographs: list[Image], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Twelve photographs, and two grey pictures as faceless ones."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EDGED_CONFIG", raising=False)
    for part, pictures in (("faces", photographs[:12]), ("empty", [np.full((90, 90, 3), 99, np.uint8)] * 2)):
        (tmp_path / part).mkdir()
        for index, picture in enumerate(pictures):
            cv2.imwrite(str(tmp_path / part / f"{index}.png"), picture)
    return tmp_path


def run(folder: Path, packs_dir: Path, *arguments: str) -> str:
    asked = ["detection", "--images", str(folder / "faces"), "--models", str(packs_dir), *arguments]
    result = CliRunner().invoke(evaluation.app, asked, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_two_good_detectors_agree(folder: Path, packs_dir: Path) -> None:
    report = json.loads(
        run(
            folder, packs_dir, "--detector", "scrfd-500m", "--reference", "yunet", "--generated", "6",
            "--faceless", str(folder / "empty"), "--json",
        )
    )  # fmt: skip
    assert report["photographs"] == 12
    assert report["findings"]["photograph"]["found"] == 12
    assert report["findings"]["40 px"]["found"] >= 11
    # The two disagree about where an eye is by 8 % of the eye distance.
    assert 5 < report["findings"]["photograph"]["landmark_error"] < 11
    assert report["false_alarms"]["folder"] == {"pictures": 2, "alarmed": 0, "faces": 0}
    assert sum(one["faces"] for one in report["false_alarms"].values()) <= 1


def test_table_names_every_condition(folder: Path, packs_dir: Path) -> None:
    shown = run(
        folder, packs_dir, "--detector", "yunet", "--reference", "yunet", "--generated", "0", "--limit", "3"
    )
    for condition in ("photograph", "40 px", "dark", "mask", "beside"):
        assert condition in shown
    assert "100.00" in shown


def test_only_the_listed_people_are_shown(folder: Path, packs_dir: Path, photos_dir: Path) -> None:
    people = sorted((photos_dir / "images").iterdir())[:2]
    listed = folder / "people.txt"
    listed.write_text("".join(f"{one.name}\n" for one in people))
    asked = ["detection", "--images", str(photos_dir / "images"), "--people", str(listed), "--json"]
    asked += ["--models", str(packs_dir), "--detector", "yunet", "--reference", "yunet", "--generated", "0"]
    result = CliRunner().invoke(evaluation.app, asked, catch_exceptions=False)
    assert json.loads(result.stdout)["photographs"] == sum(len(list(one.glob("*.jpg"))) for one in people)
