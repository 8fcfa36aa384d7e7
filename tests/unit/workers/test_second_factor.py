"""What becomes of a decision that asks for a second factor."""

from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry

from edged.domain.access import AccessRules, OpenPeriod
from edged.domain.calibration import threshold_for
from edged.domain.decision_policy import DecisionPolicy
from edged.domain.factor_desk import AnswerResult, FactorLimits
from edged.domain.gallery import GallerySnapshot, build_snapshot
from edged.domain.people import Person
from edged.domain.risk import Risk
from edged.domain.second_factor import (
    AskedFactor,
    FactorCause,
    FactorKind,
    FactorOutcome,
    FactorRule,
    FactorSource,
)
from edged.domain.types import Decision, Gate, Outcome, Reason
from edged.errors import StoreError
from edged.metrics import Metrics
from edged.storage.factors import Verifier
from edged.workers.gallery_sync import GalleryState
from edged.workers.recognition import RecognitionSettings
from edged.workers.second_factor import FactorClerk, FactorNews
from tests.unit.domain.conftest import gallery as gallery_fixture
from tests.unit.domain.conftest import template
from tests.unit.workers.test_recognition import FakeClock

gallery = gallery_fixture
PIN = Verifier.of("482913")
ASK = Decision(
    Outcome.ASK, Reason.MATCHED, 1, "p-ada", 0.7, 0.5, 3, 0.9,
    freshest_at=99.9, trace=(Gate("score", 0.7, 0.4, passed=True),), factor=AskedFactor(FactorCause.ALWAYS),
)  # fmt: skip
POLICY = DecisionPolicy(
    threshold=0.4, confirm_frames=3, window_frames=5, min_margin=0.06, cooldown_seconds=10,
    absence_seconds=1, evidence_seconds=2, max_frame_age_seconds=0.5,
    second_factor=FactorRule(frozenset(FactorCause), 0.1),
)  # fmt: skip


class Bench:
    """A clerk, people with PINs, and a list of what took effect."""

    def __init__(self, snapshot: GallerySnapshot) -> None:
        self.clock = FakeClock()
        self.metrics = Metrics(CollectorRegistry())
        self.pins: dict[str, dict[FactorKind, Verifier]] = {"p-ada": {FactorKind.PIN: PIN}}
        self.broken = False
        self.taken = True
        self.state = GalleryState(snapshot, threshold_for((), 3, Risk(1e-3)))
        self.settings = RecognitionSettings(1.0, lambda _threshold: POLICY, AccessRules({}, {}))
        self.done: list[Decision] = []
        self.news: list[FactorNews] = []
        self.clerk = FactorClerk(
            self,
            limits=FactorLimits(wait_seconds=10, max_wrong=3, max_door_wrong=10, lockout_seconds=60),
            accept=[FactorKind.PIN],
            settings=lambda: self.settings,
            act=self.act,
            metrics=self.metrics,
            clock=self.clock,
        )
        self.clerk.on_news = self.news.append

    def factors(self, person_id: str) -> dict[FactorKind, Verifier]:
        if self.broken:
            raise StoreError("gone")
        return self.pins.get(person_id, {})

    def act(self, decision: Decision, state: GalleryState) -> bool:
        assert state is self.state
        self.done.append(decision)
        return self.taken

    def ask(self, decision: Decision = ASK) -> str:
        self.clerk.decide(decision, self.state)
        return self.news[-1].request.request_id if self.news else ""

    def answer(
        self, request_id: str, text: str = "482913", kind: FactorKind = FactorKind.PIN
    ) -> AnswerResult:
        return self.clerk.answer(request_id, kind, text, FactorSource.SOCKET)

    def end(self) -> Decision:
        """Settle; the one decision that came of it."""
        self.clerk.settle(self.state)
        (decision,) = self.done
        assert decision.factor is not None
        label = (decision.factor.cause.value, decision.factor.outcome)
        assert self.metrics.second_factors.labels(*label)._value.get() == 1
        assert self.clerk.pending() == []
        return decision


@pytest.fixture
def bench(gallery: GallerySnapshot) -> Bench:
    return Bench(gallery)


