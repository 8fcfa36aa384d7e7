"""What follows from a decision, on a healthy, a slow and a dead disk."""

import logging
from dataclasses import replace
from datetime import date

import pytest
from prometheus_client import generate_latest

from edged.config.sections import JournalConfig
from edged.domain.attendance import AttendanceClock
from edged.domain.attendance_report import Stamp, stamps_between
from edged.domain.calibration import threshold_for
from edged.domain.event_body import punch_of
from edged.domain.risk import Risk
from edged.domain.types import Decision, EventKind, Gate, Outcome, Reason, StoredEvent
from edged.errors import StoreError
from edged.workers.door import DoorChange, UnlockRequest
from edged.workers.effects import DecisionEffects, Told
from edged.workers.gallery_sync import GalleryState
from tests.unit.domain.conftest import gallery as gallery_fixture
from tests.unit.workers.test_event_log import Desk

TRACE = (Gate("score", 0.7, 0.4, passed=True),)
GRANT = Decision(
    Outcome.GRANT,
    Reason.MATCHED,
    1,
    "p-ada",
    0.7,
    0.5,
    3,
    0.9,
    first_seen_at=99.5,
    freshest_at=99.9,
    trace=TRACE,
)
DENY = Decision(Outcome.DENY, Reason.UNKNOWN, 2, None, 0.1, 0.05, 5, 0.9, first_seen_at=99, freshest_at=99.9)
gallery = gallery_fixture


class Stage(Desk):
    def __init__(self, snapshot: object, on_failure: str = "deny") -> None:
        super().__init__()
        self.requests: list[UnlockRequest] = []
        self.told: list[Told] = []
        self.door_takes = True
        self.door_refuses: str | None = None
        self.state = GalleryState(snapshot, threshold_for((), 3, Risk(1e-3)))
        self.effects = DecisionEffects(
            self.log,
            self,
            journal=JournalConfig(on_failure=on_failure, record_first_ms=5),
            attendance=AttendanceClock("in", 60),
            model="toy",
            metrics=self.metrics,
            clock=self.clock,
            on_told=self.told.append,
        )

    def refusal(self, granted_at: float) -> str | None:
        assert granted_at == GRANT.freshest_at
        return self.door_refuses

    def request(self, request: UnlockRequest) -> bool:
        self.requests.append(request)
        return self.door_takes

    def answer(self, state: str, reason: str | None = None) -> None:
        """Say what the line did with the newest request."""
        self.effects.door_answered(DoorChange(state, 100.0, self.requests[-1].event_id, "face", 0.0, reason))

    def stamps(self) -> list[Stamp]:
        stored = [StoredEvent("epoch", seq, event, "") for seq, event in enumerate(self.journal.rows, 1)]
        return stamps_between(stored, date.min, date.max)

    def apply(self, decision: Decision) -> bool:
        return self.effects.apply(decision, self.state)

    def kinds(self) -> list[EventKind]:
        return [event.kind for event in self.journal.rows]

    def decisions(self) -> list[tuple[str, str]]:
        return [
            (e.body["decision"], e.body["reason"]) for e in self.journal.rows if e.kind is EventKind.ACCESS
        ]


@pytest.fixture
def stage(gallery: object) -> Stage:
    return Stage(gallery)


def test_a_grant_is_recorded_with_its_punch_and_trace_then_the_door_is_asked(stage: Stage) -> None:
    stage.apply(GRANT)
    access, punch = stage.journal.rows
    assert stage.kinds() == [EventKind.ACCESS, EventKind.ATTENDANCE]
    assert (access.person_id, access.trace, access.body["latency_ms"]) == ("p-ada", TRACE, 500.0)
    assert punch.body["access_event_id"] == access.event_id == stage.requests[0].event_id
    assert stage.requests[0].granted_at == 99.9
    assert stage.told[0].punch == "in"


def test_a_denial_is_recorded_and_the_door_is_not_asked(stage: Stage) -> None:
    stage.apply(DENY)
    assert stage.decisions() == [("denied", "unknown")]
    assert stage.requests == []
    assert stage.metrics.registry.get_sample_value(
        "edged_decisions_total", {"decision": "denied", "reason": "unknown"}
    ) == 1  # fmt: skip


