"""What follows from a decision: the record, the lock, the figures. Only here.

On a grant the event is recorded, then the door is asked. A write that takes longer than
``journal.record_first_ms`` keeps nobody waiting: the door opens and the record follows. A write that
fails is decided by ``journal.on_failure``: with ``deny`` the door stays shut and the visit becomes a
denial, with ``open`` it opens. Either way the event is kept in memory until it is written.

A door that takes no grant at this moment is known before anything is recorded: the visit is a denial then.
One that refuses later leaves its refusal on record, and the punch is taken back.
"""

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from edged.config.sections import JournalConfig
from edged.devices.clock import Clock
from edged.domain.attempts import seconds_left
from edged.domain.attendance import AttendanceClock, Punch
from edged.domain.event_body import access_body, attendance_body
from edged.domain.types import Decision, Event, EventKind, Gate, Outcome, Reason
from edged.metrics import Metrics
from edged.workers.door import DoorChange, UnlockRequest
from edged.workers.event_log import EventLog, Written
from edged.workers.gallery_sync import GalleryState
from edged.workers.open_punches import OpenPunches

logger = logging.getLogger(__name__)


class Door(Protocol):
    """The owner of the lock line; ``workers.door.DoorWorker`` is the real one."""

    def refusal(self, granted_at: float) -> str | None:
        """Say why a grant of ``granted_at`` (monotonic seconds) would be refused now, None if not."""

    def request(self, request: UnlockRequest) -> bool:
        """Ask for the door; False where it is not even considered."""


@dataclass(frozen=True, slots=True)
class Told:
    """A decision as a console is told it: what came of it, the id of its event, the punch if any."""

    decision: Decision
    event_id: str
    punch: str | None


