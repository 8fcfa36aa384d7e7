"""The gallery in memory follows the store, whole or not at all."""

import logging
import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from edged.domain import gallery
from edged.domain.calibration import CalibrationPoint
from edged.domain.matching import best_match
from edged.domain.people import Person, Template, Veto
from edged.domain.risk import Risk, Traffic
from edged.errors import StoreError
from edged.metrics import Metrics
from edged.workers import gallery_sync
from edged.workers.gallery_sync import GalleryState, GallerySyncWorker
from tests.unit.domain.conftest import template

T = TypeVar("T")
TABLE = tuple(CalibrationPoint(10.0**-n, 0.11 + 0.065 * n, 10**9) for n in range(2, 7))
RISK = Risk(1e-3)


class FakeCalibration:
    """A table that may be replaced, or become unreadable."""

    def __init__(self) -> None:
        self.table: tuple[CalibrationPoint, ...] = TABLE
        self.version = 0
        self.broken: Exception | None = None

    def replace(self, table: tuple[CalibrationPoint, ...], broken: Exception | None = None) -> None:
        self.table, self.broken = table, broken
        self.version += 1

    def identity(self) -> tuple[int, ...] | None:
        return (self.version,)

    def points(self) -> tuple[CalibrationPoint, ...]:
        if self.broken:
            raise self.broken
        return self.table


class FakePeople:
    """A store in memory: every change raises the generation."""

    def __init__(self) -> None:
        self.rows: list[tuple[Person, Template]] = []
        self.number = 0
        self.broken: Exception | None = None
        self.refused: list[Veto] = []
        self.unreadable = False

    def add(self, person_id: str, axis: int) -> None:
        self.rows.append((Person(person_id, person_id), template(person_id, axis)))
        self.number += 1

    def generation(self) -> int:
        if self.broken:
            raise self.broken
        return self.number

    def identity(self) -> tuple[int, ...] | None:
        return None

    def people(self) -> list[Person]:
        return [person for person, _ in self.rows]

    def read_templates(self, space: str, use: Callable[[Iterable[Template]], T]) -> T:
        return use(row for _, row in self.rows if row.space == space)

    def templates_of(self, person_ids: Sequence[str], space: str) -> list[Template]:
        if self.unreadable:
            raise StoreError("disk I/O error")
        return [row for _, row in self.rows if row.space == space and row.person_id in person_ids]

    def vetoes(self, space: str | None = None) -> list[Veto]:
        return [veto for veto in self.refused if space in (None, veto.space)]


def worker(
    people: FakePeople,
    told: list[GalleryState] | None = None,
    *,
    calibration: FakeCalibration | None = None,
    traffic: Traffic | None = None,
    denied: Callable[[], frozenset[str]] = frozenset,
) -> tuple[GallerySyncWorker, Metrics]:
    metrics = Metrics(CollectorRegistry())
    sync = GallerySyncWorker(
        people,
        space="toy/1",
        dimension=8,
        calibration=calibration or FakeCalibration(),
        risk=RISK,
        min_margin=0.06,
        poll_seconds=0.01,
        metrics=metrics,
        on_change=(told if told is not None else []).append,
        traffic=lambda: traffic,
        denied=denied,
    )
    return sync, metrics


def eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 30
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.005)
    return condition()


def test_a_new_person_is_known_without_restart_and_the_threshold_follows() -> None:
    people, told = FakePeople(), []
    people.add("p-ada", 0)
    sync, metrics = worker(people, told)
    before = sync.current
    sync.start()
    try:
        for axis in range(1, 8):
            people.add(f"p-{axis}", axis)
        assert eventually(lambda: len(sync.current.snapshot.people) == 8)
    finally:
        sync.stop()
        assert sync.join(30)
    assert len(before.snapshot.people) == 1
    assert sync.current.threshold.cosine > before.threshold.cosine
    assert metrics.registry.get_sample_value("edged_gallery_people") == 8
    assert told[-1] is sync.current


