"""A gesture that is asked for on the spot: turn the head, this way or that.

A still picture cannot turn its head, and how a flat one is swung, tilted or moved does not matter: the nose
stays on the line between eyes and mouth that it is printed on. A recorded visit turns when it was recorded
to, not when it is asked. Both hold only as far as the draw is unforeseen: a film that turns at random passes
one in 2^n challenges of n gestures, and a face that is computed on the spot (a deepfake) passes all. So it
is asked for beside recognition and the passive check, never instead of them.

Only turns to the left and to the right are asked for. Of five landmarks the nose tip gives the yaw within a
few degrees, but hardly the pitch: a detector's nose sits higher or lower by as much as a nod moves it. On
803 photographs of LFW the yaw that two detectors read goes together by 0.95, the pitch by 0.00. Blinks are
left out: lids have no landmark, and one is over between two pictures of a small board.

Who is asked stays the same person all the way: every picture that counts was itself matched with the person
who is to be let in, on one track, and the turn is seen on its way, not only at its end. All that is missing,
comes too late or runs backwards fails the challenge.
"""

import math
import statistics
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from edged.domain.types import Observation, Reason


class Gesture(StrEnum):
    """What a person is asked to do; left and right are the person's own."""

    LOOK_AHEAD = "look_ahead"
    TURN_LEFT = "turn_left"
    TURN_RIGHT = "turn_right"


# What is drawn from. Yaw is positive to the picture's right, which is the left of whoever faces the camera.
TURNS = (Gesture.TURN_LEFT, Gesture.TURN_RIGHT)
_SIGN = {Gesture.TURN_LEFT: 1.0, Gesture.TURN_RIGHT: -1.0}

# Degrees from where the face was when it was asked. A flat picture reads 3 however it is swung; one folded
# down the nose 16 with a half turned 60 degrees away, 23 with 70. Faces are taken up to 40 (``quality``).
TURNED = 19.0
# Nobody holds the head straight to the degree, and landmarks move by two or three.
_STRAIGHT = 8.0
_AHEAD = 15.0
# A head is seen on its way. Two photographs that are exchanged jump.
_MOST_STEP = 15.0
_MOST_GAP_SECONDS = 0.5
_STEADY_FRAMES, _STEADY_SECONDS = 3, 1.0
# So many pictures in a row show the turn: one may be a landmark gone astray.
_TURNED_FRAMES = 2
# Nobody reads and moves sooner: choice reactions take 0.3 s and more (Hick 1952). Who does turned anyhow.
_REACTION_SECONDS = 0.3
# From the last turn back to the camera, until enough recent pictures agree again.
_VALID_SECONDS = 3.0
# A film is shown again and again: each failure keeps the person waiting for twice as long.
_BLOCK_SECONDS, _MOST_BLOCK_SECONDS = 2.0, 60.0


@dataclass(frozen=True, slots=True)
class ChallengePolicy:
    """How many ``gestures`` are asked for, one after the other, and the ``seconds`` that each may take.

    ``mirrored``: the pictures show people as a mirror does, so that their left lies at the picture's left.
    """

    gestures: int
    seconds: float
    mirrored: bool = False


@dataclass(frozen=True, slots=True)
class Prompt:
    """What somebody is asked for now: gesture ``number`` of ``of``, from 1; nothing about the person."""

    gesture: Gesture
    number: int
    of: int


class Standing(StrEnum):
    """How a challenge stands when everything else is right."""

    PASSED = "passed"
    ASKED = "asked"
    BUSY = "busy"
    BLOCKED = "blocked"


@dataclass(slots=True)
class _Challenge:
    """One person's on one track. ``wanted`` is the gesture that is asked for now, None once all are done."""

    person_id: str
    asked_at: float
    deadline: float
    wanted: Gesture | None = Gesture.LOOK_AHEAD
    done: list[Gesture] = field(default_factory=list)
    passed_at: float = 0.0
    from_yaw: float = 0.0
    on_the_way: bool = True
    turned: int = 0
    wrong: int = 0


