"""All photographs against all: what a threshold is worth far below the reach of listed pairs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edged.domain.centres import weight_of
from edged.domain.types import FloatArray
from edged.evaluation.embedding import Progress, silent
from edged.evaluation.error_rates import BoolArray, ScoreHistogram
from edged.evaluation.impostors import Impostors, bounded_points

# Photographs behind a person at enrolment, as recommended.
ENROLLED = 3
TARGETS = (1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5, 1e-5, 3e-6, 1e-6)
IntArray = npt.NDArray[np.intp]

# 1024 rows against 8,000 photographs are 32 MB of float32.
_CHUNK = 1024


@dataclass(frozen=True, slots=True)
class DetPoint:
    """At cosine ``threshold`` at most the share ``fmr`` of impostor pairs match, at 95 % confidence.

    Of ``comparisons`` that were made ``errors`` did; ``tmr`` is the share of genuine pairs that reach it.
    """

    fmr: float
    threshold: float
    comparisons: int
    errors: int
    tmr: float


@dataclass(frozen=True, slots=True)
class CrossPairs:
    """The cosines of all pairs of different photographs, by whether the person is the same."""

    genuine: ScoreHistogram
    impostor: ScoreHistogram

    @property
    def floor(self) -> float:
        """A cosine that every threshold for ``TARGETS`` lies above."""
        # A bound is never below the measured share; one step of the histogram for its rounding.
        return self.impostor.threshold_for(max(TARGETS)) - 1e-4


def cross_pairs(vectors: FloatArray, people: Sequence[str], progress: Progress = silent) -> CrossPairs:
    """Compare each of ``vectors`` (N, D) unit rows with every later one; ``people[i]`` is row i's person."""
    _, labels = np.unique(np.asarray(people), return_inverse=True)
    result = CrossPairs(ScoreHistogram(), ScoreHistogram())
    for start in range(0, len(vectors), _CHUNK):
        stop = min(start + _CHUNK, len(vectors))
        scores = vectors[start:stop] @ vectors[start:].T
        same = labels[start:stop, None] == labels[None, start:]
        later = np.arange(scores.shape[1])[None] > np.arange(scores.shape[0])[:, None]
        result.genuine.add(scores[later & same])
        result.impostor.add(scores[later & ~same])
        progress(stop, len(vectors))
    return result


def centroid_pairs(
    vectors: FloatArray,
    people: Sequence[str],
    size: int = ENROLLED,
    *,
    qualities: Sequence[float] | None = None,
) -> CrossPairs:
    """Compare the centroid of every ``size`` photographs of a person with all other photographs.

    That is how people are enrolled: each photograph counts by its quality, ``qualities[i]`` that of row i;
    without them all count the same. A centroid is nearer to everybody than a single photograph: at the
    same cosine it is matched by more strangers. Rows as for ``cross_pairs``.
    """
    _, labels = np.unique(np.asarray(people), return_inverse=True)
    groups, counted = _groups(labels, size), _weights(qualities, len(vectors))
    result = CrossPairs(ScoreHistogram(), ScoreHistogram())
    for start in range(0, len(groups), _CHUNK):
        chunk = groups[start : start + _CHUNK]
        scores = _centres(vectors, chunk, counted) @ vectors.T
        same = labels[chunk[:, 0], None] == labels[None]
        result.impostor.add(scores[~same])
        # A photograph is no test of the centroid that it is part of.
        np.put_along_axis(same, chunk, values=False, axis=1)
        result.genuine.add(scores[same])
    return result


def pair_impostors(vectors: FloatArray, people: Sequence[str], floor: float) -> Impostors:
    """Return the impostor comparisons of ``cross_pairs`` with their people, scores from ``floor`` up."""
    names, labels = np.unique(np.asarray(people), return_inverse=True)
    photographs = np.bincount(labels, minlength=len(names)).astype(np.float32)
    # Each pair once, whichever of the two comes first.
    trials = np.outer(photographs, photographs) / np.float32(2)

    def chunks() -> Iterable[tuple[FloatArray, IntArray, IntArray, BoolArray]]:
        for start in range(0, len(vectors), _CHUNK):
            rows = np.arange(start, min(start + _CHUNK, len(vectors)))
            later = np.arange(start, len(vectors))
            yield vectors[rows] @ vectors[later].T, labels[rows], labels[later], later > rows[:, None]

    return _impostors(trials, chunks(), floor)


