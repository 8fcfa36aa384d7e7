"""A read-only picture of who may be recognised, swapped whole.

A person is scored by the centroid of their templates, each weighted by its quality. On lfw-dev (397
people, three photographs each) a centroid misses 1.8 % at FPIR 1e-3, the best of three templates 3.0 %.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from edged.domain.lookalikes import Bar, LookalikeRule, raised_bars
from edged.domain.people import Person, Template, Veto
from edged.domain.types import FloatArray

# float32 rounding of a 512-d norm stays below 1e-6; anything larger was never normalised.
_UNIT_TOLERANCE = 1e-3
# A usable face keeps half of its likeness or more: this is for templates stored without a quality.
_LEAST_WEIGHT = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class GallerySnapshot:
    """``matrix`` (P, D) float32 unit rows, one a person, read-only; row i belongs to ``people[i]``.

    ``left_out`` counts enrolled people without a template of ``space``: nobody can recognise them.
    ``templates`` counts the templates behind the rows; ``version`` is the store's generation.
    ``vetoes`` holds, by person, (K, D) unit rows of those who were taken for the person wrongly;
    ``bars`` the people whose gates ask for more than everybody's, see ``lookalikes``. ``over_budget``: the
    threshold in force keeps the stated risk only together with a second factor.
    """

    space: str
    version: int
    people: tuple[Person, ...]
    matrix: FloatArray
    templates: int
    index: Mapping[str, int] = field(default_factory=dict)
    vetoes: Mapping[str, FloatArray] = field(default_factory=dict)
    bars: Mapping[str, Bar] = field(default_factory=dict)
    left_out: int = 0
    over_budget: bool = False

    def person(self, person_id: str) -> Person | None:
        """Return the person, or None if they are not in this snapshot."""
        row = self.index.get(person_id)
        return None if row is None else self.people[row]

    @property
    def gap(self) -> str | None:
        """Words about those who are left out; see ``gap_text``."""
        return gap_text(self.left_out, len(self.people) + self.left_out, self.space)


def gap_text(left_out: int, enrolled: int, space: str) -> str | None:
    """Say how many people the embedder of ``space`` cannot know, or None where it can know everybody.

    Embeddings of different spaces never meet, so after a change of the embedder this is everybody.
    """
    if not left_out:
        return None
    return (
        f"{left_out} of {enrolled} people have no template of this model (space {space}): "
        "enrol their photographs again with `edged enrol`"
    )


def empty_snapshot(space: str, dimension: int, version: int = 0) -> GallerySnapshot:
    """Return a gallery of nobody: everybody is a stranger to it."""
    return build_snapshot(space, dimension, version, [], [])


def build_snapshot(
    space: str,
    dimension: int,
    version: int,
    people: Iterable[Person],
    templates: Sequence[Template],
    *,
    vetoes: Iterable[Veto] = (),
) -> GallerySnapshot:
    """Gather the templates of ``space`` into one row a person; people without any are left out.

    Raises ``ValueError`` on a vector that is not finite, not of unit length or not (``dimension``,).
    """
    by_person: dict[str, list[tuple[FloatArray, float]]] = {}
    count = 0
    for template in templates:
        if template.space != space:
            continue
        _check_vector(f"template {template.template_id}", template.vector, dimension)
        by_person.setdefault(template.person_id, []).append((template.vector, template.quality))
        count += 1
    enrolled = tuple(people)
    kept = tuple(person for person in enrolled if person.person_id in by_person)
    matrix = np.zeros((len(kept), dimension), np.float32)
    for row, person in enumerate(kept):
        centre = weighted_centre(by_person[person.person_id])
        if centre is None:
            raise ValueError(f"person {person.person_id}: templates cancel out, their mean has no direction")
        matrix[row] = centre
    matrix.flags.writeable = False
    index = {person.person_id: row for row, person in enumerate(kept)}
    if len(index) != len(kept):
        raise ValueError("a person id occurs twice")
    left_out, anchors = len(enrolled) - len(kept), _anchors(vetoes, space, dimension)
    return GallerySnapshot(space, version, kept, matrix, count, index, anchors, left_out=left_out)


def with_bars(
    snapshot: GallerySnapshot, rule: LookalikeRule | None, *, over_budget: bool = False
) -> GallerySnapshot:
    """Return the snapshot with higher bars for those who look alike; a copy of references, no vectors."""
    bars = raised_bars(list(snapshot.index), snapshot.matrix, rule)
    return replace(snapshot, bars=bars, over_budget=over_budget)


def weighted_centre(faces: Iterable[tuple[FloatArray, float]]) -> FloatArray | None:
    """Return the mean direction (D,) float32 of unit vectors with their qualities 0..1; None if they cancel.

    Each counts by its quality, but none by less than ``_LEAST_WEIGHT``, so that faces without any still
    have a centre.
    """
    vectors, qualities = zip(*faces, strict=True)
    weights = np.array([weight_of(quality) for quality in qualities], np.float32)
    centre = weights @ np.asarray(vectors) / weights.sum()
    norm = float(np.linalg.norm(centre))
    return None if norm < _UNIT_TOLERANCE else np.asarray(centre / norm, np.float32)


def weight_of(quality: float) -> float:
    """Return what a face of this quality counts in a mean."""
    return min(1.0, max(_LEAST_WEIGHT, quality))  # in this order NaN gives the least


def _anchors(vetoes: Iterable[Veto], space: str, dimension: int) -> dict[str, FloatArray]:
    """Return the vetoes of ``space`` by person, (K, D) each and read-only."""
    by_person: dict[str, list[FloatArray]] = {}
    for veto in vetoes:
        if veto.space == space:
            _check_vector(f"veto {veto.event_id}", veto.vector, dimension)
            by_person.setdefault(veto.person_id, []).append(veto.vector)
    anchors = {person_id: np.stack(vectors) for person_id, vectors in by_person.items()}
    for rows in anchors.values():
        rows.flags.writeable = False
    return anchors


def _check_vector(what: str, vector: FloatArray, dimension: int) -> None:
    if vector.shape != (dimension,):
        raise ValueError(f"{what}: expected shape ({dimension},), got {vector.shape}")
    # Written so that NaN fails: every comparison with it is false.
    if not abs(float(np.linalg.norm(vector)) - 1.0) <= _UNIT_TOLERANCE:
        raise ValueError(f"{what}: expected a finite unit vector")