def test_a_right_answer_grants_from_its_own_moment_on(bench: Bench) -> None:
    request_id = bench.ask()
    assert bench.done == []
    assert len(request_id) >= 20
    bench.clock.now += 5
    assert bench.answer(request_id, "000000") is AnswerResult.WRONG
    assert bench.answer(request_id) is AnswerResult.CONFIRMED
    answered = bench.clock.now
    bench.clock.now += 1
    decision = bench.end()
    assert (decision.outcome, decision.freshest_at) == (Outcome.GRANT, answered)
    assert decision.factor == AskedFactor(
        FactorCause.ALWAYS, FactorOutcome.CONFIRMED, FactorKind.PIN, FactorSource.SOCKET, 1
    )
    assert decision.trace[-1] == Gate("second_factor", "confirmed", "always", passed=True)
    assert bench.answer(request_id) is AnswerResult.UNKNOWN
    assert [one.outcome for one in bench.news] == [None, FactorOutcome.CONFIRMED]


def test_a_right_answer_after_a_change_of_the_gallery_denies(bench: Bench) -> None:
    request_id = bench.ask()
    people = [Person("p-ada", "Ada"), Person("p-new", "New")]
    changed = build_snapshot("toy/1", 8, 99, people, [template("p-ada", 0), template("p-new", 1)])
    bench.state = replace(bench.state, snapshot=changed)
    assert bench.answer(request_id) is AnswerResult.CONFIRMED
    decision = bench.end()
    assert (decision.outcome, decision.reason) == (Outcome.DENY, Reason.STALE)


@pytest.mark.parametrize("answered", [True, False])
def test_a_confirmed_grant_that_opens_nothing_is_given_back_and_a_denial_is_not(
    bench: Bench, answered: bool
) -> None:
    refused: list[Decision] = []
    bench.clerk.on_refused = refused.append
    bench.taken = False
    request_id = bench.ask()
    if answered:
        assert bench.answer(request_id) is AnswerResult.CONFIRMED
    bench.clock.now += 11
    bench.end()
    assert refused == ([ASK] if answered else [])


@pytest.mark.parametrize("reason", [Reason.DISARMED, Reason.TOO_MANY_ATTEMPTS])
def test_only_shadow_mode_foresees_that_somebody_has_nothing_to_answer_with(
    bench: Bench, reason: Reason
) -> None:
    bench.pins.clear()
    bench.clerk.decide(replace(ASK, outcome=Outcome.DENY, reason=reason), bench.state)
    (told,) = bench.done
    assert (told.outcome, told.reason) == (
        Outcome.DENY,
        Reason.NO_SECOND_FACTOR if reason is Reason.DISARMED else reason,
    )
    assert bench.news == []


def test_what_does_not_ask_passes_by(bench: Bench) -> None:
    grant = replace(ASK, outcome=Outcome.GRANT, factor=None)
    bench.clerk.decide(grant, bench.state)
    assert bench.done == [grant]


def test_no_answer_denies_at_the_deadline_and_a_late_one_is_nothing(bench: Bench) -> None:
    request_id = bench.ask()
    bench.clock.now += 9.9
    bench.clerk.settle(bench.state)
    assert bench.done == []
    bench.clock.now += 0.2
    assert bench.answer(request_id) is AnswerResult.UNKNOWN
    assert (bench.end().reason, bench.done[0].outcome) == (Reason.SECOND_FACTOR_UNANSWERED, Outcome.DENY)


@pytest.mark.parametrize(
    ("pins", "broken", "reason"),
    [
        ({}, False, Reason.NO_SECOND_FACTOR),
        ({FactorKind.BADGE: PIN}, False, Reason.NO_SECOND_FACTOR),  # not what this door accepts
        ({FactorKind.PIN: PIN}, True, Reason.SECOND_FACTOR_FAILED),
    ],
)
def test_who_cannot_be_asked_is_denied_at_once(
    bench: Bench, pins: dict[FactorKind, Verifier], broken: bool, reason: Reason
) -> None:
    bench.pins["p-ada"], bench.broken = pins, broken
    bench.ask()
    assert (bench.end().reason, bench.news) == (reason, [])