class DecisionEffects:
    """Turns decisions into events and unlock requests; ``apply`` is called by the recognition thread alone.

    ``attendance`` is None where the clock is off. ``door`` is asked and never waited for.
    """

    def __init__(
        self,
        log: EventLog,
        door: Door,
        *,
        journal: JournalConfig,
        attendance: AttendanceClock | None,
        model: str,
        metrics: Metrics,
        clock: Clock,
        on_told: Callable[[Told], None] = lambda _told: None,
    ) -> None:
        self._attendance = attendance
        self._successors: deque[tuple[AttendanceClock | None, bool]] = deque()
        self._log = log
        self._door = door
        self._open = OpenPunches(log)
        self._journal = journal
        self._model = model
        self._metrics = metrics
        self._clock = clock
        self._on_told = on_told

    def replace_attendance(self, successor: AttendanceClock | None, *, learn: bool = True) -> None:
        """Change the time clock before the next decision, never within one; from any thread.

        It learns the punches of the present one, unless their times have turned out to be wrong.
        """
        self._successors.append((successor, learn))

    def door_answered(self, change: DoorChange) -> None:
        """Take back the punch of a grant that the door refused; from any thread."""
        if change.state != "locked":
            unlocked = change.state == "unlocked"
            self._open.answered(change.event_id, unlocked=unlocked, reason=change.reason)

    def apply(self, decision: Decision, state: GalleryState) -> bool:
        """Record ``decision``, open the door if it is a grant, count it.

        Return False for a grant that the door did not take: it opens nothing.
        """
        self._succeed()
        taken = True
        if decision.outcome is Outcome.GRANT:
            decision, event, punch = self._grant(decision, state)
            # After a failed write the cool-down stays: each try would add to what is kept in memory.
            taken = decision.reason is not Reason.DOOR_REFUSED
        else:
            event, punch = self._access_event(decision, state, None), None
            self._log.record(event)
        self._alarm(decision, event)
        self._count(decision)
        self._on_told(Told(decision, event.event_id, punch.kind.value if punch else None))
        return taken

    def _succeed(self) -> None:
        while self._successors:
            successor, learn = self._successors.popleft()
            if learn and successor is not None and self._attendance is not None:
                successor.learn(self._attendance)
            self._attendance = successor
        # Last: the journal that a successor was made of may not have held the withdrawal yet.
        self._open.settle(self._attendance)

    def _grant(self, decision: Decision, state: GalleryState) -> tuple[Decision, Event, Punch | None]:
        refusal = self._door.refusal(decision.freshest_at)
        if refusal is not None:
            return self._turned_away(decision, state, refusal)
        punch = self._punch(decision)
        access = self._access_event(decision, state, punch)
        events = (access, *self._attendance_event(access, punch))
        started = self._clock.monotonic()
        written = self._log.record_within(self._journal.record_first_ms / 1000, *events)
        self._metrics.stage.labels("journal").observe(self._clock.monotonic() - started)
        if written is Written.FAILED and self._journal.on_failure == "deny":
            return self._refuse(decision, access, punch)
        if written is Written.FAILED:
            self._log.keep(*events)
        request = UnlockRequest(
            access.event_id,
            "face",
            decision.freshest_at,
            # How fast the door is, not how fast somebody finds a badge.
            first_seen_at=decision.first_seen_at if decision.factor is None else None,
        )
        if punch is not None:
            self._open.add(punch, events[-1], access.event_id)
        if not self._door.request(request):
            # The line never moved for this grant; the journal must not look as if it had.
            refused = {"type": "refused", "cause": "face", "access_event_id": access.event_id}
            self._log.record(self._log.event(EventKind.DOOR, {**refused, "reason": "not_accepted"}))
            self._open.answered(access.event_id, unlocked=False, reason="not_accepted")
            punch = None
        return decision, access, punch

    def _turned_away(
        self, decision: Decision, state: GalleryState, refusal: str
    ) -> tuple[Decision, Event, None]:
        """Deny what the door would not take."""
        gate = Gate("door", refusal, "takes a grant", passed=False)
        denied = replace(
            decision, outcome=Outcome.DENY, reason=Reason.DOOR_REFUSED, trace=(*decision.trace, gate)
        )
        event = self._access_event(denied, state, None)
        self._log.record(event)
        return denied, event, None

    def _refuse(self, decision: Decision, access: Event, punch: Punch | None) -> tuple[Decision, Event, None]:
        """Turn a grant that could not be recorded into a denial, which is what happened."""
        if punch is not None and self._attendance is not None:
            self._attendance.withdraw(punch)
        gate = Gate("journal", "failed", "recorded", passed=False)
        denied = replace(
            decision, outcome=Outcome.DENY, reason=Reason.STORE_FAILED, trace=(*decision.trace, gate)
        )
        changed = {"decision": Outcome.DENY.value, "reason": Reason.STORE_FAILED.value, "punch": None}
        body = {**access.body, **changed}
        event = replace(access, body=body, trace=denied.trace)
        self._log.keep(event)
        return denied, event, None

    def _alarm(self, decision: Decision, access: Event) -> None:
        """Record what somebody should look at: a face that is not alive, the beginning of a delay."""
        about = {"access_event_id": access.event_id}
        if decision.reason is Reason.NOT_LIVE:
            self._log.record(self._log.event(EventKind.ALARM, {"type": "not_live", **about}))
        left = seconds_left(decision)
        if left is not None and decision.reason is not Reason.TOO_MANY_ATTEMPTS:
            until = round(self._clock.unix() + left, 3)
            body = {"type": "too_many_attempts", "until_unix": until, **about}
            self._log.record(self._log.event(EventKind.ALARM, body))

    def _punch(self, decision: Decision) -> Punch | None:
        if self._attendance is None or decision.person_id is None:
            return None
        unix = self._clock.unix()
        return self._attendance.punch(decision.person_id, unix, self._clock.local(unix))

    def _access_event(self, decision: Decision, state: GalleryState, punch: Punch | None) -> Event:
        latency = self._clock.monotonic() - decision.first_seen_at
        body = access_body(
            decision,
            latency_ms=latency * 1000,
            gallery_version=state.snapshot.version,
            model=self._model,
            direction=None if self._attendance is None else self._attendance.direction,
            punch=punch,
        )
        if decision.reason is Reason.TOO_MANY_ATTEMPTS:
            body["retry_seconds"] = round(seconds_left(decision) or 0.0, 1)
        event = self._log.event(EventKind.ACCESS, body, person_id=decision.person_id)
        return replace(event, trace=decision.trace)

    def _attendance_event(self, access: Event, punch: Punch | None) -> tuple[Event, ...]:
        if punch is None or self._attendance is None:
            return ()
        body = attendance_body(punch, direction=self._attendance.direction, access_event_id=access.event_id)
        event = self._log.event(EventKind.ATTENDANCE, body, person_id=punch.person_id)
        return (replace(event, occurred_at=punch.at),)

    def _count(self, decision: Decision) -> None:
        outcome = decision.outcome.value
        self._metrics.decisions.labels(outcome, decision.reason.value).inc()
        if decision.score > -1:
            self._metrics.match_score.labels(outcome).observe(decision.score)
            self._metrics.match_margin.observe(decision.margin)