def centroid_impostors(
    vectors: FloatArray,
    people: Sequence[str],
    floor: float,
    size: int = ENROLLED,
    *,
    qualities: Sequence[float] | None = None,
) -> Impostors:
    """Return the impostor comparisons of ``centroid_pairs`` with their people, scores from ``floor`` up."""
    names, labels = np.unique(np.asarray(people), return_inverse=True)
    groups, counted = _groups(labels, size), _weights(qualities, len(vectors))
    photographs = np.bincount(labels, minlength=len(names)).astype(np.float32)
    enrolled = np.bincount(labels[groups[:, 0]], minlength=len(names)).astype(np.float32)

    def chunks() -> Iterable[tuple[FloatArray, IntArray, IntArray, BoolArray]]:
        for start in range(0, len(groups), _CHUNK):
            chunk = groups[start : start + _CHUNK]
            scores = _centres(vectors, chunk, counted) @ vectors.T
            yield scores, labels[chunk[:, 0]], labels, np.array([[True]])

    return _impostors(np.outer(enrolled, photographs), chunks(), floor)


def _impostors(
    trials: FloatArray, chunks: Iterable[tuple[FloatArray, IntArray, IntArray, BoolArray]], floor: float
) -> Impostors:
    """Gather chunks of (scores, people of the rows, people of the columns, which to count)."""
    np.fill_diagonal(trials, 0)
    first, second, scores = [np.zeros(0, np.int32)], [np.zeros(0, np.int32)], [np.zeros(0, np.float32)]
    for found, left, right, counted in chunks:
        rows, columns = np.nonzero((found >= floor) & counted & (left[:, None] != right[None]))
        first.append(left[rows].astype(np.int32))
        second.append(right[columns].astype(np.int32))
        scores.append(found[rows, columns].astype(np.float32))
    return Impostors(
        trials,
        np.concatenate(first),
        np.concatenate(second),
        np.concatenate(scores),
        floor,
        (len(trials),),
    )


def _groups(labels: IntArray, size: int) -> IntArray:
    """Return the rows of every ``size`` photographs of a person, (G, size)."""
    order = np.argsort(labels, kind="stable")
    found = [
        rows[start : start + size]
        for rows in np.split(order, np.flatnonzero(np.diff(labels[order])) + 1)
        for start in range(0, len(rows) - size + 1, size)
    ]
    return np.array(found, np.intp).reshape(-1, size)


def _weights(qualities: Sequence[float] | None, count: int) -> FloatArray:
    """Return (N,) what each photograph counts in a centroid, as at the door."""
    if qualities is None:
        return np.ones(count, np.float32)
    return np.array([weight_of(quality) for quality in qualities], np.float32)


def _centres(vectors: FloatArray, groups: IntArray, weights: FloatArray) -> FloatArray:
    centres = np.einsum("gk,gkd->gd", weights[groups], vectors[groups])
    return np.asarray(centres / np.linalg.norm(centres, axis=1, keepdims=True), np.float32)


def strictest(*tables: Sequence[DetPoint]) -> list[DetPoint]:
    """Return for every false match rate that all ``tables`` carry the point with the highest threshold.

    A rate that only one kind of comparison can show would be claimed for the other without evidence.
    """
    carried = [{point.fmr for point in table} for table in tables]
    rates = sorted(set[float]().union(*carried).intersection(*carried), reverse=True)
    return [
        max((point for table in tables for point in table if point.fmr == fmr), key=lambda one: one.threshold)
        for fmr in rates
    ]


def det_points(
    pairs: CrossPairs,
    impostors: Impostors,
    targets: Sequence[float] = TARGETS,
    progress: Progress = silent,
) -> list[DetPoint]:
    """Return the points of ``targets`` that ``impostors``, those of ``pairs``, can vouch for, none beyond.

    The bound of the rate keeps to the target, see ``impostors``.
    """
    genuine = pairs.genuine
    return [
        DetPoint(
            point.bound,
            point.threshold,
            point.comparisons,
            point.errors,
            genuine.at_or_above(point.threshold) / genuine.total if genuine.total else 0.0,
        )
        for point in bounded_points(impostors, targets, progress)
    ]


def single_and_centroid(
    vectors: FloatArray,
    people: Sequence[str],
    progress: Progress = silent,
    targets: Sequence[float] = TARGETS,
    *,
    qualities: Sequence[float] | None = None,
) -> tuple[list[DetPoint], list[DetPoint]]:
    """Return the points of single photographs, and those of centroids; rows as for ``centroid_pairs``."""
    single, centroid = cross_pairs(vectors, people), centroid_pairs(vectors, people, qualities=qualities)
    half = len(targets)
    return (
        det_points(
            single,
            pair_impostors(vectors, people, single.floor),
            targets,
            lambda done, _total: progress(done, 2 * half),
        ),
        det_points(
            centroid,
            centroid_impostors(vectors, people, centroid.floor, qualities=qualities),
            targets,
            lambda done, _total: progress(half + done, 2 * half),
        ),
    )
