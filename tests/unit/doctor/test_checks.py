"""Each check on a door of its own."""

from dataclasses import dataclass, field
from functools import cached_property

import pytest

from edged.config.sections import (
    DecisionConfig,
    DoorConfig,
    FakeLockConfig,
    GpiodLockConfig,
    LivenessConfig,
    LockConfig,
    SecondFactorConfig,
)
from edged.doctor import checks
from edged.doctor.examination import examine
from edged.doctor.finding import Finding, State
from edged.domain.calibration import CalibrationPoint, MeasuredPoint, Threshold, threshold_for
from edged.domain.capacity import overfull
from edged.domain.gallery import GallerySnapshot, build_snapshot
from edged.domain.people import Person
from edged.domain.risk import Risk, Traffic
from edged.errors import ModelError, StoreError
from edged.storage.people import Contents
from edged.storage.site_calibration import SiteCalibration
from tests.unit.domain.conftest import template

TABLE = (CalibrationPoint(1e-2, 0.24, 10**7), CalibrationPoint(1e-3, 0.33, 10**7))
NO_LOCK, RISK, VISITS = FakeLockConfig(), Risk(1e-2), Traffic(100, 2.0)
STRIKE = GpiodLockConfig(chip="gpiochip0", line=17, active="high", power="fail_secure")


@dataclass
class Pipeline:
    detector_name = embedder_name = "toy"
    space = "toy/1"
    weights: dict[str, str] = field(default_factory=dict)
    restrictions: dict[str, str] = field(default_factory=dict)


@dataclass
class Settings:
    door: DoorConfig
    decision: DecisionConfig
    liveness: LivenessConfig = field(default_factory=LivenessConfig)
    second_factor: SecondFactorConfig = field(default_factory=SecondFactorConfig)


@dataclass
class Calibration:
    table: tuple[MeasuredPoint, ...]
    measured: SiteCalibration | None = None

    def site(self) -> SiteCalibration | None:
        return self.measured

    def points(self) -> tuple[MeasuredPoint, ...]:
        return self.table


@dataclass
class Patient:
    """A door as ``edged.doctor.patient.Patient`` gives it, of made parts."""

    people: int = 3
    without: int = 0
    lock: LockConfig = NO_LOCK
    armed: bool = True
    restrictions: dict[str, str] = field(default_factory=dict)
    table: tuple[MeasuredPoint, ...] = TABLE
    site: SiteCalibration | None = None
    risk: Risk = RISK
    visits: Traffic | StoreError = VISITS

    @property
    def config(self) -> Settings:
        return Settings(DoorConfig(lock=self.lock), DecisionConfig(armed=self.armed))

    @property
    def pipeline(self) -> Pipeline:
        return Pipeline(restrictions=self.restrictions)

    @property
    def contents(self) -> Contents:
        everybody = tuple(Person(f"p-{n}", f"p-{n}") for n in range(self.people + self.without))
        return Contents(7, everybody, tuple(template(f"p-{n}", n) for n in range(self.people)))

    @property
    def snapshot(self) -> GallerySnapshot:
        found = self.contents
        return build_snapshot("toy/1", 8, found.generation, found.people, found.templates)

    @property
    def calibration(self) -> Calibration:
        return Calibration(self.table, self.site)

    @cached_property
    def threshold(self) -> Threshold:
        return threshold_for(self.table, self.people, self.risk)

    @property
    def traffic(self) -> Traffic:
        if isinstance(self.visits, StoreError):
            raise self.visits
        return self.visits


def measured(people: int) -> SiteCalibration:
    return SiteCalibration(
        space="toy/1",
        weights={},
        measured_at="2026-03-02T12:00:00+00:00",
        people=people,
        photographs=people,
        cohort=0,
        genuine=0,
        points=(),
    )


def test_a_door_in_order_has_nothing_to_say_but_figures() -> None:
    findings = examine(Patient(), checks.CHECKS, seconds={})
    assert list(findings) == list(checks.CHECKS)
    assert {found.state for found in findings.values()} == {State.OK}


def test_a_licence_that_forbids_commercial_use_matters_once_there_is_a_door() -> None:
    limits = {"starter": "not for commercial use"}
    assert checks.licence(Patient(restrictions=limits)).state is State.OK
    found = checks.licence(Patient(restrictions=limits, lock=STRIKE))
    assert found.state is State.WARNING
    assert "starter: not for commercial use" in found.detail
    assert checks.licence(Patient(lock=STRIKE)).state is State.OK


@pytest.mark.parametrize(
    ("people", "without", "told"),
    [(0, 0, "edged enrol"), (2, 1, "1 of 3 people have no template of this model")],
)
def test_people_who_cannot_be_recognised_are_told_of(people: int, without: int, told: str) -> None:
    found = checks.gallery(Patient(people=people, without=without))
    assert found.state is State.WARNING
    assert told in found.detail
    assert found.facts["without_photograph"] == without


def test_the_table_says_for_how_many_people_it_is_good() -> None:
    most = checks.calibration(Patient()).facts["most_people"]
    assert threshold_for(TABLE, most, Risk(1e-2)).cosine is not None
    assert threshold_for(TABLE, most + 1, Risk(1e-2)).cosine is None
    assert checks.calibration(Patient(table=())).state is State.FAILED


def test_more_people_than_the_table_carries_are_told_of() -> None:
    shallow = (CalibrationPoint(5e-3, 0.3, 10**8),)
    most = int(str(checks.calibration(Patient(table=shallow)).facts["most_people"]))
    full = checks.calibration(Patient(people=most + 1, table=shallow))
    assert full.state is State.WARNING
    assert f"{most + 1:,} people are enrolled" in full.detail
    assert not overfull(shallow, most, Patient(table=shallow).risk)


def test_a_site_that_has_outgrown_its_measurement_should_be_measured_again() -> None:
    assert checks.calibration(Patient(people=3, site=measured(2))).state is State.OK
    grown = checks.calibration(Patient(people=4, site=measured(2)))
    assert grown.state is State.WARNING
    assert "edged calibrate" in grown.detail


def test_what_cannot_be_claimed_fails_and_disarms() -> None:
    beyond = Patient(risk=Risk(1e-5))
    assert checks.threshold(beyond).state is State.FAILED
    assert "not enough comparisons for this claim" in checks.threshold(beyond).detail
    assert checks.armed(beyond).state is State.FAILED
    assert checks.false_accepts(beyond).detail.startswith("none")


def test_a_door_that_is_disarmed_on_purpose_is_no_fault() -> None:
    assert checks.armed(Patient(armed=False)).state is State.WARNING


def test_false_accepts_are_told_for_the_visits_there_are() -> None:
    found = checks.false_accepts(Patient(visits=Traffic(100, 2.0)))
    assert found.facts["visits_a_day"] == 50
    assert found.facts["expected_a_year"] == pytest.approx(Patient().threshold.fpir * 50 * 365.25)
    assert checks.false_accepts(Patient(visits=StoreError("no journal"))).state is State.WARNING


def test_a_check_that_cannot_look_has_failed_and_the_others_go_on() -> None:
    def broken(patient: object) -> Finding:
        raise ModelError("pack gone\nfor good")

    findings = examine(Patient(), {"broken": broken, "armed": checks.armed}, seconds={})
    assert findings["broken"] == Finding(State.FAILED, "pack gone for good")
    assert findings["armed"].state is State.OK
