"""Second factors that are awaited: who was asked, until when, and what an answer is worth.

A request ends once: by a right answer before its deadline, by so many wrong ones that the person is locked
out, or by its deadline. Whatever else happens denies: an answer for another request or another person,
a second answer, a late one, one at a time before a time already seen.

Wrong answers are counted by person over all their requests, until a right one. At ``max_wrong`` the person
is locked out for ``lockout_seconds``, each time twice as long as the last, up to a day (NIST SP 800-63B-4,
3.2.2, suggests growing delays). ``max_door_wrong`` within ``lockout_seconds``, whosever, lock the whole
desk: a right answer in between, by somebody who tries other people's, takes nothing of that back.
All of it is in memory: a restart forgets it.
"""

from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum

from edged.domain.second_factor import FactorCause, FactorKind, FactorOutcome, FactorSource

_LONGEST_LOCKOUT_SECONDS = 86_400.0
# More people cannot stand before one camera.
MAX_PENDING = 8


@dataclass(frozen=True, slots=True)
class FactorLimits:
    """How long is waited, and how many wrong answers are borne; all positive."""

    wait_seconds: float
    max_wrong: int
    max_door_wrong: int
    lockout_seconds: float


@dataclass(frozen=True, slots=True)
class FactorRequest:
    """Somebody was asked; times are monotonic seconds. ``request_id`` must not be guessable."""

    request_id: str
    person_id: str
    track_id: int
    cause: FactorCause
    asked_at: float
    deadline: float


@dataclass(frozen=True, slots=True)
class FactorEnd:
    """How a request ended ``at`` (monotonic seconds); see ``AskedFactor`` for the rest."""

    request: FactorRequest
    outcome: FactorOutcome
    at: float
    kind: FactorKind | None = None
    source: FactorSource | None = None
    wrong: int = 0


class AnswerResult(StrEnum):
    """What whoever answered is told. ``WRONG`` may try again, ``DENIED`` may not."""

    CONFIRMED = "confirmed"
    WRONG = "wrong"
    DENIED = "denied"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Answer:
    """``person_id`` is whose secret was compared, and ``right`` what came of it."""

    request_id: str
    person_id: str
    right: bool
    kind: FactorKind
    source: FactorSource


@dataclass(slots=True)
class _Pending:
    request: FactorRequest
    wrong: int = 0
    last: Answer | None = None


@dataclass(slots=True)
class _Record:
    """What a person did wrong: since their last right answer, and how often they were locked out for it."""

    wrong: int = 0
    lockouts: int = 0
    locked_until: float = float("-inf")


@dataclass(slots=True)
class _Door:
    wrong_at: deque[float] = field(default_factory=deque)
    locked_until: float = float("-inf")


