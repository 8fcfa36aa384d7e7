"""Who would be asked for a second factor and has none."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from edged.config.sections import AccessConfig, DecisionConfig, SecondFactorConfig
from edged.doctor import second_factors as module
from edged.doctor.finding import State
from edged.doctor.second_factors import second_factors
from edged.domain import gallery
from edged.domain.calibration import CalibrationPoint, Threshold, threshold_for
from edged.domain.gallery import GallerySnapshot, build_snapshot
from edged.domain.people import Consent, Person
from edged.domain.risk import Risk
from edged.domain.second_factor import FactorKind
from edged.errors import StoreError
from tests.unit.domain.conftest import NOON, template

TABLE = tuple(CalibrationPoint(10.0**-n, 0.11 + 0.065 * n, 10**9) for n in range(2, 7))
PIN, BADGE = frozenset({FactorKind.PIN}), frozenset({FactorKind.BADGE})
RISK = Risk(1e-3)
PEOPLE = tuple(Person(f"p-{n}", f"Person {n}") for n in range(4))


@dataclass
class Patient:
    """A door as ``edged.doctor.patient.Patient`` gives it, of made parts."""

    ask: tuple[str, ...] = ("always",)
    accept: tuple[str, ...] = ("pin", "badge")
    people: tuple[Person, ...] = PEOPLE
    factor_kinds: Mapping[str, frozenset[FactorKind]] = field(default_factory=dict)
    access: AccessConfig = field(default_factory=AccessConfig)
    risk: Risk = RISK
    alike: bool = False
    key: Path | None = None
    now: float = NOON.timestamp()

    @property
    def config(self) -> SimpleNamespace:
        factor = SecondFactorConfig(
            enabled=bool(self.ask), ask=self.ask, accept=self.accept, mqtt_key_file=self.key
        )  # type: ignore[arg-type]
        return SimpleNamespace(second_factor=factor, access=self.access, decision=DecisionConfig())

    @property
    def snapshot(self) -> GallerySnapshot:
        templates = [template(one.person_id, n) for n, one in enumerate(self.people)]
        if self.alike:  # the second looks like the first
            both = (templates[0].vector + 0.5 * templates[1].vector) / 1.25**0.5
            templates[1] = replace(templates[1], vector=both)
        return build_snapshot("toy/1", 8, 1, self.people, templates)

    @property
    def calibration(self) -> SimpleNamespace:
        return SimpleNamespace(points=lambda: TABLE)

    @property
    def threshold(self) -> Threshold:
        return threshold_for(TABLE, len(self.people), self.risk)


def pins(*numbers: int) -> dict[str, frozenset[FactorKind]]:
    return {f"p-{number}": PIN for number in numbers}


def check(**parts: object) -> tuple[State, int, int]:
    found = second_factors(Patient(**parts))  # type: ignore[arg-type]
    assert "Person" not in found.detail
    return found.state, int(str(found.facts["without"])), int(str(found.facts["can_never_enter"]))


def test_where_nobody_is_asked_nobody_needs_one() -> None:
    assert second_factors(Patient(ask=())).state is State.OK


@pytest.mark.parametrize(
    ("has", "told"),
    [
        (pins(0, 1, 2, 3), (State.OK, 0, 0)),
        (pins(0, 1), (State.WARNING, 2, 2)),
        ({}, (State.FAILED, 4, 4)),
    ],
)
def test_where_everybody_is_asked_who_has_none_can_never_enter(
    has: dict[str, frozenset[FactorKind]], told: tuple[State, int, int]
) -> None:
    assert check(factor_kinds=has) == told


def test_what_this_door_does_not_accept_is_none() -> None:
    assert check(factor_kinds=dict.fromkeys(pins(0, 1, 2, 3), BADGE), accept=("pin",)) == (State.FAILED, 4, 4)


def test_above_the_budget_everybody_is_asked_and_below_it_nobody() -> None:
    beyond = Risk(2e-6, second_factor=True)
    assert threshold_for(TABLE, 4, beyond).second_factor
    assert check(ask=("risk",), risk=beyond) == (State.FAILED, 4, 4)
    assert check(ask=("risk",)) == (State.OK, 4, 0)


def test_look_alikes_are_asked_at_every_visit_others_are_not() -> None:
    assert check(ask=("lookalike",), alike=True, factor_kinds=pins(0)) == (State.WARNING, 3, 1)
    assert check(ask=("lookalike",), factor_kinds=pins(0)) == (State.OK, 3, 0)
    assert check(ask=("liveness",)) == (State.OK, 4, 0)


def test_in_a_large_gallery_those_without_one_are_held_against_everybody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_ALL_PAIRS", 3)
    monkeypatch.setattr(gallery, "ON_DEMAND_FROM", 1)
    alike = {"ask": ("lookalike",), "alike": True}
    assert check(**alike, factor_kinds=pins(0)) == (State.WARNING, 3, 1)
    assert check(**alike, factor_kinds=pins(2, 3)) == (State.WARNING, 2, 2)
    assert check(**alike, factor_kinds=pins(0, 1)) == (State.OK, 2, 0)
    assert check(ask=("lookalike",), factor_kinds=pins(0)) == (State.OK, 3, 0)
    monkeypatch.setattr(module, "_MOST_SEARCHED", 1)
    found = second_factors(Patient(**alike))  # type: ignore[arg-type]
    assert found.detail.startswith("at least 1 of 4 people are asked at every visit")
    assert found.facts["asked_at_every_visit"] is None
    found = second_factors(Patient(**alike, factor_kinds=pins(0, 1)))  # type: ignore[arg-type]
    assert found.detail.endswith("; only the first 1 of these were held against everybody")


@pytest.mark.parametrize(
    "absent",
    [
        replace(PEOPLE[3], enabled=False),
        replace(PEOPLE[3], valid_until=NOON),
        replace(PEOPLE[3], consent=Consent(NOON - timedelta(days=9), "consent", "1", until=NOON)),
    ],
)
def test_who_may_not_enter_any_more_needs_none(absent: Person) -> None:
    assert check(people=(*PEOPLE[:3], absent), factor_kinds=pins(0, 1, 2)) == (State.OK, 0, 0)


def test_who_may_enter_later_and_whose_group_has_a_schedule_needs_one() -> None:
    access = AccessConfig(groups={"staff": []})
    late = replace(
        PEOPLE[3], groups=frozenset({"staff"}), valid_from=datetime.now(UTC) + timedelta(days=9000)
    )
    assert check(people=(*PEOPLE[:3], late), access=access, factor_kinds=pins(0, 1, 2)) == (
        State.FAILED,
        1,
        1,
    )


def test_a_key_for_mqtt_that_cannot_be_used_fails(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="second-factor key"):
        second_factors(Patient(key=tmp_path / "none.key"))  # type: ignore[arg-type]
