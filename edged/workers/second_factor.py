"""Between a decision that asks for a second factor and what follows from it.

``FactorClerk.decide`` stands before the effects: what is neither a grant nor a denial yet is put on the desk.
Answers come from any thread and settle what the desk says; ``settle``, on the recognition thread, turns ended
requests into decisions, and only these reach the door. Whoever was confirmed is held against everything that
may have changed while they were awaited: the arming, the threshold, the gallery, their own rules. The lock's
owner counts the age of the grant from the right answer, so that one which lay about is refused.

Nothing of a request outlives the daemon: at its stop all that is awaited is denied and recorded.
"""

import logging
import secrets
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from edged.devices.clock import Clock
from edged.domain.factor_desk import Answer, AnswerResult, FactorDesk, FactorEnd, FactorLimits, FactorRequest
from edged.domain.factor_text import normal
from edged.domain.gallery import GallerySnapshot
from edged.domain.second_factor import AskedFactor, FactorCause, FactorKind, FactorOutcome, FactorSource
from edged.domain.types import Decision, Gate, Outcome, Reason
from edged.errors import EdgedError
from edged.metrics import Metrics
from edged.storage.factors import Verifier
from edged.workers.gallery_sync import GalleryState
from edged.workers.recognition import RecognitionSettings

logger = logging.getLogger(__name__)

_REASONS = {
    FactorOutcome.UNANSWERED: Reason.SECOND_FACTOR_UNANSWERED,
    FactorOutcome.WRONG: Reason.SECOND_FACTOR_WRONG,
    FactorOutcome.LOCKED_OUT: Reason.SECOND_FACTOR_LOCKED_OUT,
    FactorOutcome.MISSING: Reason.NO_SECOND_FACTOR,
    FactorOutcome.FAILED: Reason.SECOND_FACTOR_FAILED,
}


class Secrets(Protocol):
    """Where people's PINs and badges are; ``storage.people.PeopleStore`` is the real one."""

    def factors(self, person_id: str) -> Mapping[FactorKind, Verifier]:
        """Return what checks a person's answers; from any thread. Raises ``StoreError``."""


@dataclass(frozen=True, slots=True)
class FactorNews:
    """A request that was made, or one that ended: ``outcome`` None and what it was."""

    request: FactorRequest
    kinds: tuple[FactorKind, ...]
    outcome: FactorOutcome | None = None


