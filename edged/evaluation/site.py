"""What a site's own people say about the threshold: against each other and against a cohort.

As at the door, one photograph is compared with a person's centroid, to which each of theirs counts by its
quality. Impostors: every person with every
stranger of the cohort, and every enrolled photograph with every other person. Genuine: every
photograph with the centroid of the person's others (leave one out).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from edged.domain.centres import weighted_centre
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

    Raises ``EvaluationError`` where there is nobody to compare, or too few comparisons for any rate, and as
    ``site_impostors``.
    """
    people = _by_person(templates)
    strangers = np.zeros((0, templates[0].vector.shape[0]), np.float32) if cohort is None else cohort
    if len(people) < 2 and not len(strangers):
        raise EvaluationError("one person and no cohort: there is nobody to compare with")
    impostors, genuine = site_impostors(people, strangers), leave_one_out(people)
    points = bounded_points(impostors, TARGETS, progress)
    if not points:
        lacking = "" if len(strangers) else ", since the pack has no cohort of strangers to compare with"
        raise EvaluationError(
            f"{impostors.comparisons:,} comparisons are not enough for a claim of {max(TARGETS):g}: "
            f"at least {3 / max(TARGETS):,.0f} are needed{lacking}; the pack's own table stays in force"
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


def site_impostors(people: Sequence[Sequence[Template]], cohort: FloatArray) -> Impostors:
    """Return all comparisons of different people; ``people`` holds the templates of each.

    Raises ``EvaluationError`` for a person whose templates cancel out: no door knows them.
    """
    count, strangers = len(people), len(cohort)
    photographs = np.array([len(own) for own in people])
    owners = np.repeat(np.arange(count), photographs)
    centres = np.array([_centre(own) for own in people])
    # Columns: the strangers, then the enrolled photographs.
    probes = np.concatenate([cohort, *(_vectors(own) for own in people)])
    who = np.concatenate([count + np.arange(strangers), owners])
    scores = centres @ probes.T
    other = np.arange(count)[:, None] != who[None]
    trials = np.zeros((count + strangers, count + strangers), np.float32)
    trials[:count, :count], trials[:count, count:] = photographs, 1
    np.fill_diagonal(trials, 0)
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


def leave_one_out(people: Sequence[Sequence[Template]]) -> FloatArray:
    """Return the cosine of every photograph to the centroid of the same person's others."""
    scores = [
        float(one.vector @ _centre([*own[:place], *own[place + 1 :]]))
        for own in people
        if len(own) > 1
        for place, one in enumerate(own)
    ]
    return np.array(scores, np.float32)


def _by_person(templates: Sequence[Template]) -> list[list[Template]]:
    if not templates:
        raise EvaluationError("nobody is enrolled with this embedder: there is nothing to calibrate with")
    found: dict[str, list[Template]] = {}
    for template in templates:
        found.setdefault(template.person_id, []).append(template)
    return list(found.values())


def _vectors(templates: Sequence[Template]) -> FloatArray:
    return np.array([one.vector for one in templates], np.float32)


def _centre(templates: Sequence[Template]) -> FloatArray:
    centre = weighted_centre((one.vector, one.quality) for one in templates)
    if centre is None:
        who = templates[0].person_id
        raise EvaluationError(f"person {who}: templates cancel out, their mean has no direction")
    return centre
