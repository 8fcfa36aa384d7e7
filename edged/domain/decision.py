"""Grant, deny or wait.

Each frame of a track is judged by gates in a fixed order; the first that fails names the frame's
reason. A grant needs ``confirm_frames`` of the last ``window_frames`` frames, the newest among them,
all passed, all for one person and all of one face (``same_face``); then the mean of all the track's
recent faces, whoever they matched, must pass as they did (``pooling``); then, where it is required,
liveness over those frames, the person's own rules and the cool-down. What is missing (no threshold, no
liveness where it is required, a clock that ran backwards) fails its gate.

A door that is not armed decides all the same (shadow mode): who would have been let in is denied as
``disarmed`` at the very last gate, with the person's id, as often as they would have been let in.

A person whom another one resembles has limits of their own, higher than everybody's (``lookalikes``). A
face that is like one that was taken for the person before, and was not theirs, is vetoed, and with it the
track, as that person (``vetoes``).

Where a doubt is left that a second factor may settle (``second_factor``), what would have been a grant asks
for one. That is no grant: whoever takes the decision has to deny it unless the answer comes in time.

A denial is reported once a track and reason. A track that was denied may still be granted later:
somebody who looks away first and then at the camera comes in.
"""

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from edged.domain.access import AccessRules
from edged.domain.cooldown import Cooldowns
from edged.domain.decision_policy import DecisionPolicy
from edged.domain.gallery import GallerySnapshot
from edged.domain.likeness import candidates, likeness, mean_likeness
from edged.domain.liveness import RunningMean, measured, visit_liveness
from edged.domain.matching import at_least
from edged.domain.pooling import Pool
from edged.domain.same_face import of_one_face
from edged.domain.second_factor import AskedFactor
from edged.domain.types import Decision, FloatArray, Gate, Match, Observation, Outcome, Reason
from edged.domain.vetoes import vetoed_people

__all__ = ["DecisionEngine", "DecisionPolicy"]


@dataclass(frozen=True, slots=True)
class _Evidence:
    seq: int
    captured_at: float
    reason: Reason
    person_id: str | None
    liveness: float | None
    vector: FloatArray | None


@dataclass(frozen=True, slots=True)
class _Moment:
    gallery: GallerySnapshot
    now: float
    local: datetime | None


@dataclass(slots=True)
class _Track:
    first_seen_at: float
    window: deque[_Evidence]
    pool: Pool = field(default_factory=Pool)
    granted: set[str] = field(default_factory=set)
    reported: set[Reason] = field(default_factory=set)
    vetoed: set[str] = field(default_factory=set)
    latest: Observation | None = None
    compared: Match | None = None
    trace: tuple[Gate, ...] = ()
    frames: int = 0
    liveness: float | None = None
    lifelong: RunningMean = field(default_factory=RunningMean)


