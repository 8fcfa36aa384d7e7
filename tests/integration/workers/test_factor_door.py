"""Why a second factor is asked for, from the picture to the effect: gallery, recognition, clerk and desk."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

import pytest
from prometheus_client import CollectorRegistry

from edged.domain.access import AccessRules
from edged.domain.challenge import ChallengeDesk, ChallengePolicy, Gesture
from edged.domain.decision import DecisionPolicy
from edged.domain.explanation import challenge_foreseen
from edged.domain.factor_desk import AnswerResult, FactorLimits
from edged.domain.liveness import NOTHING_FOUND, Cue
from edged.domain.people import Person, Template, Veto
from edged.domain.risk import Risk
from edged.domain.second_factor import FactorCause, FactorKind, FactorOutcome, FactorRule, FactorSource
from edged.domain.types import Decision, Event, EventKind, Face, Frame, Image, Outcome, Reason
from edged.metrics import Metrics
from edged.storage.factors import Verifier
from edged.workers.challenge import ChallengeWatch
from edged.workers.gallery_sync import GalleryState, GallerySyncWorker
from edged.workers.liveness import LivenessWatch
from edged.workers.recognition import RecognitionSettings, RecognitionWorker
from edged.workers.second_factor import FactorClerk, FactorNews
from edged.workers.slot import LatestSlot
from tests.unit.domain.conftest import template
from tests.unit.workers.test_recognition import DIMENSION, TABLE, FakeClock, PaintedPipeline, picture

T = TypeVar("T")
ADA, BEN, EVE = "p-ada", "p-ben", "p-eve"
PIN = "482913"
HAS = {FactorKind.PIN: Verifier.of(PIN)}
BUDGET, BEYOND = Risk(1e-3, second_factor=True), Risk(2e-6, second_factor=True)
LIVENESS = (0.5, 0.15)  # threshold and band


class People:
    """Ada, Ben and Eve; ``alike`` puts Ben's face next to Ada's."""

    def __init__(self, *, alike: bool) -> None:
        self.alike = alike
        self.pins = {ADA: HAS, BEN: HAS, EVE: HAS}

    def generation(self) -> int:
        return 1

    def identity(self) -> tuple[int, ...]:
        return (1,)

    def people(self) -> list[Person]:
        return [Person(one, one) for one in (ADA, BEN, EVE)]

    def templates_of(self, person_ids: Sequence[str], space: str) -> list[Template]:
        return self.read_templates(space, lambda all_: [one for one in all_ if one.person_id in person_ids])

    def read_templates(self, _space: str, use: Callable[[Iterable[Template]], T]) -> T:
        ada, ben, eve = (template(one, axis) for axis, one in enumerate((ADA, BEN, EVE)))
        if self.alike:
            ben = replace(ben, vector=0.6 * ada.vector + 0.8 * ben.vector)
        return use([ada, ben, eve])

    def vetoes(self, _space: str | None = None) -> list[Veto]:
        return []

    def factors(self, person_id: str) -> dict[FactorKind, Verifier]:
        return self.pins[person_id]


class Table:
    def identity(self) -> tuple[int, ...]:
        return (1,)

    def points(self) -> tuple:
        return TABLE


class Door:
    """Everything between a picture and the effect but the pixels, with a clock of its own."""

    def __init__(
        self,
        *causes: FactorCause,
        alike: bool = False,
        risk: Risk = BUDGET,
        liveness: bool = False,
        armed: bool = True,
        challenge: bool = False,
    ) -> None:
        self.clock, self.metrics = FakeClock(), Metrics(CollectorRegistry())
        self.people = People(alike=alike)
        self.gallery = GallerySyncWorker(
            self.people, space="toy/1", dimension=DIMENSION, calibration=Table(), risk=risk, min_margin=0.06,
            poll_seconds=60, metrics=self.metrics,
        )  # fmt: skip
        self.alive = 0.9
        self.takes = True
        self.done: list[Decision] = []
        self.asked: list[FactorNews] = []
        self.seq = 0
        rule = FactorRule(frozenset(causes), LIVENESS[1])
        settings = RecognitionSettings(
            0.5,
            lambda threshold: DecisionPolicy(
                threshold, 3, 5, 0.06, 10, 1, 2, 0.5, armed=armed, second_factor=rule,
                liveness_threshold=LIVENESS[0] if liveness else None, liveness_required=liveness,
            ),
            AccessRules(),
        )  # fmt: skip
        self.clerk = FactorClerk(
            self.people,
            limits=FactorLimits(wait_seconds=10, max_wrong=3, max_door_wrong=10, lockout_seconds=60),
            accept=[FactorKind.PIN],
            settings=lambda: settings,
            act=self._act,
            metrics=self.metrics,
            clock=self.clock,
        )
        self.clerk.on_news = self.asked.append
        desk = ChallengeDesk(ChallengePolicy(1, 2.0), lambda _: Gesture.TURN_LEFT)
        self.worker = RecognitionWorker(
            LatestSlot(),
            PaintedPipeline(),
            gallery=lambda: self.state,
            settings=settings,
            metrics=self.metrics,
            clock=self.clock,
            on_decision=self.clerk.decide,
            liveness=LivenessWatch(self, self.metrics, self.clock.monotonic, timeout_seconds=1),
            challenge=ChallengeWatch(desk, lambda _prompt: None) if challenge else None,
        )
        self.clerk.on_refused = self.worker.take_back

    @property
    def state(self) -> GalleryState:
        return self.gallery.current

    def measure(self, _track_id: int, _at: float, _image: Image, _face: Face) -> dict[Cue, float]:
        return {Cue.MODEL: math.log(self.alive / (1 - self.alive)) - NOTHING_FOUND}

    def forget(self, _track_id: int) -> None:
        pass

    def _act(self, decision: Decision, _state: GalleryState) -> bool:
        self.done.append(decision)
        return self.takes or decision.outcome is not Outcome.GRANT

    def show(self, identity: int | None, times: int) -> None:
        for _ in range(times):
            self.seq += 1
            self.clock.now += 0.1
            faces = [] if identity is None else [(100, 80, identity)]
            self.worker._process(Frame(self.seq, self.clock.now - 0.05, picture(*faces)), self.state)
            self.worker._expire(self.state, self.clock.now)
            self.clerk.settle(self.state)

    def answer(self, text: str = PIN) -> AnswerResult:
        result = self.clerk.answer(
            self.asked[-1].request.request_id, FactorKind.PIN, text, FactorSource.SOCKET
        )
        self.clerk.settle(self.state)
        return result

    def told(self) -> list[tuple[Outcome, Reason, str | None]]:
        return [(one.outcome, one.reason, one.person_id) for one in self.done]

    def cause(self) -> FactorCause:
        (news,) = self.asked
        return news.request.cause


def look_alike() -> Door:
    return Door(FactorCause.LOOKALIKE, alike=True)


def unsure() -> Door:
    door = Door(FactorCause.LIVENESS, liveness=True)
    door.alive = 0.4
    return door


def over_budget() -> Door:
    return Door(FactorCause.RISK, risk=BEYOND)


DOORS = [
    (look_alike, FactorCause.LOOKALIKE),
    (unsure, FactorCause.LIVENESS),
    (over_budget, FactorCause.RISK),
]


@pytest.mark.parametrize(("make", "cause"), DOORS)
def test_a_right_answer_lets_the_person_in_who_was_recognised(
    make: Callable[[], Door], cause: FactorCause
) -> None:
    door = make()
    door.show(0, 8)
    assert (door.cause(), door.told()) == (cause, [])
    assert door.answer("111112") is AnswerResult.WRONG
    assert door.told() == []
    assert door.answer() is AnswerResult.CONFIRMED
    assert door.told() == [(Outcome.GRANT, Reason.MATCHED, ADA)]
    (granted,) = door.done
    assert granted.factor is not None
    assert (granted.factor.cause, granted.factor.outcome, granted.factor.wrong) == (
        cause,
        FactorOutcome.CONFIRMED,
        1,
    )


@pytest.mark.parametrize(("make", "cause"), DOORS)
def test_no_answer_denies(make: Callable[[], Door], cause: FactorCause) -> None:
    door = make()
    door.show(0, 8)
    door.show(None, 110)
    assert door.told() == [(Outcome.DENY, Reason.SECOND_FACTOR_UNANSWERED, ADA)]
    assert door.metrics.second_factors.labels(cause.value, "unanswered")._value.get() == 1


@pytest.mark.parametrize(("make", "cause"), DOORS)
def test_a_stranger_is_not_asked(make: Callable[[], Door], cause: FactorCause) -> None:
    door = make()
    door.show(6, 8)
    door.show(None, 20)
    assert (door.asked, [one[:2] for one in door.told()]) == ([], [(Outcome.DENY, Reason.UNKNOWN)])


def test_only_the_look_alikes_are_asked() -> None:
    door = look_alike()
    assert set(door.state.snapshot.bars) == {ADA, BEN}
    door.show(2, 8)
    assert (door.asked, door.told()) == ([], [(Outcome.GRANT, Reason.MATCHED, EVE)])


@pytest.mark.parametrize(("alive", "told"), [(0.9, Outcome.GRANT), (0.3, Outcome.DENY)])
def test_outside_the_band_liveness_alone_decides(alive: float, told: Outcome) -> None:
    door = unsure()
    door.alive = alive
    door.show(0, 8)
    assert (door.asked, [one.outcome for one in door.done]) == ([], [told])


def test_over_the_budget_without_the_cause_nobody_is_let_in_and_an_unsure_face_is_not_asked() -> None:
    door = Door(FactorCause.LOOKALIKE, FactorCause.LIVENESS, risk=replace(BEYOND, second_factor=False))
    door.show(0, 8)
    assert door.told() == [(Outcome.DENY, Reason.DISARMED, None)]
    both = Door(FactorCause.RISK, FactorCause.LIVENESS, risk=BEYOND, liveness=True)
    both.alive = 0.4
    both.show(0, 8)
    assert (both.asked, [one[:2] for one in both.told()]) == ([], [(Outcome.DENY, Reason.NOT_LIVE)])


def test_whom_the_door_refuses_after_a_right_answer_is_asked_again_at_once() -> None:
    door = look_alike()
    door.takes = False
    door.show(0, 8)
    assert door.answer() is AnswerResult.CONFIRMED
    door.show(0, 12)
    assert len([news for news in door.asked if news.outcome is None]) == 2
    door.takes = True
    pending = door.clerk.pending()
    assert len(pending) == 1
    door.clerk.answer(pending[0].request.request_id, FactorKind.PIN, PIN, FactorSource.SOCKET)
    door.clerk.settle(door.state)
    assert door.told() == [(Outcome.GRANT, Reason.MATCHED, ADA)] * 2  # what was done with them is the door's
    door.show(0, 20)
    assert len(door.done) == 2  # this one opened, so the cool-down runs


@pytest.mark.parametrize(
    ("has", "reason", "outcome"),
    [(HAS, Reason.DISARMED, None), ({}, Reason.NO_SECOND_FACTOR, FactorOutcome.MISSING)],
)
def test_in_shadow_mode_nobody_is_asked_and_what_would_have_been_is_told(
    has: dict[FactorKind, Verifier], reason: Reason, outcome: FactorOutcome | None
) -> None:
    door = Door(FactorCause.LOOKALIKE, alike=True, armed=False, challenge=True)
    door.people.pins[ADA] = has
    door.show(0, 8)
    assert (door.asked, door.told()) == ([], [(Outcome.DENY, reason, ADA)])
    (told,) = door.done
    assert told.factor is not None
    assert (told.factor.cause, told.factor.outcome) == (FactorCause.LOOKALIKE, outcome)
    assert challenge_foreseen(Event("e", EventKind.ACCESS, 0.0, 0.0, "b", True, {}, ADA, told.trace))
