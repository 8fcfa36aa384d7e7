"""1:N with strangers: what happens at a door."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edged.domain.calibration import MeasuredPoint, Threshold, threshold_for
from edged.domain.gallery import GallerySnapshot
from edged.domain.matching import best_match
from edged.domain.risk import Risk
from edged.errors import EvaluationError
from edged.evaluation.embedding import Embedded
from edged.evaluation.enrolled import enrolled
from edged.evaluation.error_rates import RULE_OF_ERRORS
from edged.evaluation.protocols import Labelled

TARGETS = (1e-2, 1e-3)


@dataclass(frozen=True, slots=True)
class OpenSetPoint:
    """At ``threshold`` at most the share ``fpir`` of strangers is taken for somebody.

    ``fnir`` is the share of the enrolled who are not recognised as themselves there; ``errors`` the
    strangers allowed. Fewer than 30 make the threshold a guess: ``supported`` tells.
    """

    fpir: float
    threshold: float
    fnir: float
    errors: int
    supported: bool


@dataclass(frozen=True, slots=True)
class Claim:
    """What a door would do that is told to take the risk ``target_fpir``.

    Its ``threshold`` follows from the pack's calibration for visits of a single frame; ``fpir`` and
    ``fnir`` are what was seen at it, ``errors`` the strangers taken for somebody. None where the table
    does not reach so far.
    """

    target_fpir: float
    threshold: float | None
    fpir: float | None
    fnir: float | None
    errors: int | None


@dataclass(frozen=True, slots=True)
class OpenSetResult:
    """``rank_one``: share of ``mated`` probes nearest to the right person, at any score."""

    people: int
    templates: int
    mated: int
    strangers: int
    without_face: int
    rank_one: float
    points: tuple[OpenSetPoint, ...]
    claims: tuple[Claim, ...]


def open_set(
    embedded: Embedded,
    enrol: Sequence[Labelled],
    probes: Sequence[Labelled],
    calibration: Sequence[MeasuredPoint] = (),
    *,
    gallery: Embedded | None = None,
) -> OpenSetResult:
    """Enrol the centroid of each person, then search every probe with the door's own matching.

    ``calibration`` is the embedder's table; without one there are no claims to check. ``gallery`` has
    other vectors for the enrolled photographs.
    A probe without a face is nobody: it is missed if enrolled, and harmless if a stranger.
    Raises ``EvaluationError`` unless there are people, enrolled probes and strangers.
    """
    snapshot = enrolled(gallery or embedded, enrol)
    mated = [probe for probe in probes if probe.person]
    strangers = [probe for probe in probes if not probe.person]
    if not (snapshot.people and mated and strangers):
        raise EvaluationError("expected enrolled people with faces, probes of them and probes of strangers")
    found = [_search(snapshot, embedded, probe.image) for probe in mated]
    # One row a probe: the score if the nearest is the right person, else below every threshold.
    right = np.array([
        score if who == probe.person else -2.0
        for (who, score), probe in zip(found, mated, strict=True)
    ])  # fmt: skip
    false = np.sort([_search(snapshot, embedded, probe.image)[1] for probe in strangers])[::-1]
    return OpenSetResult(
        people=len(snapshot.people),
        templates=snapshot.templates,
        mated=len(mated),
        strangers=len(strangers),
        without_face=sum(probe.image not in embedded.rows for probe in probes),
        rank_one=float(np.mean(right > -2.0)),
        points=tuple(_point(fpir, right, false) for fpir in TARGETS),
        claims=tuple(
            _claim(threshold_for(calibration, len(snapshot.people), Risk(fpir)), right, false)
            for fpir in TARGETS
            if calibration
        ),
    )


def _search(snapshot: GallerySnapshot, embedded: Embedded, image: str) -> tuple[str | None, float]:
    row = embedded.rows.get(image)
    if row is None:
        return None, -1.0
    match = best_match(snapshot, embedded.vectors[row])
    return match.person_id, match.score


def _point(fpir: float, right: np.ndarray, false: np.ndarray) -> OpenSetPoint:
    allowed = int(fpir * len(false) + 1e-9)
    threshold = float(np.nextafter(np.float32(false[allowed]), np.float32(2)))
    return OpenSetPoint(
        fpir=fpir,
        threshold=threshold,
        fnir=float(np.mean(right < threshold)),
        errors=allowed,
        supported=fpir * len(false) >= RULE_OF_ERRORS,
    )


def _claim(risk: Threshold, right: np.ndarray, false: np.ndarray) -> Claim:
    if risk.cosine is None:
        return Claim(risk.target_fpir, None, None, None, None)
    errors = int(np.count_nonzero(false >= risk.cosine))
    missed = float(np.mean(right < risk.cosine))
    return Claim(risk.target_fpir, risk.cosine, errors / len(false), missed, errors)
