"""Whoever tries again and again waits; whoever belongs here waits no longer than that."""

from dataclasses import replace

import pytest

from edged.domain.attempts import AttemptLimit, Attempts, seconds_left
from edged.domain.second_factor import AskedFactor, FactorCause
from edged.domain.types import Decision, Outcome, Reason

LIMIT = AttemptLimit(count=5, window_seconds=60, delay_seconds=30)


def denial(track_id: int, reason: Reason = Reason.UNKNOWN) -> Decision:
    return Decision(Outcome.DENY, reason, track_id)


def grant(track_id: int = 99) -> Decision:
    return Decision(Outcome.GRANT, Reason.MATCHED, track_id, "p1")


def shut(at: float = 4.0) -> Attempts:
    attempts = Attempts()
    for track_id in range(5):
        last = attempts.judge(denial(track_id), LIMIT, at - 4 + track_id)
    assert seconds_left(last) == 30
    return attempts


def test_after_the_fifth_refusal_nobody_is_let_in_until_the_delay_is_over() -> None:
    attempts = shut(at=4.0)
    refused = attempts.judge(grant(), LIMIT, 33.9)
    assert (refused.outcome, refused.reason) == (Outcome.DENY, Reason.TOO_MANY_ATTEMPTS)
    assert refused.person_id == "p1"
    assert seconds_left(refused) == pytest.approx(0.1)
    assert attempts.judge(grant(), LIMIT, 34.0) == grant()


def test_nobody_is_asked_for_a_second_factor_within_the_delay_either() -> None:
    asks = replace(grant(), outcome=Outcome.ASK, factor=AskedFactor(FactorCause.LOOKALIKE))
    refused = shut(at=4.0).judge(asks, LIMIT, 33.9)
    assert (refused.outcome, refused.reason) == (Outcome.DENY, Reason.TOO_MANY_ATTEMPTS)
    assert refused.factor is None
    assert shut(at=4.0).judge(asks, LIMIT, 34.0) == asks


def test_four_refusals_shut_nobody_out() -> None:
    attempts = Attempts()
    for track_id in range(4):
        assert attempts.judge(denial(track_id), LIMIT, 0.0) == denial(track_id)
    assert attempts.judge(grant(), LIMIT, 0.0) == grant()


def test_refusals_that_are_long_ago_do_not_count() -> None:
    attempts = Attempts()
    for track_id in range(20):
        assert attempts.judge(denial(track_id), LIMIT, 15.1 * track_id) == denial(track_id)


def test_one_visit_is_one_attempt_whatever_it_is_refused_for() -> None:
    attempts = Attempts()
    for reason in (Reason.UNKNOWN, Reason.AMBIGUOUS, Reason.VETOED, Reason.NOT_LIVE) * 3:
        assert attempts.judge(denial(1, reason), LIMIT, 0.0) == denial(1, reason)


@pytest.mark.parametrize("reason", [Reason.LOW_QUALITY, Reason.COOLING_DOWN, Reason.OUTSIDE_SCHEDULE])
def test_what_is_no_guess_is_no_attempt(reason: Reason) -> None:
    attempts = Attempts()
    for track_id in range(20):
        attempts.judge(denial(track_id, reason), LIMIT, 0.0)
    assert attempts.judge(grant(), LIMIT, 0.0) == grant()


def test_tries_within_the_delay_do_not_prolong_it() -> None:
    attempts = shut(at=4.0)
    for track_id in range(10, 30):
        attempts.judge(denial(track_id), LIMIT, 20.0)
    assert attempts.judge(grant(), LIMIT, 34.0) == grant()


def test_a_refused_person_is_told_once_and_comes_in_afterwards() -> None:
    attempts = shut(at=4.0)
    outcomes = [attempts.judge(grant(), LIMIT, at).outcome for at in (5.0, 5.1, 20.0, 34.0)]
    assert outcomes == [Outcome.DENY, Outcome.WAIT, Outcome.WAIT, Outcome.GRANT]


def test_without_a_limit_nothing_is_judged() -> None:
    attempts = Attempts()
    for track_id in range(20):
        assert attempts.judge(denial(track_id), None, 0.0) == denial(track_id)


def test_a_delay_that_is_shortened_takes_effect_at_once() -> None:
    attempts = shut(at=4.0)
    assert attempts.judge(grant(), AttemptLimit(5, 60, 1), 4.5).outcome is Outcome.DENY
    assert attempts.judge(grant(), AttemptLimit(5, 60, 1), 5.6) == grant()