class FactorClerk:
    """Owns the desk. ``decide``, ``settle`` and ``close`` belong to the recognition thread.

    ``act`` takes a decision that is final; ``on_news`` is told of requests and must not block. ``on_refused``
    is given back the decision that asked where its grant opened nothing. ``settings`` returns the rules in
    force.
    """

    def __init__(
        self,
        people: Secrets,
        *,
        limits: FactorLimits,
        accept: Collection[FactorKind],
        settings: Callable[[], RecognitionSettings],
        act: Callable[[Decision, GalleryState], bool],
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        self.on_news: Callable[[FactorNews], None] = lambda _news: None
        self.on_refused: Callable[[Decision], None] = lambda _asked: None
        self._people = people
        self._accept = frozenset(accept)
        self._settings = settings
        self._act = act
        self._metrics = metrics
        self._clock = clock
        self._weighing = threading.Lock()  # one hash at a time: it takes 16 MiB and a core
        self._lock = threading.Lock()  # over all that follows
        self._desk = FactorDesk(limits)
        self._asked: dict[str, tuple[Decision, tuple[FactorKind, ...]]] = {}
        self._matched_in: dict[str, GallerySnapshot] = {}
        self._ended: list[FactorEnd] = []

    def decide(self, decision: Decision, state: GalleryState) -> bool:
        """Put a decision that asks on the desk, let every other one take effect.

        Returns what ``act`` did, True for one that asks. Raises ``ValueError`` for one that asks without
        cause or person.
        """
        if decision.outcome is not Outcome.ASK:
            return self._act(self._foreseen(decision), state)
        asked, person_id = decision.factor, decision.person_id
        if asked is None or person_id is None:
            raise ValueError("a decision that asks for a second factor without cause or person")
        kinds, failure = self._kinds(person_id)
        request_id = secrets.token_urlsafe(16)
        with self._lock:
            now = self._clock.monotonic()  # inside: an answer before it would make it a time of the past
            made = self._desk.ask(request_id, person_id, decision.track_id, asked.cause, now)
            end = made if isinstance(made, FactorEnd) else None
            if end is None and failure is not None:
                end = self._desk.fail(request_id, failure, now)
            # Without kinds nobody is told, neither now nor at the end: nothing was to be answered.
            self._asked[request_id] = decision, kinds if end is None else ()
            self._matched_in[request_id] = state.snapshot
            if end is not None:
                self._ended.append(end)
            pending = len(self._desk.pending)
        self._metrics.second_factors_pending.set(pending)
        if isinstance(made, FactorRequest) and end is None:
            self.on_news(FactorNews(made, kinds))
        self.settle(state)
        return True

    def pending(self) -> list[FactorNews]:
        """Return what is awaited, the oldest first; from any thread."""
        with self._lock:
            return [FactorNews(request, self._asked[request.request_id][1]) for request in self._desk.pending]

    def answer(self, request_id: str, kind: FactorKind, text: str, source: FactorSource) -> AnswerResult:
        """Weigh an answer; from any thread. Takes the time of a hash where there is a request."""
        with self._weighing:
            return self._weigh(request_id, kind, text, source)

    def _weigh(self, request_id: str, kind: FactorKind, text: str, source: FactorSource) -> AnswerResult:
        with self._lock:
            request = self._desk.find(request_id, self._clock.monotonic())
            kinds = self._asked[request_id][1] if request is not None else ()
        if request is None:
            return AnswerResult.UNKNOWN
        right = kind in kinds and self._is_right(request.person_id, kind, text)
        if right is None:
            return self._fail(request_id)
        answer = Answer(request_id, request.person_id, right, kind, source)
        with self._lock:
            # The time after the hash: an answer counts when it is known to be right.
            result, end = self._desk.answer(answer, self._clock.monotonic())
            if end is not None:
                self._ended.append(end)
        return result

    def settle(self, state: GalleryState) -> None:
        """Let take effect what has ended by now; call it often."""
        with self._lock:
            ended = [*self._ended, *self._desk.expire(self._clock.monotonic())]
            self._ended.clear()
            decided = [(end, *self._asked.pop(end.request.request_id)) for end in ended]
            galleries = [self._matched_in.pop(end.request.request_id) for end in ended]
            pending = len(self._desk.pending)
        for (end, decision, kinds), gallery in zip(decided, galleries, strict=True):
            self._conclude(end, decision, kinds, state, same_gallery=gallery is state.snapshot)
        if decided:
            self._metrics.second_factors_pending.set(pending)

    def close(self, state: GalleryState) -> None:
        """Deny and record all that is awaited, once the recognition thread has ended."""
        with self._lock:
            self._ended += self._desk.close(self._clock.monotonic())
        self.settle(state)

    def _foreseen(self, decision: Decision) -> Decision:
        """Return what an armed door would have decided, as far as that is certain without an answer.

        In shadow mode nobody is asked. Who has nothing to answer with would have been denied for that, and
        is; of everybody else it stays open.
        """
        factor, person_id = decision.factor, decision.person_id
        if decision.reason is not Reason.DISARMED or factor is None or person_id is None:
            return decision
        _, failure = self._kinds(person_id)
        if failure is not FactorOutcome.MISSING:
            return decision
        gate = Gate("second_factor", failure.value, factor.cause.value, passed=False)
        return replace(
            decision,
            reason=_REASONS[failure],
            trace=(*decision.trace, gate),
            factor=replace(factor, outcome=failure),
        )

    def _kinds(self, person_id: str) -> tuple[tuple[FactorKind, ...], FactorOutcome | None]:
        """Return what the person can answer with; without any also how the asking ends."""
        try:
            has = self._people.factors(person_id)
        except EdgedError as exc:
            logger.warning("second factor cannot be asked for error=%s", exc)
            return (), FactorOutcome.FAILED
        kinds = tuple(kind for kind in FactorKind if kind in has and kind in self._accept)
        return kinds, None if kinds else FactorOutcome.MISSING

    def _is_right(self, person_id: str, kind: FactorKind, text: str) -> bool | None:
        """Compare with what is stored now; None where that cannot be read."""
        try:
            verifier = self._people.factors(person_id).get(kind)
        except EdgedError as exc:
            logger.warning("second factor cannot be checked error=%s", exc)
            return None
        return verifier is not None and verifier.accepts(normal(kind, text))

    def _fail(self, request_id: str) -> AnswerResult:
        with self._lock:
            end = self._desk.fail(request_id, FactorOutcome.FAILED, self._clock.monotonic())
            if end is not None:
                self._ended.append(end)
        return AnswerResult.DENIED

    def _conclude(
        self,
        end: FactorEnd,
        decision: Decision,
        kinds: tuple[FactorKind, ...],
        state: GalleryState,
        *,
        same_gallery: bool,
    ) -> None:
        outcome, reason = end.outcome, _REASONS.get(end.outcome)
        if outcome is FactorOutcome.CONFIRMED:
            reason = self._objection(end, decision, state)
            if reason is None and not same_gallery:
                reason = Reason.STALE  # as in the engine: what was seen under another gallery is no evidence
            outcome = outcome if reason is None else FactorOutcome.WITHDRAWN
        cause = end.request.cause
        factor = AskedFactor(cause, outcome, end.kind, end.source, end.wrong)
        passed = outcome is FactorOutcome.CONFIRMED and reason is None
        gate = Gate("second_factor", outcome.value, cause.value, passed)
        final = replace(
            decision,
            outcome=Outcome.GRANT if passed else Outcome.DENY,
            reason=Reason.MATCHED if passed else reason or Reason.SECOND_FACTOR_FAILED,
            freshest_at=end.at,
            trace=(*decision.trace, gate),
            factor=factor,
        )
        self._metrics.second_factors.labels(cause.value, outcome.value).inc()
        if not self._act(final, state) and passed:
            self.on_refused(decision)
        if kinds:
            self.on_news(FactorNews(end.request, kinds, outcome))

    def _objection(self, end: FactorEnd, decision: Decision, state: GalleryState) -> Reason | None:
        """Say what stands against somebody whose answer was right, as things are now.

        One second factor settles one doubt: an unsure liveness does not open a door that is over its budget.
        """
        settings, person = self._settings(), state.snapshot.person(end.request.person_id)
        policy = settings.policy(state.threshold.cosine)
        carries = policy.second_factor.carries_risk and end.request.cause is not FactorCause.LIVENESS
        if not policy.armed or policy.threshold is None or (state.snapshot.over_budget and not carries):
            return Reason.DISARMED
        if not decision.score >= policy.threshold:
            return Reason.UNKNOWN
        if person is None:
            return Reason.DISABLED
        return settings.rules.refusal(person, self._clock.door_time())