@dataclass(slots=True)
class _Track:
    """The poses of the newest pictures that were matched, and the newest pose of all."""

    matched: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=_STEADY_FRAMES))
    at: float = -math.inf
    yaw: float = math.nan
    seq: int | None = None
    challenge: _Challenge | None = None


@dataclass(slots=True)
class _Blocked:
    failures: int = 0
    until: float = -math.inf


class ChallengeDesk:
    """Asks, watches and judges; one person at a time. One thread owns it; every time is a parameter.

    ``choose`` draws the next gesture and must not be foreseen.
    """

    def __init__(self, policy: ChallengePolicy, choose: Callable[[Sequence[Gesture]], Gesture]) -> None:
        self._policy = policy
        self._choose = choose
        self._tracks: dict[int, _Track] = {}
        self._blocked: dict[str, _Blocked] = {}
        self._now = -math.inf

    def prompt(self, now: float) -> Prompt | None:
        """Return what somebody is asked for at ``now``, None where nobody is."""
        for track in self._tracks.values():
            challenge = track.challenge
            if challenge is not None and challenge.wanted is not None and now <= challenge.deadline:
                return Prompt(challenge.wanted, len(challenge.done) + 1, self._policy.gestures)
        return None

    def watch(self, seen: Observation, person_id: str | None, now: float) -> Reason | None:
        """Take in one picture of a track; ``person_id`` is whom it by itself was matched with, if anybody.

        Returns why the challenge of the track has failed with it, None while it has not.
        """
        track = self._tracks.setdefault(seen.track_id, _Track())
        if not now >= self._now:  # written so that NaN is a step back
            return self._fail(track, Reason.CHALLENGE_BROKEN)
        self._now = now
        reason = self._overdue(track, now)
        if reason is not None or seen.match is None or not math.isfinite(seen.quality.yaw):
            return reason
        if track.seq is not None and seen.frame_seq <= track.seq:
            return None
        track.seq = seen.frame_seq
        return self._advance(track, seen, person_id, now)

    def ask(self, track_id: int, person_id: str, now: float) -> Standing:
        """Tell how the person stands who would be let in at ``now``; asks where that is still to be done.

        A challenge that is passed is used up with the answer.
        """
        track = self._tracks.setdefault(track_id, _Track())
        challenge = track.challenge
        if challenge is not None and challenge.person_id == person_id:
            if challenge.wanted is not None:
                return Standing.ASKED
            track.challenge = None
            if 0 <= now - challenge.passed_at <= _VALID_SECONDS:
                self._blocked.pop(person_id, None)
                return Standing.PASSED
        if now < self._blocked.get(person_id, _Blocked()).until:
            return Standing.BLOCKED
        if self.prompt(now) is not None:
            return Standing.BUSY
        track.challenge = _Challenge(person_id, now, now + self._policy.seconds)
        self._turn_next(track, now)
        return Standing.ASKED

    def end(self, track_id: int, *, changed: bool = False) -> Reason | None:
        """Forget a track; a challenge without answer has failed. ``changed``: the face became another's."""
        track = self._tracks.pop(track_id, None)
        if track is None:
            return None
        return self._fail(track, Reason.CHALLENGE_BROKEN if changed else Reason.CHALLENGE_UNANSWERED)

    def drop(self) -> None:
        """Begin anew on every track, to nobody's blame: what the pictures were held against has changed."""
        for track in self._tracks.values():
            track.challenge = None
            track.matched.clear()

    def _overdue(self, track: _Track, now: float) -> Reason | None:
        challenge = track.challenge
        if challenge is None:
            return None
        if challenge.wanted is None:
            if not now - challenge.passed_at <= _VALID_SECONDS:
                track.challenge = None
            return None
        return None if now <= challenge.deadline else self._fail(track, Reason.CHALLENGE_UNANSWERED)

    def _advance(self, track: _Track, seen: Observation, person_id: str | None, now: float) -> Reason | None:
        at, yaw, challenge = seen.captured_at, seen.quality.yaw, track.challenge
        followed = 0 < at - track.at <= _MOST_GAP_SECONDS and abs(yaw - track.yaw) <= _MOST_STEP
        track.at, track.yaw = at, yaw
        if not followed:
            track.matched.clear()
        if person_id is not None:
            track.matched.append((at, yaw))
        if challenge is None or challenge.wanted is None:
            if challenge is not None and person_id not in (None, challenge.person_id):
                return self._fail(track, Reason.CHALLENGE_BROKEN)
            return None
        if person_id is not None and person_id != challenge.person_id:
            return self._fail(track, Reason.CHALLENGE_BROKEN)
        if challenge.wanted is Gesture.LOOK_AHEAD:
            self._turn_next(track, now)
            return None
        return self._turning(track, challenge, followed=followed, matched=person_id is not None, now=now)

    def _turning(
        self, track: _Track, challenge: _Challenge, *, followed: bool, matched: bool, now: float
    ) -> Reason | None:
        """Hold the newest pose against the turn that is asked for."""
        side = -1.0 if self._policy.mirrored else 1.0
        turned = side * (track.yaw - challenge.from_yaw) * _SIGN[challenge.wanted or Gesture.LOOK_AHEAD]
        challenge.on_the_way = (challenge.on_the_way and followed) or abs(turned) <= _STRAIGHT
        challenge.wrong = challenge.wrong + 1 if turned <= -TURNED else 0
        if challenge.wrong >= _TURNED_FRAMES:
            return self._fail(track, Reason.CHALLENGE_WRONG)
        if not (turned >= TURNED and challenge.on_the_way and matched):
            challenge.turned = 0
            return None
        if track.at - challenge.asked_at < _REACTION_SECONDS:
            return self._fail(track, Reason.CHALLENGE_WRONG)
        challenge.turned += 1
        if challenge.turned >= _TURNED_FRAMES:
            self._answered(track, challenge, now)
        return None

    def _answered(self, track: _Track, challenge: _Challenge, now: float) -> None:
        challenge.done.append(challenge.wanted or Gesture.LOOK_AHEAD)
        track.matched.clear()
        if len(challenge.done) >= self._policy.gestures:
            challenge.wanted, challenge.passed_at = None, now
        else:
            challenge.wanted, challenge.deadline = Gesture.LOOK_AHEAD, now + self._policy.seconds

    def _turn_next(self, track: _Track, now: float) -> None:
        """Ask for a turn once the newest pictures show the person steadily looking ahead."""
        challenge = track.challenge
        if challenge is None or len(track.matched) < _STEADY_FRAMES:
            return
        yaws = [yaw for _, yaw in track.matched]
        ahead = statistics.median(yaws)
        recent = now - track.matched[0][0] <= _STEADY_SECONDS
        if not (recent and max(yaws) - min(yaws) <= _STRAIGHT and abs(ahead) <= _AHEAD):
            return
        challenge.wanted = self._choose(TURNS)
        challenge.asked_at, challenge.deadline = now, now + self._policy.seconds
        challenge.from_yaw, challenge.on_the_way = ahead, True
        challenge.turned = challenge.wrong = 0

    def _fail(self, track: _Track, reason: Reason) -> Reason | None:
        """End a challenge that is under way and keep its person waiting; None where there is none."""
        challenge, track.challenge = track.challenge, None
        track.matched.clear()
        if challenge is None or (challenge.wanted is None and reason is Reason.CHALLENGE_UNANSWERED):
            return None
        blocked = self._blocked.setdefault(challenge.person_id, _Blocked())
        blocked.failures += 1
        wait = _BLOCK_SECONDS * 2.0 ** min(blocked.failures - 1, 10)
        blocked.until = self._now + min(_MOST_BLOCK_SECONDS, wait)
        return reason
