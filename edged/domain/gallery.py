"""A read-only picture of who may be recognised, swapped whole.

A person is scored by the centroid of their templates, each weighted by its quality. On lfw-dev (397
people, three photographs each) a centroid misses 1.8 % at FPIR 1e-3, the best of three templates 3.0 %.
"""

import itertools
import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from edged.domain.lookalikes import Bar, LookalikeRule, NearestOthers, nearest_others, raised_bars
from edged.domain.people import Person, Template, Veto
from edged.domain.types import FloatArray, IntArray

# float32 rounding of a 512-d norm stays below 1e-6; anything larger was never normalised.
_UNIT_TOLERANCE = 1e-3
# People whose templates are copied at once: 6 MB for three each, in place of 60 MB for 10,000.
_AT_ONCE = 1000
# A usable face keeps half of its likeness or more: this is for templates stored without a quality.
_LEAST_WEIGHT = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class GallerySnapshot:
    """``matrix`` (P, D) float32 unit rows, one a person, read-only; row i belongs to ``people[i]``.

    ``left_out`` counts enrolled people without a template of ``space``: nobody can recognise them.
    ``templates`` counts the templates behind the rows; ``version`` is the store's generation.
    ``vetoes`` holds, by person, (K, D) unit rows of those who were taken for the person wrongly;
    ``bars`` the people whose gates ask for more than everybody's or who have a look-alike, see
    ``lookalikes``. ``over_budget``: the threshold in force keeps the stated risk only together with a second
    factor. ``sources`` and ``nearest`` are what the next snapshot is made from, where little has changed.
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
    sources: Mapping[str, tuple[Template, ...]] = field(default_factory=dict, repr=False)
    nearest: NearestOthers | None = field(default=None, repr=False)

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
    previous: GallerySnapshot | None = None,
) -> GallerySnapshot:
    """Gather the templates of ``space`` into one row a person; people without any are left out.

    A person whose templates are the very objects of ``previous`` keeps their row of it.
    Raises ``ValueError`` on a vector that is not finite, not of unit length or not (``dimension``,).
    """
    sources = _by_person(templates, space)
    enrolled = tuple(people)
    kept = tuple(person for person in enrolled if person.person_id in sources)
    index = {person.person_id: row for row, person in enumerate(kept)}
    if len(index) != len(kept):
        raise ValueError("a person id occurs twice")
    matrix = np.zeros((len(kept), dimension), np.float32)
    fresh = _taken_over(previous, sources, index, matrix)
    for first in range(0, len(fresh), _AT_ONCE):
        _fill(matrix, fresh[first : first + _AT_ONCE], sources, index, dimension)
    matrix.flags.writeable = False
    return GallerySnapshot(
        space,
        version,
        kept,
        matrix,
        sum(map(len, sources.values())),
        index,
        _anchors(vetoes, space, dimension),
        left_out=len(enrolled) - len(kept),
        sources=sources,
    )


def _by_person(templates: Iterable[Template], space: str) -> dict[str, tuple[Template, ...]]:
    """Group them; whoever stores templates has those of one person together, mostly."""
    usable = (template for template in templates if template.space == space)
    found: dict[str, tuple[Template, ...]] = {}
    for person_id, theirs in itertools.groupby(usable, operator.attrgetter("person_id")):
        found[person_id] = (*found.get(person_id, ()), *theirs)
    return found


def _taken_over(
    previous: GallerySnapshot | None,
    sources: Mapping[str, tuple[Template, ...]],
    index: Mapping[str, int],
    matrix: FloatArray,
) -> list[str]:
    """Copy the rows of ``previous`` that hold; return the ids of the others."""
    if previous is None or previous.matrix.shape[1] != matrix.shape[1]:
        return list(index)
    same = {
        person_id: row
        for person_id, row in previous.index.items()
        # Templates equal nothing but themselves.
        if person_id in index and previous.sources.get(person_id) == sources[person_id]
    }
    then = np.fromiter(same.values(), np.intp, len(same))
    now = np.fromiter((index[person_id] for person_id in same), np.intp, len(same))
    if np.array_equal(then, now):  # in one piece; whatever else is copied so will be written over
        rows = min(len(matrix), len(previous.matrix))
        matrix[:rows] = previous.matrix[:rows]
    else:
        matrix[now] = previous.matrix[then]
    return [person_id for person_id in index if person_id not in same]


def _fill(
    matrix: FloatArray,
    person_ids: Sequence[str],
    sources: Mapping[str, tuple[Template, ...]],
    index: Mapping[str, int],
    dimension: int,
) -> None:
    """Put the weighted centre of each person's templates in their row. Raises ``ValueError``."""
    templates = [template for person_id in person_ids for template in sources[person_id]]
    if not templates:
        return
    for template in templates:
        if template.vector.shape != (dimension,):
            raise ValueError(_not_shaped(f"template {template.template_id}", template.vector, dimension))
    vectors = np.stack([template.vector for template in templates]).astype(np.float32, copy=False)
    # Written so that NaN fails: every comparison with it is false.
    bad = np.flatnonzero(~(np.abs(_norms(vectors) - 1.0) <= _UNIT_TOLERANCE))
    if bad.size:
        raise ValueError(f"template {templates[bad[0]].template_id}: expected a finite unit vector")
    weights = np.array([weight_of(template.quality) for template in templates], np.float32)
    counts = np.array([len(sources[person_id]) for person_id in person_ids])
    vectors *= weights[:, None]
    centres = _sums(vectors, counts) / _sums(weights[:, None], counts)
    norms = _norms(np.asarray(centres, np.float32))
    if (lost := np.flatnonzero(norms < _UNIT_TOLERANCE)).size:
        person_id = person_ids[lost[0]]
        raise ValueError(f"person {person_id}: templates cancel out, their mean has no direction")
    matrix[[index[person_id] for person_id in person_ids]] = centres / norms[:, None]


def _sums(rows: FloatArray, counts: IntArray) -> FloatArray:
    """Return the sum of the first ``counts[0]`` rows, of the next ``counts[1]``, and so on.

    By equal counts at once: ``np.add.reduceat`` took four times as long.
    """
    starts = np.cumsum(counts) - counts
    sums = np.empty((len(counts), rows.shape[1]), np.float32)
    for count in np.unique(counts):
        of_count = np.flatnonzero(counts == count)
        sums[of_count] = rows[starts[of_count, None] + np.arange(count)].sum(axis=1)
    return sums


def _norms(rows: FloatArray) -> FloatArray:
    norms: FloatArray = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    return norms


def with_bars(
    snapshot: GallerySnapshot,
    rule: LookalikeRule | None,
    *,
    over_budget: bool = False,
    previous: GallerySnapshot | None = None,
) -> GallerySnapshot:
    """Return the snapshot with higher bars for those who look alike; a copy of references, no vectors.

    Only rows that ``previous`` has not are compared with all others.
    """
    if rule is None:
        return replace(snapshot, bars={}, over_budget=over_budget)
    known = None if previous is None else previous.nearest
    nearest = nearest_others(list(snapshot.index), snapshot.matrix, known)
    bars = raised_bars(nearest, rule)
    return replace(snapshot, bars=bars, over_budget=over_budget, nearest=nearest)


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
        raise ValueError(_not_shaped(what, vector, dimension))
    # Written so that NaN fails: every comparison with it is false.
    if not abs(float(np.linalg.norm(vector)) - 1.0) <= _UNIT_TOLERANCE:
        raise ValueError(f"{what}: expected a finite unit vector")


def _not_shaped(what: str, vector: FloatArray, dimension: int) -> str:
    return f"{what}: expected shape ({dimension},), got {vector.shape}"