class DecisionEngine:
    """State of all tracks and cool-downs. One thread owns it; every time is a parameter."""

    def __init__(self, policy: DecisionPolicy, rules: AccessRules) -> None:
        self.policy = policy
        self.rules = rules
        self._tracks: dict[int, _Track] = {}
        self._cooldowns = Cooldowns()
        self._now = float("-inf")
        self._gallery: GallerySnapshot | None = None

    def step(
        self, observation: Observation, gallery: GallerySnapshot, now: float, local: datetime | None
    ) -> Decision:
        """Judge one face of one frame. Evidence gathered under another gallery is dropped.

        ``now`` monotonic seconds; ``local`` the door's aware local time, None where that is not known.
        Call it for the nearest face first.
        """
        if gallery is not self._gallery:
            self._gallery = gallery
            self._drop_evidence()
        track = self._tracks.get(observation.track_id)
        if track is None:
            window: deque[_Evidence] = deque(maxlen=self.policy.window_frames)
            track = self._tracks[observation.track_id] = _Track(observation.captured_at, window)
        reason, gates = self._judge_frame(observation, gallery, now)
        track.vetoed |= vetoed_people(observation, gallery, self.policy.threshold, self.policy.min_margin)
        self._now = max(self._now, now)
        person_id = observation.match.person_id if reason is Reason.MATCHED and observation.match else None
        if person_id in track.vetoed:
            gates.append(Gate("visit_veto", "an earlier picture", None, passed=False))
            reason, person_id = Reason.VETOED, None
        track.liveness = observation.liveness
        if not track.window or observation.frame_seq > track.window[-1].seq:
            self._remember(track, observation, reason, person_id)
        elif track.window[-1].person_id != person_id:
            # The same picture twice is one piece of evidence, and no way to change it.
            reason, person_id = Reason.STALE, None
        track.latest, track.compared = observation, observation.match or track.compared
        if person_id is not None:
            self._cooldowns.seen(person_id, observation.captured_at, self.policy.absence_seconds)
        if reason is not Reason.MATCHED or person_id is None:
            track.trace = tuple(gates)
            return self._deny_when_settled(observation.track_id, track)
        return self._decide_person(observation, track, gates, person_id, _Moment(gallery, now, local))

    def _remember(self, track: _Track, seen: Observation, reason: Reason, person_id: str | None) -> None:
        """Add a frame to the evidence. One that matched but is not alive by itself says so if asked."""
        if reason is not Reason.STALE:
            track.pool.add(seen, self.policy.evidence_seconds)
        if person_id is not None:
            track.lifelong.add(seen.liveness)
            if self.policy.liveness_required and not self._alive(seen.liveness):
                reason = Reason.NOT_LIVE
        track.window.append(
            _Evidence(seen.frame_seq, seen.captured_at, reason, person_id, seen.liveness, seen.vector)
        )
        track.frames += 1

    def end(self, track_id: int) -> Decision | None:
        """Forget a track; a denial if it had enough frames and nothing was reported of it."""
        track = self._tracks.pop(track_id, None)
        if track is None or track.granted or track.reported or track.frames < self.policy.confirm_frames:
            return None
        return self._denial(track_id, track, self._dominant(track))

    def reconfigure(self, policy: DecisionPolicy, rules: AccessRules) -> None:
        """Take new numbers; evidence gathered under the old ones is dropped, cool-downs stay."""
        if (policy, rules) == (self.policy, self.rules):
            return
        before, self.policy, self.rules = self.policy, policy, rules
        self._drop_evidence()
        # A threshold that moves with the number of people must not make a held-up photograph forgotten.
        if (before.liveness_required, before.liveness_threshold) != (
            policy.liveness_required,
            policy.liveness_threshold,
        ):
            for track in self._tracks.values():
                track.lifelong = RunningMean()

    def _drop_evidence(self) -> None:
        for track in self._tracks.values():
            self._forget_frames(track)

    def _forget_frames(self, track: _Track) -> None:
        track.window, track.pool = deque(maxlen=self.policy.window_frames), Pool()
        track.compared = None

    def _judge_frame(
        self, seen: Observation, gallery: GallerySnapshot, now: float
    ) -> tuple[Reason, list[Gate]]:
        """Return the frame's reason and the gates up to the first that failed."""
        policy, match = self.policy, seen.match
        age = now - seen.captured_at
        checks = (
            (
                Reason.STALE,
                Gate("freshness", age, policy.max_frame_age_seconds, self._fresh(age, now)),
            ),
            *_quality(seen),
            (
                Reason.DISARMED,
                Gate("threshold", policy.threshold, None, self._threshold_holds(gallery)),
            ),
            *likeness(match, gallery, policy.threshold, policy.min_margin),
        )
        gates = []
        for reason, gate in checks:
            gates.append(gate)
            if not gate.passed:
                return reason, gates
        return Reason.MATCHED, gates

    def _threshold_holds(self, gallery: GallerySnapshot) -> bool:
        carried = not gallery.over_budget or self.policy.second_factor.carries_risk
        return carried and self.policy.threshold is not None

    def _fresh(self, age: float, now: float) -> bool:
        return now >= self._now and 0 <= age <= self.policy.max_frame_age_seconds

    def _alive(self, value: float | None) -> bool:
        return value is not None and at_least(value, self.policy.liveness_threshold)

    def _liveness(self, track: _Track, agreeing: Sequence[_Evidence]) -> Gate | None:
        """Return the gate over the frames that agree; None where nothing measures: a trace claims no check.

        Where liveness is required so many of these frames must have been measured as a grant needs.
        """
        policy = self.policy
        if not policy.liveness_required and policy.liveness_threshold is None:
            return None
        scores = [evidence.liveness for evidence in agreeing]
        track.liveness = visit_liveness(scores, track.lifelong)
        if not policy.liveness_required:
            return Gate("liveness", track.liveness, "advisory", passed=True)
        passed = measured(scores) >= policy.confirm_frames and self._alive(track.liveness)
        return Gate("liveness", track.liveness, policy.liveness_threshold, passed)

    def _decide_person(
        self,
        seen: Observation,
        track: _Track,
        gates: list[Gate],
        person_id: str,
        moment: _Moment,
    ) -> Decision:
        """Hold the person against agreement, their own rules and the cool-down."""
        confirmed, reason = self._confirm(track, gates, person_id, moment)
        track.trace = tuple(gates)
        if not confirmed:
            return self._deny_when_settled(seen.track_id, track, reason)
        person = moment.gallery.person(person_id)
        refusal = Reason.UNKNOWN if person is None else self.rules.refusal(person, moment.local)
        gates.append(Gate("person", None if refusal is None else refusal.value, "may enter", refusal is None))
        track.trace = tuple(gates)
        if refusal is not None:
            return self._denial_once(seen.track_id, track, refusal)
        if person_id in track.granted:
            return _waiting(seen, track, Reason.MATCHED, person_id)
        gates.append(self._cooldowns.gate(person_id, moment.now, self.policy.cooldown_seconds))
        track.trace = tuple(gates)
        if not gates[-1].passed:
            if not self._cooldowns.first_report(person_id):
                return _waiting(seen, track, Reason.COOLING_DOWN, person_id)
            return self._denial_once(seen.track_id, track, Reason.COOLING_DOWN)
        asked = self._asked(gates, person_id, moment.gallery)
        gates.append(Gate("armed", "yes" if self.policy.armed else "no", None, self.policy.armed))
        track.trace = tuple(gates)
        track.granted.add(person_id)
        self._cooldowns.granted(person_id, seen.track_id, moment.now)
        end = (Outcome.GRANT, Reason.MATCHED) if self.policy.armed else (Outcome.DENY, Reason.DISARMED)
        if asked is not None and self.policy.armed:
            end = (Outcome.ASK, Reason.MATCHED)
        return replace(_decision(*end, seen.track_id, track, person_id), factor=asked)

    def _asked(self, gates: Sequence[Gate], person_id: str, gallery: GallerySnapshot) -> AskedFactor | None:
        """Return what else is asked of somebody who would be let in; an unsure gate is one that failed."""
        unsure = not all(gate.passed for gate in gates)
        bar = gallery.bars.get(person_id)
        alike = bar is not None and bar.alike
        return self.policy.second_factor.asked(gallery.over_budget, unsure=unsure, lookalike=alike)

    def _confirm(
        self, track: _Track, gates: list[Gate], person_id: str, moment: _Moment
    ) -> tuple[bool, Reason | None]:
        """Tell whether enough recent frames and their mean agree on the person, and live where asked for."""
        policy, oldest = self.policy, moment.now - self.policy.evidence_seconds
        matched = [
            evidence
            for evidence in track.window
            if evidence.person_id == person_id and evidence.captured_at >= oldest
        ]
        agreeing = of_one_face(matched, policy.same_face)
        enough = len(agreeing) >= policy.confirm_frames
        gates.append(Gate("agreement", len(agreeing), policy.confirm_frames, enough))
        mean = track.pool.match(moment.gallery, person_id, since=oldest) if enough else None
        for reason, gate in mean_likeness(mean, moment.gallery, policy.threshold, policy.min_margin):
            gates.append(gate)
            if not gate.passed:
                return False, reason
        liveness = self._liveness(track, agreeing)
        if not enough or liveness is None:
            return enough, None
        gates.append(liveness)
        alive = liveness.passed or self._is_unsure(track, moment.gallery)
        return alive, None if alive else Reason.NOT_LIVE

    def _is_unsure(self, track: _Track, gallery: GallerySnapshot) -> bool:
        """Whether a second factor may settle what a whole window of measured frames did not prove."""
        policy, whole = self.policy, len(track.window) == self.policy.window_frames
        if gallery.over_budget or not whole or track.lifelong.missing:
            return False
        return policy.second_factor.is_unsure(track.liveness, policy.liveness_threshold)

    def take_back(self, decision: Decision) -> None:
        """Forget a grant that opened nothing, so that its person need not wait for the cool-down.

        All evidence of the track is dropped: the next grant needs fresh frames and passes every gate anew.
        """
        person_id, track = decision.person_id, self._tracks.get(decision.track_id)
        if decision.outcome not in (Outcome.GRANT, Outcome.ASK) or person_id is None:
            return
        if not self._cooldowns.take_back(person_id, decision.track_id):
            return
        if track is not None:
            track.granted.discard(person_id)
            self._forget_frames(track)
            track.reported.add(Reason.DOOR_REFUSED)  # by whoever asked the door: the visit is on record

    def _deny_when_settled(self, track_id: int, track: _Track, reason: Reason | None = None) -> Decision:
        """Deny once the window is full without a grant; until then wait. None: for what failed most often."""
        if track.granted or len(track.window) < self.policy.window_frames:
            return _waiting_track(track_id, track)
        return self._denial_once(track_id, track, reason or self._dominant(track))

    def _denial_once(self, track_id: int, track: _Track, reason: Reason) -> Decision:
        if reason in track.reported or reason is Reason.COLLECTING:
            return _waiting_track(track_id, track)
        return self._denial(track_id, track, reason)

    def _denial(self, track_id: int, track: _Track, reason: Reason) -> Decision:
        track.reported.add(reason)
        named = (Reason.DISABLED, Reason.OUTSIDE_SCHEDULE, Reason.COOLING_DOWN)
        match = track.latest.match if track.latest else None
        person_id = match.person_id if match is not None and reason in named else None
        return _decision(Outcome.DENY, reason, track_id, track, person_id)

    def _dominant(self, track: _Track) -> Reason:
        """Return the most frequent failure of the window, the latest among equals.

        Frames that matched one by one without agreeing on a person are ambiguous.
        """
        failures = [evidence.reason for evidence in track.window if evidence.reason is not Reason.MATCHED]
        people = {evidence.person_id for evidence in track.window if evidence.person_id is not None}
        if not failures:
            return Reason.AMBIGUOUS if len(people) > 1 else Reason.COLLECTING
        counts = Counter(reversed(failures))
        return counts.most_common(1)[0][0]


