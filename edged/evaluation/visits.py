"""The door as a whole: visits through the decision engine, photographs for frames.

There is no tracker: each visit is one track from its first frame to its last. Everything behind it is the
door's own: the quality floor, the search, threshold, margin, agreement of several frames.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from edged.domain.access import AccessRules
from edged.domain.decision import DecisionEngine, DecisionPolicy
from edged.domain.gallery import GallerySnapshot
from edged.domain.matching import best_match
from edged.domain.types import Box, Decision, Observation, Outcome
from edged.errors import EvaluationError
from edged.evaluation.embedding import Embedded
from edged.evaluation.failures import Label
from edged.evaluation.intervals import Share, clustered_share
from edged.evaluation.protocols import Labelled, folder_of
from edged.evaluation.views import Look

FRAMES_PER_SECOND = 10.0
# A door passes over a face this small: it is no visit yet.
_FAR_AWAY = "too_small"
_NO_FACE = "no_face"
_UNDECIDED = "undecided"
# From a frame to its judgement, as a share of the age at which a frame is stale.
_DELAY_SHARE = 0.2
# Between visits; longer than the longest cool-down that a configuration may ask for.
_PAUSE_SECONDS = 7200.0
_OPENING = datetime(2026, 1, 5, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True, eq=False)
class Visit:
    """Somebody before the camera: ``person`` is None for a stranger, whom ``who`` tells apart from others."""

    person: str | None
    who: str
    looks: tuple[Look | None, ...]


@dataclass(frozen=True, slots=True)
class WrongGrant:
    """``who`` was let in as ``taken_for``, at cosine ``score``."""

    who: str
    taken_for: str
    score: float


@dataclass(frozen=True, slots=True)
class Waiting:
    """Frames until a grant, the first counted as one, and the seconds between: median, and 95 of 100."""

    frames_p50: float
    frames_p95: float
    seconds_p50: float
    seconds_p95: float


@dataclass(frozen=True, slots=True)
class DoorResult:
    """What became of the visits.

    ``granted`` of the enrolled people's visits let them in as themselves, ``wrong`` let them in as somebody
    else at any time of the visit, the others were refused for ``refusals``: the engine's reasons, ``no_face``
    or ``too_small`` where no frame came to be judged, ``undecided`` where the visit ended before a decision.
    ``let_in`` of the strangers' visits opened the door. Several ``doors`` have ``people`` of their own each,
    and strangers visit all of them.
    """

    people: int
    threshold: float | None
    visits: int
    granted: Share
    wrong: Share
    refusals: dict[str, int]
    stranger_visits: int
    let_in: Share
    stranger_refusals: dict[str, int]
    waiting: Waiting | None
    wrong_grants: tuple[WrongGrant, ...]
    doors: int = 1


@dataclass(frozen=True, slots=True)
class _Outcome:
    """``reason`` of the refusal, None after a grant; ``frame`` of the first grant, from 1."""

    visit: Visit
    grants: tuple[Decision, ...]
    frame: int | None
    reason: str | None

    @property
    def wrong(self) -> bool:
        return any(grant.person_id != self.visit.person for grant in self.grants)


def run_visits(
    snapshot: GallerySnapshot,
    policy: DecisionPolicy,
    visits: Iterable[Visit],
    *,
    frames_per_second: float = FRAMES_PER_SECOND,
) -> DoorResult:
    """Let every one of ``visits`` ask at a door with this gallery and policy, one after the other.

    Raises ``EvaluationError`` unless somebody is enrolled and somebody visits.
    """
    return run_doors([(snapshot, visits)], policy, frames_per_second=frames_per_second)


def run_doors(
    doors: Iterable[tuple[GallerySnapshot, Iterable[Visit]]],
    policy: DecisionPolicy,
    *,
    frames_per_second: float = FRAMES_PER_SECOND,
) -> DoorResult:
    """Let visits ask at doors of one policy, each with a gallery of as many people as the others.

    Raises ``EvaluationError`` unless somebody is enrolled and somebody visits.
    """
    outcomes: list[_Outcome] = []
    sizes: list[int] = []
    for snapshot, visits in doors:
        door = _Door(snapshot, policy, frames_per_second)
        outcomes += [door.receive(visit) for visit in visits]
        sizes.append(len(snapshot.people))
    if not (any(sizes) and outcomes):
        raise EvaluationError("expected enrolled people with faces, and visits")
    known = [one for one in outcomes if one.visit.person is not None]
    strangers = [one for one in outcomes if one.visit.person is None]
    frames = [one.frame for one in known if one.frame is not None and not one.wrong]
    return DoorResult(
        people=max(sizes),
        threshold=policy.threshold,
        visits=len(known),
        granted=_share([one for one in known if one.grants and not one.wrong], known),
        wrong=_share([one for one in known if one.wrong], known),
        refusals=_refusals(known),
        stranger_visits=len(strangers),
        let_in=_share([one for one in strangers if one.grants], strangers),
        stranger_refusals=_refusals(strangers),
        waiting=_waiting(frames, frames_per_second) if frames else None,
        wrong_grants=tuple(
            WrongGrant(one.visit.who, str(grant.person_id), grant.score)
            for one in outcomes
            for grant in one.grants
            if grant.person_id != one.visit.person
        ),
        doors=len(sizes),
    )


def visits_from_views(
    probes: Iterable[Labelled], seen: Mapping[str, tuple[Look | None, ...]], *, label: Label = str
) -> list[Visit]:
    """Return one visit a photograph, of the looks at it (see ``views.looks``); ``label`` names strangers."""
    return [
        Visit(one.person or None, _who(one, label), seen[one.image]) for one in probes if one.image in seen
    ]


def visits_from_photographs(
    probes: Iterable[Labelled], embedded: Embedded, frames: int, *, label: Label = str
) -> list[Visit]:
    """Return visits of ``frames`` different photographs of a person, each of them one frame.

    A harder visit than a real one: the photographs may be years apart. Whoever has fewer left does not come.
    """
    by_who: dict[tuple[str, str], list[Look | None]] = {}
    for one in probes:
        if one.image not in embedded.unreadable:
            by_who.setdefault((one.person, _who(one, label)), []).append(_look(one.image, embedded))
    return [
        Visit(person or None, who, tuple(own[start : start + frames]))
        for (person, who), own in by_who.items()
        for start in range(0, len(own) - frames + 1, frames)
    ]


def _who(one: Labelled, label: Label) -> str:
    """Return who visits; of a stranger only the folder of the photograph tells."""
    return one.person or label(folder_of(one.image))


def _look(image: str, embedded: Embedded) -> Look | None:
    row = embedded.rows.get(image)
    if row is None:
        return None
    return Look(embedded.qualities[row], embedded.vectors[row], embedded.refused.get(image))


class _Door:
    def __init__(self, snapshot: GallerySnapshot, policy: DecisionPolicy, rate: float) -> None:
        self._snapshot = snapshot
        self._engine = DecisionEngine(policy, AccessRules())
        self._frame_seconds = 1 / rate
        self._now = 0.0
        self._seq = 0
        self._visit = 0

    def receive(self, visit: Visit) -> _Outcome:
        self._visit += 1
        self._now += _PAUSE_SECONDS
        decisions: list[tuple[int, Decision]] = []
        judged = 0
        for frame, look in enumerate(visit.looks, start=1):
            self._now += self._frame_seconds
            self._seq += 1
            if look is None or look.shortfall == _FAR_AWAY:
                continue
            judged += 1
            decisions.append((frame, self._step(look)))
        last = self._engine.end(self._visit)
        if last is not None:
            decisions.append((len(visit.looks), last))
        grants = [(frame, one) for frame, one in decisions if one.outcome is Outcome.GRANT]
        denials = [one.reason.value for _, one in decisions if one.outcome is Outcome.DENY]
        reason = None if grants else denials[-1] if denials else _unjudged(visit, judged)
        first = grants[0][0] if grants else None
        return _Outcome(visit, tuple(one for _, one in grants), first, reason)

    def _step(self, look: Look) -> Decision:
        captured = self._now - _DELAY_SHARE * self._engine.policy.max_frame_age_seconds
        match = best_match(self._snapshot, look.vector) if look.shortfall is None else None
        box = Box(0, 0, look.quality.face_px, look.quality.face_px)
        seen = Observation(
            self._visit, self._seq, captured, box, look.quality, match, vector=look.vector if match else None
        )
        return self._engine.step(seen, self._snapshot, self._now, _OPENING + timedelta(seconds=self._now))


def _unjudged(visit: Visit, judged: int) -> str:
    if judged:
        return _UNDECIDED
    return _FAR_AWAY if any(look is not None for look in visit.looks) else _NO_FACE


def _share(chosen: Sequence[_Outcome], every: Sequence[_Outcome]) -> Share:
    trials, hits = (Counter(one.visit.who for one in outcomes) for outcomes in (every, chosen))
    return clustered_share([hits[who] for who in trials], list(trials.values()))


def _refusals(outcomes: Iterable[_Outcome]) -> dict[str, int]:
    return dict(Counter(one.reason for one in outcomes if one.reason is not None).most_common())


def _waiting(frames: Sequence[int], rate: float) -> Waiting:
    middle, late = (float(value) for value in np.percentile(frames, [50, 95]))
    return Waiting(middle, late, (middle - 1) / rate, (late - 1) / rate)
