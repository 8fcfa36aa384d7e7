"""Tables of what a quality score is worth: by score, by what was done to the picture, by what is thrown away.

The last is the error-versus-discard characteristic of ISO/IEC 29794-1: what is left of the misses once the
pictures of the lowest quality are not compared. Where it does not fall, the score tells nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from edged.errors import EvaluationError
from edged.evaluation.intervals import Share, independent_share
from edged.evaluation.quality_trial import Judged

EDGES = (0.0, 0.3, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98, 1.0)
DISCARDED = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5)
# What counts as a good photograph: the others are held against these.
GOOD = 0.98
# Where a part is the weakest, or alone of a photograph as it is, these are told apart.
PARTS = ("face_px", "eye_px", "sharpness", "brightness", "yaw", "pitch", "roll")
_PART_BINS = 10
_LEAST = 10


@dataclass(frozen=True, slots=True)
class ScoreBin:
    """Pictures with a score from ``low`` to below ``high`` (the last bin has its end too).

    ``share`` is their mean cosine by that of what they are held against: what their ``score``, the mean, is
    said to be. ``missed`` at the threshold.
    """

    low: float
    high: float
    pictures: int
    score: float
    cosine: float
    share: float
    missed: Share


@dataclass(frozen=True, slots=True)
class ConditionResult:
    """One way of making photographs worse: mean ``score`` and ``share`` of those with a face left."""

    condition: str
    pictures: int
    without_face: int
    score: float
    share: float


@dataclass(frozen=True, slots=True)
class Discard:
    """``discarded``: the share of pictures, the worst by their score, that are not compared."""

    discarded: float
    missed: Share


@dataclass(frozen=True, slots=True)
class PartBin:
    """Photographs as they are whose ``part`` was measured between ``low`` and ``high``."""

    part: str
    low: float
    high: float
    pictures: int
    share: float


@dataclass(frozen=True, slots=True)
class QualityReport:
    """Of ``photographs`` as they are and of ``drawn`` pictures; misses at the cosine ``threshold``.

    ``good`` is the mean cosine of good photographs. ``error`` is by how much score and share differ in the
    mean over the drawn pictures' bins, ``monotone`` whether the share rises from bin to bin.
    """

    photographs: int
    drawn: int
    threshold: float
    good: float
    bins: tuple[ScoreBin, ...]
    drawn_bins: tuple[ScoreBin, ...]
    conditions: tuple[ConditionResult, ...]
    discard: tuple[Discard, ...]
    drawn_discard: tuple[Discard, ...]
    parts: tuple[PartBin, ...]
    error: float | None
    monotone: bool | None


def quality_report(plain: Sequence[Judged], worse: Sequence[Judged], threshold: float) -> QualityReport:
    """Return all tables; drawn pictures without a face are in the conditions alone.

    Raises ``EvaluationError`` where no photograph is good.
    """
    best = [one.cosine for one in plain if one.score >= GOOD]
    if not best:
        raise EvaluationError(f"expected photographs with a quality of {GOOD:g} or more, got none")
    good = float(np.mean(best))
    seen = [one for one in worse if one.quality is not None]
    drawn = _bins(seen, threshold, None)
    firm = [one for one in drawn if one.pictures >= _LEAST]
    return QualityReport(
        photographs=len(plain),
        drawn=len(worse),
        threshold=threshold,
        good=good,
        bins=_bins(plain, threshold, good),
        drawn_bins=drawn,
        conditions=_conditions(worse),
        discard=_discard(plain, threshold),
        drawn_discard=_discard(seen, threshold),
        parts=tuple(part for name in PARTS for part in _part(plain, name, good)),
        error=float(np.mean([abs(one.score - one.share) for one in firm])) if firm else None,
        monotone=all(one.share < two.share for one, two in pairwise(firm)) if firm else None,
    )


def _bins(pictures: Sequence[Judged], threshold: float, good: float | None) -> tuple[ScoreBin, ...]:
    """Hold pictures against ``good``, drawn ones (None) against the photographs that they were made of."""
    found = []
    for low, high in pairwise(EDGES):
        own = [one for one in pictures if low <= one.score < high or one.score == high == EDGES[-1]]
        if own:
            cosine = float(np.mean([one.cosine for one in own]))
            held = float(np.mean([one.original for one in own])) if good is None else good
            score = float(np.mean([one.score for one in own]))
            found.append(ScoreBin(low, high, len(own), score, cosine, cosine / held, _missed(own, threshold)))
    return tuple(found)


def _conditions(worse: Sequence[Judged]) -> tuple[ConditionResult, ...]:
    by_name: dict[str, list[Judged]] = {}
    for one in worse:
        by_name.setdefault(one.condition, []).append(one)
    found = []
    for name, own in by_name.items():
        seen = [one for one in own if one.quality is not None]
        score = float(np.mean([one.score for one in seen])) if seen else 0.0
        whole = sum(one.original for one in seen)
        share = sum(one.cosine for one in seen) / whole if whole else 0.0
        found.append(ConditionResult(name, len(own), len(own) - len(seen), score, share))
    return tuple(found)


def _discard(pictures: Sequence[Judged], threshold: float) -> tuple[Discard, ...]:
    ranked = sorted(pictures, key=lambda one: one.score)
    if not ranked:
        return ()
    return tuple(
        Discard(share, _missed(ranked[int(share * len(ranked)) :], threshold)) for share in DISCARDED
    )


def _missed(pictures: Sequence[Judged], threshold: float) -> Share:
    return independent_share(sum(one.cosine < threshold for one in pictures), len(pictures))


def _part(plain: Sequence[Judged], name: str, good: float) -> list[PartBin]:
    """Return bins of about as many photographs each, by one thing that was measured."""
    values = np.array([getattr(one.quality, name) for one in plain])
    cosines = np.array([one.cosine for one in plain])
    edges = np.unique(np.quantile(values, np.linspace(0, 1, _PART_BINS + 1)))
    found = []
    for low, high in pairwise(edges):
        own = (values >= low) & ((values < high) | (high == edges[-1]))
        if own.any():
            share = float(cosines[own].mean()) / good
            found.append(PartBin(name, float(low), float(high), int(own.sum()), share))
    return found