class FactorDesk:
    """All requests that are awaited. One thread owns it; every time is a parameter."""

    def __init__(self, limits: FactorLimits) -> None:
        self.limits = limits
        self._pending: dict[str, _Pending] = {}
        self._records: dict[str, _Record] = {}
        self._door = _Door()
        self._now = float("-inf")

    @property
    def pending(self) -> list[FactorRequest]:
        """Who is awaited, the oldest first."""
        return [item.request for item in self._pending.values()]

    def ask(
        self, request_id: str, person_id: str, track_id: int, cause: FactorCause, now: float
    ) -> FactorRequest | FactorEnd:
        """Await an answer from now on; an end where it cannot be awaited."""
        backwards = self._advance(now)
        request = FactorRequest(request_id, person_id, track_id, cause, now, now + self.limits.wait_seconds)
        busy = len(self._pending) >= MAX_PENDING or request_id in self._pending
        if backwards or busy or any(each.person_id == person_id for each in self.pending):
            return FactorEnd(request, FactorOutcome.FAILED, now)
        if self._locked(person_id):
            return FactorEnd(request, FactorOutcome.LOCKED_OUT, now)
        self._pending[request_id] = _Pending(request)
        return request

    def find(self, request_id: str, now: float) -> FactorRequest | None:
        """Return a request that may still be answered at ``now``, None otherwise."""
        item = self._pending.get(request_id)
        if item is None or not self._now <= now < item.request.deadline:
            return None
        return item.request

    def answer(self, answer: Answer, now: float) -> tuple[AnswerResult, FactorEnd | None]:
        """Take an answer; the end is that of the request, None where it goes on or there is none."""
        backwards = self._advance(now)
        item = self._pending.get(answer.request_id)
        if item is None:
            return AnswerResult.UNKNOWN, None
        item.last = answer
        outcome = FactorOutcome.FAILED if backwards else self._judge(item, answer)
        if outcome is None:
            return AnswerResult.WRONG, None
        confirmed = outcome is FactorOutcome.CONFIRMED
        return AnswerResult.CONFIRMED if confirmed else AnswerResult.DENIED, self._end(item, outcome)

    def fail(self, request_id: str, outcome: FactorOutcome, now: float) -> FactorEnd | None:
        """End a request otherwise than by an answer; None where it has ended. Never confirms."""
        self._advance(now)
        item = self._pending.get(request_id)
        denial = FactorOutcome.FAILED if outcome is FactorOutcome.CONFIRMED else outcome
        return None if item is None else self._end(item, denial)

    def expire(self, now: float) -> list[FactorEnd]:
        """End and return what nobody has answered in time."""
        self._advance(now)
        over = [item for item in self._pending.values() if not self._now < item.request.deadline]
        return [self._end(item, FactorOutcome.UNANSWERED) for item in over]

    def close(self, now: float) -> list[FactorEnd]:
        """End and return all that is awaited: nobody will hear an answer any more."""
        self._advance(now)
        return [self._end(item, FactorOutcome.UNANSWERED) for item in list(self._pending.values())]

    def due_in(self, now: float) -> float | None:
        """Return the seconds to the next deadline, None where nothing is awaited."""
        deadlines = [request.deadline for request in self.pending]
        return max(0.0, min(deadlines) - now) if deadlines else None

    def _judge(self, item: _Pending, answer: Answer) -> FactorOutcome | None:
        """Return how the answer ends its request, None where it is wrong and another one may follow."""
        person_id = item.request.person_id
        if not self._now < item.request.deadline:
            return FactorOutcome.UNANSWERED
        if self._locked(person_id):
            return FactorOutcome.LOCKED_OUT
        if answer.right and answer.person_id == person_id:
            self._records.pop(person_id, None)
            return FactorOutcome.CONFIRMED
        item.wrong += 1
        self._count_wrong(person_id)
        return FactorOutcome.WRONG if self._locked(person_id) else None

    def _advance(self, now: float) -> bool:
        """Take note of the time; True where it is none (NaN) or before one seen already."""
        if now >= self._now:
            self._now = now
            return False
        return True

    def _locked(self, person_id: str) -> bool:
        record = self._records.get(person_id)
        own = float("-inf") if record is None else record.locked_until
        return self._now < max(own, self._door.locked_until)

    def _count_wrong(self, person_id: str) -> None:
        limits, door = self.limits, self._door
        record = self._records.setdefault(person_id, _Record())
        record.wrong += 1
        if record.wrong >= limits.max_wrong:
            longer = limits.lockout_seconds * 2.0 ** min(record.lockouts, 32)
            record.locked_until = self._now + min(longer, _LONGEST_LOCKOUT_SECONDS)
            record.wrong, record.lockouts = 0, record.lockouts + 1
        door.wrong_at.append(self._now)
        while door.wrong_at[0] < self._now - limits.lockout_seconds:
            door.wrong_at.popleft()
        if len(door.wrong_at) >= limits.max_door_wrong:
            door.locked_until = self._now + limits.lockout_seconds
            door.wrong_at.clear()

    def _end(self, item: _Pending, outcome: FactorOutcome) -> FactorEnd:
        del self._pending[item.request.request_id]
        last = item.last
        kind, source = (None, None) if last is None else (last.kind, last.source)
        return FactorEnd(item.request, outcome, self._now, kind, source, item.wrong)
