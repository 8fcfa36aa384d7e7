"""The challenge between a grant and the door: asked on the spot, answered in time, or denied.

It comes last: who reaches it has passed every gate of the engine, liveness among them, and has to pass
them again once the gesture was seen. While it is under way the pictures of a turned head deny nobody for
being less alike; the challenge itself ends in a grant or a denial, and so does a visit that leaves it.

A door that is not armed grants nothing and so asks for nothing; that it would have stands in the trace of
whom it would have let in, as a gate that was not passed.
"""

import logging
import secrets
from collections.abc import Callable
from dataclasses import replace

from edged.config.sections import LivenessConfig
from edged.domain.challenge import ChallengeDesk, ChallengePolicy, Prompt, Standing
from edged.domain.gallery import GallerySnapshot
from edged.domain.types import Decision, Gate, Observation, Outcome, Reason

logger = logging.getLogger(__name__)

# Of somebody whom an armed door would have asked.
NOT_ASKED = Gate("challenge", "not_asked", "passed", passed=False)
# What a head that turns as it is asked to may look like for a few pictures.
_TURNED_AWAY = frozenset({Reason.UNKNOWN, Reason.AMBIGUOUS, Reason.LOW_QUALITY, Reason.STALE})


class ChallengeWatch:
    """Holds grants back until ``desk`` has seen what it asked for; for the recognition thread alone.

    ``on_prompt`` is told of every change of what is asked, None where nobody is asked any more.
    """

    def __init__(self, desk: ChallengeDesk, on_prompt: Callable[[Prompt | None], None]) -> None:
        self._desk = desk
        self._on_prompt = on_prompt
        self._prompt: Prompt | None = None
        self._gallery: GallerySnapshot | None = None
        # Grants that are held back and not on record yet, and the visits whose denial is.
        self._held: dict[int, Decision] = {}
        self._denied: set[int] = set()

    def watch(
        self, seen: Observation, decision: Decision, gallery: GallerySnapshot, now: float
    ) -> Decision | None:
        """Take in a picture and what the engine made of it; return the denial of a challenge that failed."""
        if gallery is not self._gallery:
            self._gallery = gallery
            self._desk.drop()
        reason = self._desk.watch(seen, _matched(seen, decision), now)
        self.prompt(now)
        return self._denial(seen.track_id, reason)

    def judge(self, decision: Decision, now: float) -> Decision:
        """Return the decision, or the wait or denial that it becomes until the challenge is passed."""
        track_id = decision.track_id
        if decision.outcome is Outcome.WAIT:
            return decision
        if decision.outcome is Outcome.DENY and decision.reason is Reason.DISARMED and decision.person_id:
            return replace(decision, trace=(*decision.trace, NOT_ASKED))
        if decision.outcome is Outcome.DENY:
            turned = track_id in self._held and decision.reason in _TURNED_AWAY
            return replace(decision, outcome=Outcome.WAIT, reason=Reason.COLLECTING) if turned else decision
        standing = self._desk.ask(track_id, decision.person_id or "", now)
        gate = Gate("challenge", standing.value, "passed", standing is Standing.PASSED)
        asked = replace(decision, trace=(*decision.trace, gate))
        self.prompt(now)
        if standing is Standing.PASSED:
            self._held.pop(track_id, None)
            return asked
        self._held[track_id] = asked
        waiting = replace(asked, outcome=Outcome.WAIT, reason=Reason.COLLECTING)
        if standing is not Standing.BLOCKED:
            return waiting
        on_record = track_id in self._denied
        denial = self._denial(track_id, Reason.CHALLENGE_BLOCKED)
        return waiting if denial is None or on_record else denial

    def end(self, track_id: int, *, changed: bool) -> Decision | None:
        """Forget a track; return the denial of one that was asked and left, or ``changed`` its face."""
        reason = self._desk.end(track_id, changed=changed)
        denial = self._denial(track_id, reason or Reason.CHALLENGE_UNANSWERED)
        self._denied.discard(track_id)
        return denial

    def prompt(self, now: float) -> None:
        """Tell what is asked at ``now`` where that has changed."""
        prompt = self._desk.prompt(now)
        if prompt == self._prompt:
            return
        self._prompt = prompt
        if prompt is not None:
            logger.info("asked for gesture=%s number=%d of=%d", prompt.gesture, prompt.number, prompt.of)
        self._on_prompt(prompt)

    def _denial(self, track_id: int, reason: Reason | None) -> Decision | None:
        """Return the denial that a held grant becomes; None where nothing has failed or is held."""
        held = None if reason is None else self._held.pop(track_id, None)
        if held is None or reason is None:
            return None
        self._denied.add(track_id)
        gate = Gate("challenge", reason.value.removeprefix("challenge_"), "passed", passed=False)
        trace = (*held.trace[:-1], gate)
        # As with a face that is not alive: who was recognised was not shown to be there.
        return replace(held, outcome=Outcome.DENY, reason=reason, person_id=None, trace=trace)


def _matched(seen: Observation, decision: Decision) -> str | None:
    """Return whom this very picture was matched with: the engine asks for agreement of no other."""
    matched = any(gate.name == "agreement" for gate in decision.trace)
    return seen.match.person_id if matched and seen.match is not None else None


def challenge_watch(
    config: LivenessConfig, on_prompt: Callable[[Prompt | None], None], *, mirrored: bool = False
) -> ChallengeWatch | None:
    """Return the watch of a door that asks for gestures, None where it asks for none.

    ``mirrored``: the camera's pictures are mirror images.
    """
    if config.challenge == "off":
        return None
    policy = ChallengePolicy(config.challenge_turns, config.challenge_seconds, mirrored)
    return ChallengeWatch(ChallengeDesk(policy, secrets.choice), on_prompt)
