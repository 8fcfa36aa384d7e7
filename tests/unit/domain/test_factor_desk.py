"""Second factors that are awaited: only a right answer in time, for that request, lets anybody in."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.domain.factor_desk import (
    MAX_PENDING,
    Answer,
    AnswerResult,
    FactorDesk,
    FactorEnd,
    FactorLimits,
    FactorRequest,
)
from edged.domain.second_factor import FactorCause, FactorKind, FactorOutcome, FactorSource

LIMITS = FactorLimits(wait_seconds=10, max_wrong=3, max_door_wrong=5, lockout_seconds=60)
CONFIRMED, WRONG, DENIED, UNKNOWN = AnswerResult


def answer(request_id: str = "r1", person_id: str = "p-ada", *, right: bool = True) -> Answer:
    return Answer(request_id, person_id, right, FactorKind.PIN, FactorSource.SOCKET)


def asked(desk: FactorDesk, now: float, request_id: str = "r1", person_id: str = "p-ada") -> FactorRequest:
    request = desk.ask(request_id, person_id, 1, FactorCause.ALWAYS, now)
    assert isinstance(request, FactorRequest)
    return request


def test_a_right_answer_in_time_confirms_once() -> None:
    desk = FactorDesk(LIMITS)
    request = asked(desk, 100)
    assert (request.deadline, desk.find("r1", 101)) == (110, request)
    result, end = desk.answer(answer(), 109.9)
    assert result is CONFIRMED
    assert end == FactorEnd(
        request, FactorOutcome.CONFIRMED, 109.9, FactorKind.PIN, FactorSource.SOCKET, wrong=0
    )
    assert desk.answer(answer(), 109.95) == (UNKNOWN, None)
    assert desk.pending == []


def test_no_answer_denies_at_the_deadline() -> None:
    desk = FactorDesk(LIMITS)
    asked(desk, 100)
    assert desk.due_in(104) == 6
    assert desk.expire(109.9) == []
    (end,) = desk.expire(110)
    assert (end.outcome, end.kind, end.at) == (FactorOutcome.UNANSWERED, None, 110)
    assert desk.due_in(111) is None


def test_a_late_answer_denies_though_nobody_looked_at_the_clock() -> None:
    desk = FactorDesk(LIMITS)
    asked(desk, 100)
    assert desk.find("r1", 110) is None
    result, end = desk.answer(answer(), 110)
    assert (result, end and end.outcome) == (DENIED, FactorOutcome.UNANSWERED)


@pytest.mark.parametrize("given_answer", [answer("r2"), answer("r1", "p-ben"), answer(right=False)])
def test_what_is_not_the_right_answer_confirms_nothing(given_answer: Answer) -> None:
    desk = FactorDesk(LIMITS)
    asked(desk, 100)
    result, end = desk.answer(given_answer, 101)
    assert result in (UNKNOWN, WRONG)
    assert end is None


@pytest.mark.parametrize("earlier", [104.9, -1.0, math.nan])
def test_time_that_goes_backwards_denies(earlier: float) -> None:
    desk = FactorDesk(LIMITS)
    asked(desk, 100)
    assert desk.expire(105) == []
    assert desk.find("r1", earlier) is None
    result, end = desk.answer(answer(), earlier)
    assert (result, end and end.outcome) == (DENIED, FactorOutcome.FAILED)
    refused = desk.ask("r2", "p-ada", 1, FactorCause.ALWAYS, earlier)
    assert isinstance(refused, FactorEnd)


def test_wrong_answers_lock_the_person_out_over_several_requests() -> None:
    desk = FactorDesk(LIMITS)
    asked(desk, 100)
    assert desk.answer(answer(right=False), 101) == (WRONG, None)
    assert desk.answer(answer(right=False), 102) == (WRONG, None)
    (end,) = desk.expire(110)
    assert (end.outcome, end.wrong) == (FactorOutcome.UNANSWERED, 2)
    asked(desk, 120, "r2")
    result, end = desk.answer(answer("r2", right=False), 121)
    assert (result, end and end.outcome) == (DENIED, FactorOutcome.WRONG)
    locked = desk.ask("r3", "p-ada", 1, FactorCause.ALWAYS, 180.9)
    assert isinstance(locked, FactorEnd)
    assert locked.outcome is FactorOutcome.LOCKED_OUT
    asked(desk, 130.0 + 51, "r4")


def test_each_lockout_is_twice_as_long_until_a_right_answer() -> None:
    desk = FactorDesk(replace(LIMITS, max_wrong=1, max_door_wrong=100))
    now, waited = 0.0, []
    for number in range(5):
        asked(desk, now, f"r{number}")
        desk.answer(answer(f"r{number}", right=False), now)
        locked_at = now
        while isinstance(desk.ask("probe", "p-ada", 1, FactorCause.ALWAYS, now), FactorEnd):
            now += 10
        waited.append(now - locked_at)
        desk.answer(answer("probe", right=number == 3), now)
        if number != 3:
            now = locked_at + 100_000  # far beyond any lockout
            desk.expire(now)
    assert waited[0] == 60
    assert waited[4] == 60  # after the right answer it begins anew
    assert waited[1] > waited[0]


def test_wrong_answers_of_several_people_lock_the_desk_and_a_right_one_takes_nothing_back() -> None:
    desk = FactorDesk(LIMITS)
    for number in range(5):
        person = f"p-{number}"
        asked(desk, 100 + number, f"r{number}", person)
        assert desk.answer(answer(f"r{number}", "p-9", right=True), 100 + number)[0] is not CONFIRMED
        if number == 3:
            assert desk.answer(answer("r3", "p-3"), 103)[0] is CONFIRMED
    result, end = desk.answer(answer("r0", "p-0"), 105)
    assert (result, end and end.outcome) == (DENIED, FactorOutcome.LOCKED_OUT)
    locked = desk.ask("new", "p-new", 1, FactorCause.ALWAYS, 163)
    assert isinstance(locked, FactorEnd)
    asked(desk, 165, "later", "p-new")


def test_nobody_is_asked_twice_at_once_and_not_everybody() -> None:
    desk = FactorDesk(LIMITS)
    asked(desk, 100)
    assert isinstance(desk.ask("r2", "p-ada", 2, FactorCause.ALWAYS, 101), FactorEnd)
    assert isinstance(desk.ask("r1", "p-ben", 2, FactorCause.ALWAYS, 101), FactorEnd)
    for number in range(MAX_PENDING - 1):
        asked(desk, 101, f"s{number}", f"p-{number}")
    full = desk.ask("more", "p-more", 3, FactorCause.ALWAYS, 101)
    assert isinstance(full, FactorEnd)
    assert full.outcome is FactorOutcome.FAILED
    assert desk.answer(answer(), 102)[0] is CONFIRMED  # the first one is not disturbed


def test_closing_denies_all_and_failing_never_confirms() -> None:
    desk = FactorDesk(LIMITS)
    asked(desk, 100)
    asked(desk, 100, "r2", "p-ben")
    end = desk.fail("r1", FactorOutcome.CONFIRMED, 101)
    assert end is not None
    assert end.outcome is FactorOutcome.FAILED
    assert [one.outcome for one in desk.close(102)] == [FactorOutcome.UNANSWERED]
    assert desk.fail("r2", FactorOutcome.FAILED, 103) is None


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["ask", "answer", "answer", "answer", "expire", "fail"]),
        st.sampled_from(["r1", "r2", "r3"]),
        st.sampled_from(["p-ada", "p-ben"]),
        st.booleans(),
        st.sampled_from([0.0, 0.5, 3.0, 9.0, 10.0, 70.0, -0.5, -20.0]),  # seconds since the last step
    ),
    max_size=40,
)


@given(STEPS)
def test_only_a_right_answer_within_the_window_ever_confirms(steps: list[tuple]) -> None:
    """Held against a ledger that is kept by nothing but the words of the promise."""
    desk, now, latest = FactorDesk(LIMITS), 1000.0, 1000.0
    open_until: dict[str, tuple[str, float, float]] = {}
    for what, request_id, person_id, right, stride in steps:
        now += stride
        ends: list[FactorEnd] = []
        if what == "ask":
            made = desk.ask(request_id, person_id, 1, FactorCause.ALWAYS, now)
            if isinstance(made, FactorRequest):
                assert made.deadline == now + LIMITS.wait_seconds
                open_until[request_id] = (person_id, now, made.deadline)
            else:
                assert made.outcome is not FactorOutcome.CONFIRMED
        elif what == "answer":
            result, end = desk.answer(answer(request_id, person_id, right=right), now)
            ends += [] if end is None else [end]
            confirmed = end is not None and end.outcome is FactorOutcome.CONFIRMED
            assert confirmed == (result is CONFIRMED)
            if confirmed:
                whose, since, until = open_until[request_id]
                assert right
                assert whose == person_id
                assert since <= now < until
                assert now >= latest
        elif what == "expire":
            ends += desk.expire(now)
        else:
            end = desk.fail(request_id, FactorOutcome.CONFIRMED, now)
            ends += [] if end is None else [end]
        if what != "answer":
            assert all(end.outcome is not FactorOutcome.CONFIRMED for end in ends)
        for end in ends:
            del open_until[end.request.request_id]  # ends once, and was open
        latest = max(latest, now)
        assert len(desk.pending) == len(open_until)
