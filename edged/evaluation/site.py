"""What a site's own people say about the threshold: against each other and against a cohort.

As at the door, one photograph is compared with a person's centroid. Impostors: every person with every
stranger of the cohort, and every enrolled photograph with every other person. Genuine: every
photograph with the centroid of the person's others (leave one out).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from edged.domain.people import Template
from edged.domain.types import FloatArray
from edged.errors import EvaluationError
from edged.evaluation.cross_pairs import TARGETS
from edged.evaluation.embedding import Progress, silent
from edged.evaluation.impostors import Impostors, bounded_points
from edged.storage.site_calibration import SiteCalibration, SitePoint


@dataclass(frozen=True, slots=True, eq=False)
class Models:
    """What was measured with: the embedding ``space`` and the SHA-256 of the ``weights`` by task."""

    space: str
    weights: Mapping[str, str]


def measure_site(
    templates: Sequence[Template],
    cohort: FloatArray | None,
    models: Models,
    progress: Progress = silent,
) -> SiteCalibration:
    """Compare the people of ``templates`` with each other and with ``cohort`` (M, D) unit rows.

    Raises ``EvaluationError`` where there is nobody to compare, or too few comparisons for any rate.
    """
    people = _by_person(templates)
    strangers = np.zeros((0, templates[0].vector.shape[0]), np.float32) if cohort is None else cohort
    if len(people) < 2 and not len(strangers):
        raise EvaluationError("one person and no cohort: there is nobody to compare with")
    impostors, genuine = site_impostors(people, strangers), leave_one_out(people)
    points = bounded_points(impostors, TARGETS, progress)
    if not points:
        raise EvaluationError(
            f"{impostors.comparisons:,} comparisons are not enough for a claim of {max(TARGETS):g}: "
            f"at least {3 / max(TARGETS):,.0f} are needed"
        )
    return SiteCalibration(
        space=models.space,
        weights=dict(models.weights),
        measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
        people=len(people),
        photographs=len(templates),
        cohort=len(strangers),
        genuine=len(genuine),
        points=tuple(
            SitePoint(
                bound=point.bound,
                threshold=point.threshold,
                comparisons=point.comparisons,
                errors=point.errors,
                fnmr=float(np.mean(genuine < point.threshold)) if len(genuine) else None,
            )
            for point in points
        ),
    )


def site_impostors(people: Sequence[FloatArray], cohort: FloatArray) -> Impostors:
    """Return all comparisons of different people; ``people`` holds the unit rows (N, D) of each."""
    count, strangers = len(people), len(cohort)
    owners = np.repeat(np.arange(count), [len(rows) for rows in people])
    centres = np.array([_centre(rows) for rows in people])
    # Columns: the strangers, then the enrolled photographs.
    probes = np.concatenate([cohort, *people])
    who = np.concatenate([count + np.arange(strangers), owners])
    scores = centres @ probes.T
    other = np.arange(count)[:, None] != who[None]
    trials = np.zeros((count + strangers, count + strangers), np.float32)
    np.add.at(trials, (np.nonzero(other)[0], who[np.nonzero(other)[1]]), 1)
    floor = float(np.quantile(scores[other], 1 - 2 * max(TARGETS)))
    rows, columns = np.nonzero(other & (scores >= floor))
    return Impostors(
        trials,
        rows.astype(np.int32),
        who[columns].astype(np.int32),
        scores[rows, columns].astype(np.float32),
        floor,
        (count, strangers),
    )


def leave_one_out(people: Sequence[FloatArray]) -> FloatArray:
    """Return the cosine of every photograph to the centroid of the same person's others."""
    scores = [
        float(row @ _centre(np.delete(rows, index, axis=0)))
        for rows in people
        if len(rows) > 1
        for index, row in enumerate(rows)
    ]
    return np.array(scores, np.float32)


def _by_person(templates: Sequence[Template]) -> list[FloatArray]:
    if not templates:
        raise EvaluationError("nobody is enrolled with this embedder: there is nothing to calibrate with")
    found: dict[str, list[FloatArray]] = {}
    for template in templates:
        found.setdefault(template.person_id, []).append(template.vector)
    return [np.array(rows, np.float32) for rows in found.values()]


def _centre(rows: FloatArray) -> FloatArray:
    centre = rows.mean(axis=0)
    return np.asarray(centre / np.linalg.norm(centre), np.float32)
