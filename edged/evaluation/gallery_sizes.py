"""1:N with strangers as the gallery grows: what the door's own threshold gives, and what the best would.

For each number of people the enrolled are dealt into galleries of that size, none of them in two; every
stranger asks at each. So a small gallery is not one lucky draw, and the dealing is the same at each call.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edged.domain.calibration import MeasuredPoint, threshold_for
from edged.domain.risk import Risk
from edged.domain.types import FloatArray
from edged.errors import EvaluationError
from edged.evaluation.embedding import Embedded, Progress, silent
from edged.evaluation.enrolled import enrolled
from edged.evaluation.intervals import Share, clustered_share, shortage
from edged.evaluation.protocols import Labelled

SIZES = (10, 30, 100, 300, 1000, 3000, 10_000)
TARGETS = (1e-2, 1e-3)
# A probe that is nearest to somebody else, or has no vector, is below every threshold.
_MISSED = -2.0
# 1024 probes against 10,000 people are 40 MB of float32.
_CHUNK = 1024

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class AtThreshold:
    """At ``threshold``: ``fnir`` of the enrolled are missed, ``fpir`` of the strangers taken for somebody."""

    threshold: float
    fnir: Share
    fpir: Share


@dataclass(frozen=True, slots=True)
class SizePoint:
    """For the risk ``target_fpir``: the ``door`` as it would be, and the best in ``hindsight``.

    The door's threshold follows from the pack's calibration; None where the table does not reach so far, and
    ``refusal`` says why: such a door lets nobody in. The hindsight is that of these very strangers;
    ``shortage`` says where they are too few to set a threshold by, which is then a guess.
    """

    target_fpir: float
    door: AtThreshold | None
    refusal: str | None
    hindsight: AtThreshold
    shortage: str | None


@dataclass(frozen=True, slots=True)
class SizeResult:
    """``galleries`` of ``people`` each. ``rank_one``: share of probes nearest to the right person."""

    people: int
    galleries: int
    mated: int
    strangers: int
    searches: int
    rank_one: Share
    points: tuple[SizePoint, ...]


@dataclass(frozen=True, slots=True)
class SizesResult:
    """``not_carried`` are the sizes for which too few people are enrolled."""

    people: int
    not_carried: tuple[int, ...]
    sizes: tuple[SizeResult, ...]


@dataclass(frozen=True, slots=True)
class _Searches:
    """What the galleries of one size answered.

    ``right`` (M,) scores of the mated probes where the right person is nearest, ``owners`` (M,) who they
    are; ``false`` (strangers, galleries) the scores of the nearest.
    """

    right: FloatArray
    owners: IntArray
    false: FloatArray


def gallery_sizes(
    embedded: Embedded,
    enrol: Sequence[Labelled],
    probes: Sequence[Labelled],
    calibration: Sequence[MeasuredPoint] = (),
    *,
    sizes: Sequence[int] = SIZES,
    gallery: Embedded | None = None,
    seed: int = 1,
    progress: Progress = silent,
) -> SizesResult:
    """Measure every one of ``sizes`` that enough people are enrolled for, and all of them together.

    Lists, ``calibration`` and ``gallery`` as for ``open_set``. Raises ``EvaluationError`` unless there are
    people, enrolled probes and strangers.
    """
    trial = _Trial(embedded, gallery or embedded, enrol, probes, seed)
    people = trial.people
    wanted = sorted({size for size in sizes if 0 < size <= people} | {people})
    results = []
    for done, size in enumerate(wanted, start=1):
        results.append(_result(size, trial, calibration))
        progress(done, len(wanted))
    return SizesResult(people, tuple(sorted(size for size in sizes if size > people)), tuple(results))


class _Trial:
    def __init__(
        self,
        embedded: Embedded,
        gallery: Embedded,
        enrol: Sequence[Labelled],
        probes: Sequence[Labelled],
        seed: int,
    ) -> None:
        snapshot = enrolled(gallery, enrol)
        wanted = {one.person for one in enrol}
        self.mated = [probe for probe in probes if probe.person in wanted and probe.person]
        self.strangers = [probe for probe in probes if not probe.person]
        self.people = len(snapshot.people)
        if not (self.people and self.mated and self.strangers):
            raise EvaluationError(
                "expected enrolled people with faces, probes of them and probes of strangers"
            )
        # Who could not be enrolled is dealt into no gallery; their probes are missed whatever its size.
        self.truth = np.array([snapshot.index.get(probe.person, -1) for probe in self.mated], np.int64)
        self._matrix = snapshot.matrix[:]
        self._order = np.random.default_rng(seed).permutation(self.people)
        self._probes = _vectors(embedded, self.mated)
        self._others = _vectors(embedded, self.strangers)

    def searches(self, size: int) -> _Searches:
        galleries = [self._order[start : start + size] for start in range(0, self.people - size + 1, size)]
        right, owners, false = [], [], []
        for rows in galleries:
            asking = np.flatnonzero(np.isin(self.truth, rows))
            right.append(self._right(asking, rows))
            owners.append(self.truth[asking])
            false.append(_nearest(self._others, self._matrix[rows])[1])
        lost = np.flatnonzero(self.truth < 0)
        right.append(np.full(len(lost), _MISSED, np.float32))
        owners.append(self.people + lost)  # each such probe stands for itself
        return _Searches(np.concatenate(right), np.concatenate(owners), np.stack(false, axis=1))

    def _right(self, asking: IntArray, rows: IntArray) -> FloatArray:
        found, scores = _nearest((self._probes[0][asking], self._probes[1][asking]), self._matrix[rows])
        return np.where(rows[found] == self.truth[asking], scores, np.float32(_MISSED))


def _vectors(embedded: Embedded, probes: Sequence[Labelled]) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """Return (N, D) vectors, zeros where there is none, and (N,) whether there is one."""
    rows = np.array([embedded.rows.get(probe.image, -1) for probe in probes], np.int64)
    vectors = np.zeros((len(rows), embedded.vectors.shape[1]), np.float32)
    vectors[rows >= 0] = embedded.vectors[rows[rows >= 0]]
    return vectors, rows >= 0


def _nearest(
    probes: tuple[FloatArray, npt.NDArray[np.bool_]], matrix: FloatArray
) -> tuple[IntArray, FloatArray]:
    """Return (N,) rows of ``matrix`` and their cosines; ``_MISSED`` for a probe without a vector."""
    vectors, there = probes
    found = np.zeros(len(vectors), np.int64)
    scores = np.full(len(vectors), _MISSED, np.float32)
    for chunk in _chunks(len(vectors)):
        every = vectors[chunk] @ matrix.T
        found[chunk] = np.argmax(every, axis=1)
        scores[chunk] = every[np.arange(len(every)), found[chunk]]
    scores[~there] = _MISSED
    return found, scores


def _chunks(count: int) -> Iterator[slice]:
    return (slice(start, start + _CHUNK) for start in range(0, count, _CHUNK))


def _result(size: int, trial: _Trial, calibration: Sequence[MeasuredPoint]) -> SizeResult:
    seen = trial.searches(size)
    return SizeResult(
        people=size,
        galleries=seen.false.shape[1],
        mated=len(seen.right),
        strangers=len(seen.false),
        searches=seen.false.size,
        rank_one=_share(seen.right > _MISSED, seen.owners),
        points=tuple(_point(target, size, seen, calibration) for target in TARGETS),
    )


def _point(target: float, size: int, seen: _Searches, calibration: Sequence[MeasuredPoint]) -> SizePoint:
    ranked = np.sort(seen.false, axis=None)[::-1]
    allowed = int(target * len(ranked) + 1e-9)
    best = float(np.nextafter(ranked[allowed], np.float32(2)))
    ruled = threshold_for(calibration, size, Risk(target))
    return SizePoint(
        target_fpir=target,
        door=None if ruled.cosine is None else _at(ruled.cosine, seen),
        refusal=ruled.claim if ruled.cosine is None else None,
        hindsight=_at(best, seen),
        shortage=shortage(target, len(ranked)),
    )


def _at(threshold: float, seen: _Searches) -> AtThreshold:
    passed = np.count_nonzero(seen.false >= threshold, axis=1)
    return AtThreshold(
        threshold,
        _share(seen.right < threshold, seen.owners),
        clustered_share(passed, np.full(len(passed), seen.false.shape[1])),
    )


def _share(hits: npt.NDArray[np.bool_], owners: IntArray) -> Share:
    people, rows = np.unique(owners, return_inverse=True)
    return clustered_share(
        np.bincount(rows, hits, minlength=len(people)).astype(int), np.bincount(rows, minlength=len(people))
    )