def test_people_of_another_model_are_told_of_at_the_start_and_at_each_change(
    caplog: pytest.LogCaptureFixture,
) -> None:
    people = FakePeople()
    people.add("p-ada", 0)
    people.rows.append((Person("p-old", "Old"), replace(template("p-old", 1), space="older/1")))
    sync, _ = worker(people)
    (said,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert said.getMessage().startswith("1 of 2 people have no template of this model (space toy/1)")
    sync.start()
    try:
        people.add("p-new", 2)
        assert eventually(lambda: "1 of 3 people" in caplog.text)
    finally:
        sync.stop()
        assert sync.join(30)


def test_a_load_that_fails_keeps_the_old_gallery_and_is_counted() -> None:
    people = FakePeople()
    people.add("p-ada", 0)
    sync, metrics = worker(people)
    sync.start()
    try:
        people.broken = StoreError("disk gone")
        assert eventually(lambda: metrics.registry.get_sample_value("edged_gallery_load_failures_total") > 1)
        assert sync.failing
        before = sync.current.threshold.cosine
        sync.risk = Risk(RISK.target_fpir / 5)
        assert eventually(lambda: sync.current.threshold.risk == sync.risk)
        assert sync.current.threshold.cosine > before
        assert len(sync.current.snapshot.people) == 1
        people.broken = None
        people.rows.append((Person("p-bad", "Bad"), template("p-bad", 1)))
        people.rows[-1][1].vector[:] = np.nan
        people.number += 1
        seen = metrics.registry.get_sample_value("edged_gallery_load_failures_total")
        assert eventually(
            lambda: metrics.registry.get_sample_value("edged_gallery_load_failures_total") > seen
        )
        assert [person.person_id for person in sync.current.snapshot.people] == ["p-ada"]
    finally:
        sync.stop()
        assert sync.join(30)


def test_nobody_is_let_in_by_a_gallery_that_is_unread_for_too_long() -> None:
    people, told = FakePeople(), []
    people.add("p-ada", 0)
    sync, _ = worker(people, told)
    before = sync.current
    assert before.threshold.cosine is not None
    sync.max_unread_seconds = 0.2
    sync.start()
    try:
        people.broken = StoreError("unreadable")
        assert eventually(lambda: sync.failing)
        assert sync.current is before
        assert eventually(lambda: sync.current.threshold.cosine is None)
        assert "max_unread_seconds" in sync.current.threshold.claim
        assert sync.current.snapshot is before.snapshot
        people.broken = None
        assert eventually(lambda: sync.current.threshold.cosine == before.threshold.cosine)
    finally:
        sync.stop()
        assert sync.join(30)
    assert [state.threshold.cosine is None for state in told] == [True, False]


def test_a_gallery_that_stays_unread_is_told_of_once_and_shows(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gallery_sync, "_UNREAD_SECONDS", 0.05)
    people = FakePeople()
    people.add("p-ada", 0)
    sync, metrics = worker(people)

    def unread() -> float:
        return metrics.registry.get_sample_value("edged_gallery_unread_seconds") or 0.0

    sync.start()
    try:
        people.broken = StoreError("disk gone")
        assert eventually(lambda: unread() >= 0.1)
        assert [r.levelno for r in caplog.records].count(logging.ERROR) == 1
        people.broken = None
        assert eventually(lambda: unread() == 0 and not sync.failing)
        assert "read again" in caplog.text
    finally:
        sync.stop()
        assert sync.join(30)


def test_an_empty_store_is_an_empty_gallery() -> None:
    sync, metrics = worker(FakePeople())
    assert sync.current.snapshot.people == ()
    assert not math.isnan(metrics.registry.get_sample_value("edged_match_threshold"))


def test_a_poll_that_is_rare_is_no_silence_and_a_new_risk_does_not_wait_for_it() -> None:
    people = FakePeople()
    people.add("p-ada", 0)
    sync, _ = worker(people)
    sync.poll_seconds = 3600.0
    before = sync.current
    sync.start()
    try:
        began_at = time.monotonic()
        assert eventually(lambda: time.monotonic() - sync.silence(time.monotonic()) > began_at + 0.1)
        sync.risk = Risk(1e-4)
        assert eventually(lambda: sync.current.threshold.target_fpir == 1e-4)
    finally:
        sync.stop()
        assert sync.join(30)
    assert sync.current.threshold.cosine > before.threshold.cosine


def test_a_new_calibration_is_in_force_without_restart_and_one_that_fails_lets_nobody_in() -> None:
    people, calibration = FakePeople(), FakeCalibration()
    people.add("p-ada", 0)
    sync, metrics = worker(people, calibration=calibration)
    before = sync.current.threshold.cosine
    assert before is not None
    sync.start()
    try:
        raised = tuple(CalibrationPoint(one.fmr, one.threshold + 0.1, one.comparisons) for one in TABLE)
        calibration.replace(raised)
        assert eventually(lambda: sync.current.threshold.cosine == pytest.approx(before + 0.1))
        calibration.replace(TABLE, StoreError("measured with other models"))
        assert eventually(lambda: sync.current.threshold.cosine is None)
        assert sync.current.threshold.claim == "measured with other models"
        assert math.isnan(metrics.registry.get_sample_value("edged_match_threshold"))
        assert len(sync.current.snapshot.people) == 1
        calibration.replace(TABLE)
        assert eventually(lambda: sync.current.threshold.cosine == before)
    finally:
        sync.stop()
        assert sync.join(30)


def test_expected_false_accepts_follow_from_the_visits_and_the_threshold() -> None:
    people = FakePeople()
    people.add("p-ada", 0)
    sync, metrics = worker(people, traffic=Traffic(200, 2.0))
    sync.start()
    try:
        sample = metrics.registry.get_sample_value
        assert eventually(lambda: sample("edged_visits_per_day") == 100)
        expected = sync.current.threshold.fpir * 100 * 365.25
        assert sample("edged_expected_false_accepts_per_year") == pytest.approx(expected)
        people.add("p-ben", 1)
        assert eventually(lambda: len(sync.current.snapshot.people) == 2)
    finally:
        sync.stop()
        assert sync.join(30)


def test_without_a_count_of_visits_nothing_is_expected() -> None:
    sync, metrics = worker(FakePeople())
    sync.start()
    try:
        expected = "edged_expected_false_accepts_per_year"
        assert eventually(lambda: math.isnan(metrics.registry.get_sample_value(expected)))
    finally:
        sync.stop()
        assert sync.join(30)


@pytest.mark.parametrize(("on_demand_from", "told"), [(5_000, "raised_bars=2"), (0, "raised_bars=on demand")])
def test_look_alikes_and_vetoes_come_with_the_gallery_and_a_new_margin_is_taken_over(
    on_demand_from: int, told: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("edged.domain.gallery.ON_DEMAND_FROM", on_demand_from)
    caplog.set_level(logging.INFO)
    people = FakePeople()
    people.add("p-ada", 0)
    people.add("p-eve", 1)
    people.add("p-ben", 2)
    people.rows[1][1].vector[:2] = 0.6, 0.8
    people.refused.append(Veto("E1", "p-ada", "toy/1", template("p-x", 5).vector))
    sync, _ = worker(people)
    snapshot = sync.current.snapshot
    assert set(snapshot.bars) == {"p-ada", "p-eve"}
    assert set(snapshot.vetoes) == {"p-ada"}
    before = snapshot.bars["p-ada"].score
    sync.start()
    try:
        sync.min_margin = 0.0
        assert eventually(lambda: sync.current.min_margin == 0.0)
        assert eventually(lambda: told in caplog.text)
    finally:
        sync.stop()
        assert sync.join(30)
    # Less of a margin for everybody is made good by the score of those who look alike.
    assert sync.current.snapshot.bars["p-ada"].score > before


def test_a_large_gallery_answers_exactly_while_its_store_can_be_read_and_low_while_not(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(gallery, "COMPACT_FROM", 1)
    people, random = FakePeople(), np.random.default_rng(1)
    for number in range(9):
        people.add(f"p-{number}", 0)
        vector = random.normal(size=8)
        vector = np.asarray(vector / np.linalg.norm(vector), np.float32)
        people.rows[-1] = people.rows[-1][0], replace(people.rows[-1][1], vector=vector)
    sync, _ = worker(people)
    face = people.rows[4][1].vector
    exact = float(face.astype(np.float64) @ face)
    caplog.set_level(logging.INFO)
    assert best_match(sync.current.snapshot, face).score == pytest.approx(exact, abs=1e-7)
    people.unreadable = True
    low = [best_match(sync.current.snapshot, face) for _ in range(2)]
    assert low[0].person_id == "p-4"
    assert low[0].score < exact - 1e-5
    people.unreadable = False
    assert best_match(sync.current.snapshot, face).score == pytest.approx(exact, abs=1e-7)
    said = [record.levelname for record in caplog.records if "templates" in record.message]
    assert said[-2:] == ["WARNING", "INFO"]
    assert said.count("WARNING") == 1


def test_who_is_denied_is_out_before_a_large_gallery_has_been_read() -> None:
    class Slow(FakePeople):
        def people(self) -> list[Person]:
            in_force.append([(one.person_id, one.enabled) for one in sync.current.snapshot.people])
            return super().people()

    in_force: list[list[tuple[str, bool]]] = []
    denied: set[str] = set()
    people = Slow()
    people.add("p1", 0)
    people.add("p2", 1)
    sync, _ = worker(FakePeople(), denied=lambda: frozenset(denied))
    sync._people = people
    sync._refresh()
    denied.add("p2")
    people.add("p3", 2)
    sync._refresh()
    assert in_force[-1] == [("p1", True), ("p2", False)]
