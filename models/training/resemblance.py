"""Whether somebody real can be recognised in a demo person, and whether a door can tell them apart."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from likeness import FloatArray, Survey

# y1 at a false match rate of 1e-5 wants 0.467: at 0.5 no door would take one for the other.
MAX_TO_ANYBODY = 0.5
# Far below what a door asks for at 1e-3 (0.332) plus its margin to the runner-up (0.06).
MAX_BETWEEN = 0.35
MIN_WITHIN = 0.5


@dataclass(frozen=True, slots=True)
class Checks:
    """The largest cosines of a demo person, its photographs and their mean alike, by the teacher.

    ``contributors``: to a photograph or the mean of a contributor; ``anybody``: to any photograph or
    person surveyed; ``others``: to another demo person; ``within``: the smallest of a photograph to the
    mean of the person's others.
    """

    name: str
    contributors: float
    anybody: float
    others: float
    within: float


def check(made: Sequence[tuple[str, FloatArray, Sequence[str]]], seen: Survey) -> list[Checks]:
    """Compare each (name, (5, D) unit vectors, contributors) with everybody."""
    people = sorted(set(seen.people) - {""})
    means = np.array([_mean(seen.vectors[seen.rows(person)]) for person in people])
    places = {person: at for at, person in enumerate(people)}
    views = [np.vstack([vectors, _mean(vectors)]) for _, vectors, _ in made]
    rows = []
    for at, (name, vectors, contributors) in enumerate(made):
        of_theirs = np.isin(seen.people, list(contributors))
        theirs = np.vstack([seen.vectors[of_theirs], means[[places[person] for person in contributors]]])
        everybody = np.vstack([seen.vectors, means])
        others = np.vstack([view for place, view in enumerate(views) if place != at])
        rows.append(
            Checks(
                name,
                contributors=_largest(views[at], theirs),
                anybody=_largest(views[at], everybody),
                others=_largest(views[at], others),
                within=_agreement(vectors),
            )
        )
    return rows


def problems(checks: Sequence[Checks]) -> list[str]:
    """Say in words what is beyond the limits. NaN is."""
    limits = {"contributors": MAX_TO_ANYBODY, "anybody": MAX_TO_ANYBODY, "others": MAX_BETWEEN}
    found = [
        f"{row.name}: {part} {getattr(row, part):.3f}, expected below {limit}"
        for row in checks
        for part, limit in limits.items()
        if not getattr(row, part) < limit
    ]
    weak = [row for row in checks if not row.within >= MIN_WITHIN]
    return found + [f"{row.name}: within {row.within:.3f}, expected at least {MIN_WITHIN}" for row in weak]


def _mean(vectors: FloatArray) -> FloatArray:
    mean = vectors.mean(axis=0)
    return np.asarray(mean / np.linalg.norm(mean), np.float32)


def _largest(ours: FloatArray, theirs: FloatArray) -> float:
    return float((ours @ theirs.T).max())


def _agreement(vectors: FloatArray) -> float:
    """Return the smallest cosine of one of (N, D) vectors to the mean of the others."""
    return min(float(vectors[at] @ _mean(np.delete(vectors, at, axis=0))) for at in range(len(vectors)))
