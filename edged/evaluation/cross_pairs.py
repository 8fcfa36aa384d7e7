"""All photographs against all: what a threshold is worth far below the reach of listed pairs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edged.domain.types import FloatArray
from edged.evaluation.embedding import Progress, silent
from edged.evaluation.error_rates import RULE_OF_ERRORS, ScoreHistogram

# Photographs behind a person at enrolment, as recommended.
ENROLLED = 3
TARGETS = (1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5, 1e-5, 3e-6, 1e-6)
# 1024 rows against 8,000 photographs are 32 MB of float32.
_CHUNK = 1024


@dataclass(frozen=True, slots=True)
class DetPoint:
    """At cosine ``threshold`` at most the share ``fmr`` of ``comparisons`` impostor pairs still match.

    ``errors`` is how many did; ``tmr`` is the share of genuine pairs that reach it.
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


def centroid_pairs(vectors: FloatArray, people: Sequence[str], size: int = ENROLLED) -> CrossPairs:
    """Compare the centroid of every ``size`` photographs of a person with all other photographs.

    That is how people are enrolled. A centroid is nearer to everybody than a single photograph: at the
    same cosine it is matched by more strangers. Rows as for ``cross_pairs``.
    """
    _, labels = np.unique(np.asarray(people), return_inverse=True)
    groups = [
        rows[start : start + size]
        for label in range(labels.max(initial=-1) + 1)
        for rows in [np.flatnonzero(labels == label)]
        for start in range(0, len(rows) - size + 1, size)
    ]
    result = CrossPairs(ScoreHistogram(), ScoreHistogram())
    for start in range(0, len(groups), _CHUNK):
        chunk = np.array(groups[start : start + _CHUNK])
        centres = vectors[chunk].mean(axis=1)
        scores = centres / np.linalg.norm(centres, axis=1, keepdims=True) @ vectors.T
        same = labels[chunk[:, 0], None] == labels[None]
        result.impostor.add(scores[~same])
        # A photograph is no test of the centroid that it is part of.
        np.put_along_axis(same, chunk, values=False, axis=1)
        result.genuine.add(scores[same])
    return result


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


def det_points(pairs: CrossPairs, targets: Sequence[float] = TARGETS) -> list[DetPoint]:
    """Return the points of ``targets`` that at least 30 allowed errors stand behind, none beyond.

    Thresholds are rounded up to four digits, which errs on the strict side.
    """
    comparisons, genuine = pairs.impostor.total, pairs.genuine.total
    points = []
    for fmr in targets:
        if fmr * comparisons < RULE_OF_ERRORS:
            continue
        threshold = min(1.0, float(np.ceil(pairs.impostor.threshold_for(fmr) * 1e4 - 1e-6) / 1e4))
        errors = pairs.impostor.at_or_above(threshold)
        tmr = pairs.genuine.at_or_above(threshold) / genuine if genuine else 0.0
        points.append(DetPoint(fmr, threshold, comparisons, errors, tmr))
    return points