def test_a_store_that_cannot_be_read_confirms_nobody(bench: Bench) -> None:
    request_id = bench.ask()
    bench.broken = True
    assert bench.answer(request_id) is AnswerResult.DENIED
    assert bench.end().reason is Reason.SECOND_FACTOR_FAILED


@pytest.mark.parametrize("kind", [FactorKind.BADGE, FactorKind.PIN])
def test_a_pin_is_no_badge_and_one_taken_away_counts_no_more(bench: Bench, kind: FactorKind) -> None:
    bench.pins["p-ada"] = {FactorKind.PIN: PIN, FactorKind.BADGE: PIN}
    request_id = bench.ask()
    if kind is FactorKind.PIN:
        bench.pins["p-ada"] = {}
    assert bench.answer(request_id, kind=kind) is AnswerResult.WRONG


@pytest.mark.parametrize("text", ["", "\ud800", "\0", "4829130", "٤٨٢٩١٣"])
def test_odd_answers_are_wrong_and_do_no_harm(bench: Bench, text: str) -> None:
    assert bench.answer(bench.ask(), text) is AnswerResult.WRONG


def test_wrong_answers_lock_out(bench: Bench) -> None:
    request_id = bench.ask()
    results = [bench.answer(request_id, "111112") for _ in range(3)]
    assert results == [AnswerResult.WRONG, AnswerResult.WRONG, AnswerResult.DENIED]
    assert bench.end().reason is Reason.SECOND_FACTOR_WRONG
    bench.done.clear()
    bench.ask()
    assert bench.end().reason is Reason.SECOND_FACTOR_LOCKED_OUT


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("disarmed", Reason.DISARMED),
        ("no_threshold", Reason.DISARMED),
        ("over_budget", Reason.DISARMED),
        ("higher", Reason.UNKNOWN),
        ("forgotten", Reason.DISABLED),
        ("disabled", Reason.DISABLED),
        ("schedule", Reason.OUTSIDE_SCHEDULE),
    ],
)
def test_what_changed_meanwhile_holds_against_a_right_answer(
    bench: Bench, change: str, reason: Reason
) -> None:
    cause = FactorCause.LIVENESS if change == "over_budget" else FactorCause.ALWAYS
    request_id = bench.ask(replace(ASK, factor=AskedFactor(cause)))
    policies = {
        "disarmed": {"armed": False},
        "no_threshold": {"threshold": None},
        "higher": {"threshold": 0.8},
    }
    policy = replace(POLICY, **policies.get(change, {}))
    rules = AccessRules({"never": (OpenPeriod(frozenset(), 0, 1),)}, {"staff": ("never",)})
    bench.settings = RecognitionSettings(
        1.0, lambda _threshold: policy, rules if change == "schedule" else AccessRules({}, {})
    )
    people = [Person("p-ada", "Ada", enabled=change != "disabled"), Person("p-ben", "Ben")]
    people = people[1:] if change == "forgotten" else people
    snapshot = build_snapshot("toy/1", 8, 2, people, [template(one.person_id, 1) for one in people])
    bench.state = replace(bench.state, snapshot=replace(snapshot, over_budget=change == "over_budget"))
    assert bench.answer(request_id) is AnswerResult.CONFIRMED
    decision = bench.end()
    assert (decision.outcome, decision.reason) == (Outcome.DENY, reason)
    assert decision.factor is not None
    assert decision.factor.outcome is FactorOutcome.WITHDRAWN
    assert decision.trace[-1].passed is False


def test_a_clock_that_runs_backwards_denies(bench: Bench) -> None:
    request_id = bench.ask()
    bench.clock.now -= 5
    assert bench.answer(request_id) is not AnswerResult.CONFIRMED
    bench.clock.now += 20
    assert bench.end().outcome is Outcome.DENY


def test_the_stop_denies_and_records_whoever_is_awaited(bench: Bench) -> None:
    bench.ask()
    bench.clerk.close(bench.state)
    assert bench.end().reason is Reason.SECOND_FACTOR_UNANSWERED
