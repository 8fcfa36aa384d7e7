"""What was measured at a door is read back as it was, for the models that were measured, or not at all."""

import json
import stat
from pathlib import Path

import msgspec
import pytest

from edged.config.sections import GalleryConfig
from edged.domain.calibration import CalibrationPoint, threshold_for
from edged.domain.risk import Risk
from edged.errors import StoreCorruptError, StoreError
from edged.storage.site_calibration import (
    DoorCalibration,
    SiteCalibration,
    SitePoint,
    calibration_path,
    read_site,
    write_site,
)

TABLE = (CalibrationPoint(9e-3, 0.24, 10**7), CalibrationPoint(9e-4, 0.33, 10**7))
WEIGHTS = {"detector": "d" * 64, "embedder": "e" * 64}
POINTS = (
    SitePoint(bound=1e-2, threshold=0.27, comparisons=40_000, errors=350, fnmr=0.01),
    SitePoint(bound=1e-3, threshold=0.42, comparisons=40_000, errors=31, fnmr=0.02),
)
MEASURED = SiteCalibration(
    space="toy/1",
    weights=WEIGHTS,
    measured_at="2026-03-02T12:00:00+00:00",
    people=20,
    photographs=60,
    cohort=2000,
    genuine=60,
    points=POINTS,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return calibration_path(GalleryConfig(path=tmp_path / "var" / "people.db"))


def door(path: Path, *, space: str = "toy/1", weights: dict[str, str] | None = None) -> DoorCalibration:
    return DoorCalibration(TABLE, path, space=space, weights=WEIGHTS if weights is None else weights)


def test_it_lies_beside_the_gallery_for_its_owner_alone(path: Path) -> None:
    write_site(path, MEASURED)
    assert path.parent.name == "var"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_site(path) == MEASURED
    assert "vector" not in path.read_text()


def test_nothing_measured_is_the_packs_own_table(path: Path) -> None:
    assert read_site(path) is None
    assert door(path).site() is None
    assert door(path).points() == TABLE
    assert door(path).identity() is None


def test_what_was_measured_raises_the_packs_table(path: Path) -> None:
    before = threshold_for(door(path).points(), 1, Risk(5e-3)).cosine
    write_site(path, MEASURED)
    after = threshold_for(door(path).points(), 1, Risk(5e-3)).cosine
    assert before is not None
    assert after is not None
    # Of the two rates the stricter one was raised by more.
    assert 0.08 < after - before < 0.1


def test_a_new_measurement_has_another_identity(path: Path) -> None:
    write_site(path, MEASURED)
    first = door(path).identity()
    write_site(path, msgspec.structs.replace(MEASURED, people=21))
    assert door(path).identity() != first


@pytest.mark.parametrize(
    "other",
    [
        {"space": "toy/2"},
        {"weights": {**WEIGHTS, "embedder": "f" * 64}},
        {"weights": {**WEIGHTS, "detector": "f" * 64}},
    ],
)
def test_what_was_measured_with_other_models_is_refused(path: Path, other: dict[str, object]) -> None:
    write_site(path, MEASURED)
    with pytest.raises(StoreError, match=r"measured with other models.*edged calibrate"):
        door(path, **other).points()


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text.replace("0.42", "0.12"),
        lambda text: text.replace('"schema": 1', '"schema": 2'),
        lambda text: text.replace('"people"', '"poeple"'),
        lambda text: text.replace('"errors": 31', '"errors": -1'),
        lambda text: text[: len(text) // 2],
        lambda _text: "",
        lambda _text: json.dumps([1]),
    ],
)
def test_a_damaged_file_is_refused(path: Path, damage: object) -> None:
    write_site(path, MEASURED)
    path.write_text(damage(path.read_text()))
    with pytest.raises(StoreCorruptError, match="edged calibrate"):
        door(path).points()


def test_a_file_that_cannot_be_read_is_refused(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(StoreError, match="cannot be read"):
        door(path).points()
