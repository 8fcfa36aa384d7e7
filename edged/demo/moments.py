"""What the picture of a demo is made of: a frame of each kind of visit, and what happened when.

At most one frame a kind is kept. Nothing of it is written unless a picture is asked for.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from edged.demo.stage import Role
from edged.domain.types import Decision, Face, Image, Outcome
from edged.workers.recognition import Sight

_MAX_MARKS = 2000


@dataclass(frozen=True, slots=True, eq=False)
class Portrait:
    """A face in a frame: ``name`` whom it was taken for (None: nobody), ``score`` of this very frame."""

    face: Face
    name: str | None
    score: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """A frame after the decision on a visit; ``visitor`` as announced, ``threshold`` then in force."""

    visitor: str
    image: Image
    portraits: tuple[Portrait, ...]
    decision: Decision
    threshold: float | None
    unlocked: bool

    @property
    def rank(self) -> tuple[bool, float]:
        """What makes one moment better to look at than another: a grant, then a large face."""
        widest = max(portrait.face.box.width for portrait in self.portraits)
        return self.decision.outcome is Outcome.GRANT, widest


@dataclass(frozen=True, slots=True)
class Mark:
    """Something ``at`` seconds after the start.

    ``kind`` is ``visit``, ``granted``, ``denied``, ``unlocked`` or ``locked``.
    """

    at: float
    kind: str
    text: str = ""
    role: Role | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Verdict:
    decision: Decision
    name: str | None
    threshold: float | None


class Moments:
    """Collects while the show runs: ``saw`` and ``decided`` on the recognition thread, ``door`` on any."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began_at = clock()
        self._lock = threading.Lock()
        self._marks: deque[Mark] = deque(maxlen=_MAX_MARKS)
        self._unlocked = False
        self._best: dict[Role, Moment] = {}
        self._verdicts: dict[int, _Verdict] = {}
        self._frame: list[Sight] = []

    @property
    def marks(self) -> list[Mark]:
        """Everything that happened, in order."""
        with self._lock:
            return list(self._marks)

    @property
    def best(self) -> dict[Role, Moment]:
        """The best moment of each kind of visit there was."""
        return dict(self._best)

    def began(self) -> None:
        """Count time from here."""
        self._began_at = self._clock()

    def mark(self, kind: str, text: str = "", role: Role | None = None) -> None:
        """Note that something happens now; from any thread."""
        with self._lock:
            self._marks.append(Mark(self._clock() - self._began_at, kind, text, role))

    def door(self, *, unlocked: bool) -> None:
        """Note what the lock line is now."""
        self._unlocked = unlocked
        self.mark("unlocked" if unlocked else "locked")

    def saw(self, sight: Sight, role: Role | None, visitor: str) -> None:
        """Look at a face; ``role`` None where nobody knows who comes."""
        if self._frame and self._frame[0].frame.seq != sight.frame.seq:
            self._frame = []
        self._frame.append(sight)
        verdict = self._verdicts.get(sight.observation.track_id)
        if verdict is None:
            return
        granted = verdict.decision.outcome is Outcome.GRANT
        if granted is not self._unlocked:
            return  # the door is not yet, or no longer, what the decision says
        kind = role or (Role.ENROLLED if granted else Role.STRANGER)
        moment = Moment(
            visitor if role else (verdict.name or "somebody not enrolled"),
            sight.frame.image,
            tuple(self._portrait(one) for one in self._frame),
            verdict.decision,
            verdict.threshold,
            self._unlocked,
        )
        known = self._best.get(kind)
        if self._fits(kind, moment) and (known is None or known.rank < moment.rank):
            self._best[kind] = moment

    def decided(self, decision: Decision, name: str | None, threshold: float | None) -> None:
        """Note what the door decided about a track."""
        before = self._verdicts.get(decision.track_id)
        if before is None or before.decision.outcome is not Outcome.GRANT:
            self._verdicts[decision.track_id] = _Verdict(decision, name, threshold)
        self.mark(decision.outcome.value, decision.reason.value)

    def _portrait(self, sight: Sight) -> Portrait:
        verdict = self._verdicts.get(sight.observation.track_id)
        match = sight.observation.match
        name = verdict.name if verdict and verdict.decision.outcome is Outcome.GRANT else None
        return Portrait(sight.face, name, match.score if match else None)

    @staticmethod
    def _fits(kind: Role, moment: Moment) -> bool:
        """Whether the moment shows what its kind is for; a mistake is told elsewhere."""
        granted = moment.decision.outcome is Outcome.GRANT
        return kind is Role.PRINT or granted is (kind is Role.ENROLLED)


def last_seconds(marks: Sequence[Mark], seconds: float) -> list[Mark]:
    """Return the marks of the last ``seconds``, counted from there on."""
    start = max(0.0, marks[-1].at - seconds) if marks else 0.0
    return [replace(mark, at=mark.at - start) for mark in marks if mark.at >= start]