def test_whom_a_door_in_shadow_mode_would_let_in_is_named_and_neither_opens_nor_punches(stage: Stage) -> None:
    stage.apply(replace(GRANT, outcome=Outcome.DENY, reason=Reason.DISARMED))
    (access,) = stage.journal.rows
    assert (access.kind, access.person_id) == (EventKind.ACCESS, "p-ada")
    assert (access.body["decision"], access.body["reason"]) == ("denied", "disarmed")
    assert access.body["punch"] is None
    assert stage.requests == []


def test_a_second_grant_within_the_window_makes_no_second_punch(stage: Stage) -> None:
    stage.apply(GRANT)
    stage.apply(replace(GRANT, track_id=7))
    assert stage.kinds() == [EventKind.ACCESS, EventKind.ATTENDANCE, EventKind.ACCESS]
    assert len(stage.requests) == 2


def test_on_a_dead_disk_deny_keeps_the_door_shut_and_tells_a_denial(stage: Stage) -> None:
    stage.journal.mode = "fail"
    stage.apply(GRANT)
    assert stage.requests == []
    assert (stage.told[0].decision.outcome, stage.told[0].decision.reason) == (
        Outcome.DENY,
        Reason.STORE_FAILED,
    )
    stage.journal.mode = "accept"
    stage.retry()
    assert stage.decisions() == [("denied", "store_failed")]
    assert stage.journal.rows[0].trace[-1].name == "journal"
    stage.apply(GRANT)
    assert stage.kinds()[-1] is EventKind.ATTENDANCE


def test_on_a_dead_disk_open_opens_and_keeps_the_event(gallery: object) -> None:
    stage = Stage(gallery, on_failure="open")
    stage.journal.mode = "fail"
    stage.apply(GRANT)
    assert len(stage.requests) == 1
    stage.journal.mode = "accept"
    stage.retry()
    assert stage.decisions() == [("granted", "matched")]


def test_a_slow_disk_keeps_nobody_waiting_and_loses_nothing(stage: Stage) -> None:
    stage.journal.mode = "hang"
    stage.apply(GRANT)
    assert len(stage.requests) == 1
    future, _ = stage.journal.waiting[0]
    future.set_exception(StoreError("gone after all"))
    stage.journal.mode = "accept"
    stage.retry()
    assert stage.decisions() == [("granted", "matched")]


def test_what_the_door_would_not_take_is_a_denial_without_a_punch(stage: Stage) -> None:
    stage.door_refuses = "stopping"
    assert not stage.apply(GRANT)
    assert stage.kinds() == [EventKind.ACCESS]
    assert stage.decisions() == [("denied", "door_refused")]
    assert stage.journal.rows[0].trace[-1] == Gate("door", "stopping", "takes a grant", passed=False)
    assert (stage.requests, stage.told[0].punch) == ([], None)
    stage.door_refuses = None
    assert stage.apply(replace(GRANT, track_id=7))
    assert stage.told[1].punch == "in"


def test_a_door_that_takes_no_more_in_between_is_on_record_and_the_punch_taken_back(stage: Stage) -> None:
    stage.door_takes = False
    stage.apply(GRANT)
    _, punch, refused, withdrawal = stage.journal.rows
    assert (refused.kind, refused.body["type"]) == (EventKind.DOOR, "refused")
    assert withdrawal.body["withdraws"] == punch.event_id
    assert (stage.stamps(), stage.told[0].punch) == ([], None)


@pytest.mark.parametrize(("state", "reason"), [("refused", "stale"), ("failed", "line_failed")])
def test_the_punch_of_a_door_that_did_not_open_is_taken_back(stage: Stage, state: str, reason: str) -> None:
    stage.apply(GRANT)
    stage.answer(state, reason)
    withdrawal = stage.journal.rows[-1]
    assert withdrawal.body["withdraws"] == stage.journal.rows[1].event_id
    assert (withdrawal.body["reason"], withdrawal.person_id) == (reason, "p-ada")
    assert stage.stamps() == []
    stage.apply(replace(GRANT, track_id=7))
    assert stage.told[1].punch == "in"
    assert len(stage.stamps()) == 1


