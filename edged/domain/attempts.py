"""Refused attempts at one door: after several of them nobody is let in for a moment.

Somebody who tries photograph after photograph gets few tries an hour instead of hundreds. The delay is
short, and what happens within it neither counts nor prolongs it: a stranger can hold up those who belong
here for so long and no longer, and one who merely stands there is a single attempt. A picture that flows
into the next is an attempt for each face that it shows: one unlike those that were refused begins a track of
its own (``same_face``). A person who would have been let in is refused and recorded meanwhile, and comes in
afterwards without stepping out of view. The delay stands before recognition alone; an exit button never
comes this way, and whoever was asked for a second factor before it began may still answer: wrong answers
have a limit of their own (``factor_desk``).
"""

from collections import deque
from dataclasses import dataclass, replace

from edged.domain.types import Decision, Gate, Outcome, Reason

GATE = "attempts"
# A face that is nobody's, two people's, not alive or without the gesture may be somebody who tries. A poor
# picture, a cool-down or a schedule is no guess at who may enter.
_COUNTED = frozenset(
    {
        Reason.UNKNOWN,
        Reason.AMBIGUOUS,
        Reason.VETOED,
        Reason.NOT_LIVE,
        Reason.CHALLENGE_UNANSWERED,
        Reason.CHALLENGE_WRONG,
        Reason.CHALLENGE_BROKEN,
    }
)


@dataclass(frozen=True, slots=True)
class AttemptLimit:
    """``count`` refused visits within ``window_seconds`` shut the door for ``delay_seconds``."""

    count: int
    window_seconds: float
    delay_seconds: float


class Attempts:
    """State of one reader; one thread owns it. Times are monotonic seconds.

    ``shut_until`` is the end of a delay that began before.
    """

    def __init__(self, shut_until: float = float("-inf")) -> None:
        self._refused: deque[tuple[float, int]] = deque()
        self._shut_until = shut_until
        self._told: set[int] = set()

    def judge(self, decision: Decision, limit: AttemptLimit | None, now: float) -> Decision:
        """Return the decision, or the denial or the wait that a grant or asking becomes within the delay.

        ``limit`` None: nothing is counted. The denial that begins the delay carries a failed gate
        ``attempts``, and so does a refused grant, with the seconds left as its value.
        """
        if limit is None:
            return decision
        # A limit that was lowered while the delay runs shortens it.
        self._shut_until = min(self._shut_until, now + limit.delay_seconds)
        left = self._shut_until - now
        if decision.outcome in (Outcome.GRANT, Outcome.ASK):
            return self._refuse(decision, left) if left > 0 else decision
        if left > 0 or not is_attempt(decision):
            return decision
        return self._count(decision, limit, now)

    def _refuse(self, decision: Decision, left: float) -> Decision:
        gate = Gate(GATE, left, 0.0, passed=False)
        outcome = Outcome.WAIT if decision.track_id in self._told else Outcome.DENY
        self._told.add(decision.track_id)
        trace = (*decision.trace, gate)
        return replace(decision, outcome=outcome, reason=Reason.TOO_MANY_ATTEMPTS, trace=trace, factor=None)

    def _count(self, decision: Decision, limit: AttemptLimit, now: float) -> Decision:
        while self._refused and now - self._refused[0][0] > limit.window_seconds:
            self._refused.popleft()
        if all(track_id != decision.track_id for _, track_id in self._refused):
            self._refused.append((now, decision.track_id))
        if len(self._refused) < limit.count:
            return decision
        self._refused.clear()
        self._told.clear()
        self._shut_until = now + limit.delay_seconds
        gate = Gate(GATE, float(limit.delay_seconds), 0.0, passed=False)
        return replace(decision, trace=(*decision.trace, gate))


def is_attempt(decision: Decision) -> bool:
    """Whether a decision refuses somebody who may have tried to get in as another."""
    return decision.outcome is Outcome.DENY and decision.reason in _COUNTED


def seconds_left(decision: Decision) -> float | None:
    """Return for how long nobody is let in after this decision; None where it says nothing of that."""
    last = decision.trace[-1] if decision.trace else None
    return last.value if last and last.name == GATE and isinstance(last.value, float) else None