def _quality(seen: Observation) -> Iterator[tuple[Reason, Gate]]:
    """Yield the quality gate, and before it what the face is weakest in where that is known."""
    if seen.quality.flaw:
        yield Reason.LOW_QUALITY, Gate("flaw", seen.quality.flaw, None, passed=True)
    yield Reason.LOW_QUALITY, Gate("quality", seen.quality.score, None, seen.match is not None)


def _decision(
    outcome: Outcome, reason: Reason, track_id: int, track: _Track, person_id: str | None
) -> Decision:
    seen = track.latest
    match = seen.match if seen else None
    return Decision(
        outcome=outcome,
        reason=reason,
        track_id=track_id,
        person_id=person_id,
        score=match.score if match else -1.0,
        margin=match.margin if match else 0.0,
        frames=track.frames,
        quality=seen.quality.score if seen else 0.0,
        liveness=track.liveness,
        first_seen_at=track.first_seen_at,
        freshest_at=seen.captured_at if seen else track.first_seen_at,
        trace=(*candidates(track.compared), *track.trace),
    )


def _waiting(seen: Observation, track: _Track, reason: Reason, person_id: str) -> Decision:
    return _decision(Outcome.WAIT, reason, seen.track_id, track, person_id)


def _waiting_track(track_id: int, track: _Track) -> Decision:
    return _decision(Outcome.WAIT, Reason.COLLECTING, track_id, track, None)