@pytest.mark.parametrize("answered_first", [True, False])
def test_a_punch_is_taken_back_from_the_time_clock_that_follows(
    stage: Stage, *, answered_first: bool
) -> None:
    stage.effects.replace_attendance(AttendanceClock("toggle", 0))
    stage.apply(GRANT)  # in
    stage.answer("unlocked")
    stage.apply(replace(GRANT, track_id=7))  # out, which the door refuses
    if answered_first:
        stage.answer("refused", "stale")
    # Made of a journal that holds the second punch and no withdrawal yet.
    newest = punch_of(
        next(
            e
            for e in reversed(stage.journal.rows)
            if "withdraws" not in e.body and "punch" in e.body and e.kind is EventKind.ATTENDANCE
        )
    )
    stage.effects.replace_attendance(AttendanceClock("toggle", 0, [newest]))
    if not answered_first:
        stage.apply(DENY)
        stage.answer("refused", "stale")
    stage.apply(replace(GRANT, track_id=8))
    assert [told.punch for told in stage.told if told.decision.outcome is Outcome.GRANT] == [
        "in",
        "out",
        "out",
    ]


def test_the_punch_of_a_door_that_opened_stands(stage: Stage) -> None:
    stage.apply(GRANT)
    stage.answer("unlocked")
    stage.answer("locked")
    stage.answer("failed", "line_failed")  # the relock; the person is in
    assert stage.kinds() == [EventKind.ACCESS, EventKind.ATTENDANCE]
    assert len(stage.stamps()) == 1


def test_another_time_clock_knows_the_punches_that_are_on_no_disk_yet(gallery: object) -> None:
    stage = Stage(gallery, on_failure="open")
    stage.journal.mode = "fail"
    stage.apply(GRANT)
    stage.effects.replace_attendance(AttendanceClock("toggle", 60))
    stage.apply(replace(GRANT, track_id=7))
    stage.effects.replace_attendance(AttendanceClock("toggle", 0))
    stage.apply(replace(GRANT, track_id=8))
    assert [told.punch for told in stage.told] == ["in", None, "out"]


def test_a_time_clock_is_replaced_between_two_decisions_and_not_within_one(stage: Stage) -> None:
    unix = stage.clock.unix

    def meanwhile() -> float:
        stage.effects.replace_attendance(None)
        return unix()

    stage.clock.unix = meanwhile
    stage.apply(GRANT)
    assert stage.kinds() == [EventKind.ACCESS, EventKind.ATTENDANCE]
    assert stage.journal.rows[0].body["punch"] == "in"
    stage.apply(replace(GRANT, person_id="p-ben"))
    assert stage.journal.rows[-1].body["direction"] is None


def alarms(stage: Stage) -> list[str]:
    return [event.body["type"] for event in stage.journal.rows if event.kind is EventKind.ALARM]


def test_a_face_that_is_not_alive_raises_an_alarm(stage: Stage) -> None:
    stage.apply(replace(DENY, reason=Reason.NOT_LIVE))
    assert alarms(stage) == ["not_live"]
    access, alarm = stage.journal.rows
    assert alarm.body["access_event_id"] == access.event_id


def test_the_beginning_of_a_delay_raises_an_alarm_and_what_it_refuses_does_not(stage: Stage) -> None:
    stage.apply(replace(DENY, trace=(Gate("attempts", 30.0, 0.0, passed=False),)))
    assert alarms(stage) == ["too_many_attempts"]
    assert stage.journal.rows[-1].body["until_unix"] == pytest.approx(stage.clock.unix() + 30, abs=5)
    refused = replace(
        GRANT,
        outcome=Outcome.DENY,
        reason=Reason.TOO_MANY_ATTEMPTS,
        trace=(*TRACE, Gate("attempts", 12.0, 0.0, passed=False)),
    )
    stage.apply(refused)
    assert alarms(stage) == ["too_many_attempts"]
    assert stage.decisions()[-1] == ("denied", "too_many_attempts")
    assert stage.requests == []


def test_five_hundred_people_make_no_series_and_are_named_in_no_log(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    def series() -> set[str]:
        page = generate_latest(stage.metrics.registry).decode()
        return {line.rsplit(" ", 1)[0] for line in page.splitlines() if line[0] != "#"}

    before = series()
    caplog.set_level(logging.INFO)
    people = [f"p-{number:010d}" for number in range(500)]
    for person in people:
        stage.apply(replace(GRANT, person_id=person))
        stage.apply(replace(DENY, person_id=person, reason=Reason.UNKNOWN))
    assert len(stage.requests) == len(people)
    assert series() == before
    assert len(before) > 200
    assert not [text for text in (*series(), *caplog.messages) if "p-0" in text]
