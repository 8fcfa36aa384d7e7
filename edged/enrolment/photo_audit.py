"""Whether the photographs of one enrolled person are theirs, good, and different enough."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from edged.domain.people import Person, Template
from edged.domain.types import FloatArray
from edged.enrolment.findings import Finding, Kind, add_advice, remove_advice
from edged.enrolment.levels import Levels

# Misses of lfw-dev at a threshold for 100 people (arcface-y1, people with eight photographs or more):
# 6.1 % with one photograph, 2.1 % with two, 1.5 % with three, 1.1 % with five.
ENOUGH_PHOTOS = 3
# Of 35,170 pairs of photographs of one person of lfw-dev, taken on different days, 1 % are more alike.
# Three nearest photographs miss 2.0 % of the others, three of any kind 1.5 %.
ALIKE = 0.86
# Of the photographs of lfw-dev below it (0.8 % of them), 12 % lie far (under 0.5) from their person, of the
# others 2.5 %.
LOW_QUALITY = 0.9
# A beard or a year's illness; photographs of one session are minutes apart.
_DRIFT = timedelta(days=180)


@dataclass(frozen=True, slots=True)
class Stranger:
    """Who else of the gallery is nearest to a photograph, and the cosine to their centre."""

    person: Person
    cosine: float


def photo_findings(
    person: Person,
    templates: Sequence[Template],
    nearest: Sequence[Stranger | None],
    levels: Levels,
) -> Iterator[Finding]:
    """Yield what is to be said of a person's photographs of the embedder's space.

    ``nearest[i]`` is who else is nearest to ``templates[i]``.
    """
    if not templates:
        text = "nothing the configured embedder can compare; the person is not recognised"
        yield Finding(Kind.NO_PHOTO, (person,), text, (add_advice(person),))
        return
    doubtful: set[str] = set()
    if len(templates) > 1:
        for finding in _strays(person, templates, nearest, levels):
            doubtful |= {
                finding.template_id or "",
                *(t.template_id for t in templates if len(templates) == 2),
            }
            yield finding
    yield from _poor(person, [one for one in templates if one.template_id not in doubtful])
    yield from _narrow(person, templates)


def wrong_photos(
    templates: Sequence[Template], nearest: Sequence[Stranger | None], levels: Levels
) -> set[int]:
    """Return the places of photographs far from the person's others and near somebody else."""
    if len(templates) < 2:
        return set()
    rest = leave_one_out(np.stack([one.vector for one in templates]))
    return {
        row
        for row, other in enumerate(nearest)
        if rest[row] < levels.consistent and other is not None and other.cosine >= levels.similar
    }


def _strays(
    person: Person,
    templates: Sequence[Template],
    nearest: Sequence[Stranger | None],
    levels: Levels,
) -> Iterator[Finding]:
    """Yield the photographs that are not like the rest."""
    vectors = np.stack([one.vector for one in templates])
    rest, best = leave_one_out(vectors), nearest_of_others(vectors)
    wrong = wrong_photos(templates, nearest, levels)
    for row, (template, other) in enumerate(zip(templates, nearest, strict=True)):
        figures = {"to_the_others": float(rest[row]), "quality": template.quality}
        if rest[row] >= levels.consistent:
            continue
        if other is not None and row in wrong:
            text = (
                f"cosine {rest[row]:.2f} to the person's others, {other.cosine:.2f} to {other.person.name} "
                f"({other.person.person_id})"
            )
            figures["to_somebody_else"] = other.cosine
            yield Finding(
                Kind.WRONG_PHOTO, (person, other.person), text, (remove_advice(template.template_id),),
                figures, template.template_id,
            )  # fmt: skip
        elif best[row] < levels.consistent and len(templates) > 2:
            kind = Kind.DRIFTED if _from_another_time(template, templates) else Kind.ODD_PHOTO
            text = f"cosine {rest[row]:.2f} to the person's others, limit {levels.consistent:.2f}"
            advice = (remove_advice(template.template_id), add_advice(person))
            yield Finding(kind, (person,), text, advice, figures, template.template_id)
    if len(templates) == 2 and not wrong and rest[0] < levels.consistent:
        text = f"two photographs, cosine {rest[0]:.2f}, limit {levels.consistent:.2f}: which one is theirs?"
        removals = tuple(remove_advice(one.template_id) for one in templates)
        figures = {"to_the_others": float(rest[0])}
        yield Finding(Kind.TWO_PEOPLE, (person,), text, (add_advice(person), *removals), figures)


def _from_another_time(template: Template, templates: Sequence[Template]) -> bool:
    others = [one.created_at for one in templates if one is not template and one.created_at is not None]
    if template.created_at is None or not others:
        return False
    return all(abs(template.created_at - other) >= _DRIFT for other in others)


def _poor(person: Person, templates: Sequence[Template]) -> Iterator[Finding]:
    for template in templates:
        if template.quality < LOW_QUALITY:
            text = (
                f"quality {template.quality:.2f}; photographs of {LOW_QUALITY:g} and more are matched surely"
            )
            advice = (add_advice(person), remove_advice(template.template_id))
            yield Finding(
                Kind.LOW_QUALITY, (person,), text, advice, {"quality": template.quality}, template.template_id
            )


def _narrow(person: Person, templates: Sequence[Template]) -> Iterator[Finding]:
    """Yield what is missing: photographs, or differences between them."""
    count = len(templates)
    if count > 1:
        vectors = np.stack([one.vector for one in templates])
        least = float((vectors @ vectors.T).min())
        if least >= ALIKE:
            text = f"{count} photographs, all within cosine {least:.2f} of each other: they count as one"
            yield Finding(Kind.ALIKE_PHOTOS, (person,), text, (add_advice(person),), {"least": least})
            return
    if count < ENOUGH_PHOTOS:
        text = f"{count} of {ENOUGH_PHOTOS} photographs; others, of other days, are recognised more surely"
        yield Finding(Kind.FEW_PHOTOS, (person,), text, (add_advice(person),), {"photographs": count})


def leave_one_out(vectors: FloatArray) -> FloatArray:
    """Return for each row of ``vectors`` (n, D) unit its cosine with the centre of the others, n >= 2."""
    others = vectors.sum(axis=0) - vectors
    norms = np.maximum(np.linalg.norm(others, axis=1), 1e-12)
    return np.asarray(np.einsum("ij,ij->i", vectors, others) / norms, np.float32)


def nearest_of_others(vectors: FloatArray) -> FloatArray:
    """Return for each row of ``vectors`` (n, D) unit its highest cosine with another row, n >= 2."""
    scores = vectors @ vectors.T
    np.fill_diagonal(scores, -1)
    return np.asarray(scores.max(axis=1), np.float32)
