"""A read-only picture of who may be recognised, swapped whole.

A person is scored by the centroid of their templates, each weighted by its quality. On lfw-dev (397
people, three photographs each) a centroid misses 1.8 % at FPIR 1e-3, the best of three templates 3.0 %.
"""

import itertools
import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from weakref import ReferenceType, ref

import numpy as np

from edged.domain.bars import BarsOnDemand
from edged.domain.codes import MOST_DIMENSIONS, Codes, Products, blocked_products
from edged.domain.lookalikes import Bar, LookalikeRule, NearestOthers, nearest_others, raised_bars
from edged.domain.people import Person, Template, Veto
from edged.domain.row_blocks import RowBlocks
from edged.domain.search import Search
from edged.domain.types import FloatArray, IntArray

# float32 rounding of a 512-d norm stays below 1e-6; anything larger was never normalised.
_UNIT_TOLERANCE = 1e-3
# People whose templates are copied at once: 6 MB for three each, in place of 60 MB for 10,000.
_AT_ONCE = 1000
# A usable face keeps half of its likeness or more: this is for templates stored without a quality.
_LEAST_WEIGHT = 0.1
# From so many rows on codes are looked through first, and from so many nothing else is kept: float32 would
# take 512 MB at 512 d.
CODED_FROM = 25_000
COMPACT_FROM = 250_000
# From so many people on a bar is found when it is asked for, in a millisecond: all pairs of 5,000 take 0.5 s
# of CPU, of 100,000 minutes, and nobody could be let in meanwhile.
ON_DEMAND_FROM = 5_000

# By person. While a template lives there is one such reference to it, so that these are equal where the
# templates are the very same; those of a template that is gone equal no others.
Sources = Mapping[str, tuple[ReferenceType[Template], ...]]


@dataclass(frozen=True, slots=True, eq=False)
class GallerySnapshot:
    """``matrix`` (P, D) float32 unit rows, one a person, read-only; row i belongs to ``people[i]``.

    Of the largest galleries it holds codes, which give their rows as float32 when asked; see ``codes``. Of
    those that change a part at a time (``gallery_parts``) the rows lie in several pieces.
    ``screen`` and ``products`` are what such and other large ones are searched by; see ``search``.

    ``left_out`` counts enrolled people without a template of ``space``: nobody can recognise them.
    ``templates`` counts the templates behind the rows; ``version`` is the store's generation.
    ``vetoes`` holds, by person, (K, D) unit rows of those who were taken for the person wrongly;
    ``bars`` the people whose gates ask for more than everybody's or who have a look-alike, see
    ``lookalikes``. ``over_budget``: the threshold in force keeps the stated risk only together with a second
    factor. ``sources`` and ``nearest`` are what the next snapshot is made from, where little has changed; a
    template is let go where its store does not keep it.
    """

    space: str
    version: int
    people: Sequence[Person]
    matrix: FloatArray | Codes | RowBlocks
    templates: int
    index: Mapping[str, int] = field(default_factory=dict)
    vetoes: Mapping[str, FloatArray] = field(default_factory=dict)
    bars: Mapping[str, Bar] = field(default_factory=dict)
    left_out: int = 0
    over_budget: bool = False
    sources: Sources = field(default_factory=dict, repr=False)
    nearest: NearestOthers | None = field(default=None, repr=False)
    screen: Codes | None = field(default=None, repr=False)
    products: Products = field(default=blocked_products, repr=False)

    @property
    def search(self) -> Search:
        """The search over all rows."""
        return Search(self.matrix, self.screen, self.products)

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
    templates: Iterable[Template],
    *,
    vetoes: Iterable[Veto] = (),
    previous: GallerySnapshot | None = None,
    products: Products = blocked_products,
) -> GallerySnapshot:
    """Gather the templates of ``space`` into one row a person; people without any are left out.

    A person whose templates are the very objects of ``previous`` keeps their row of it. ``products`` is what
    a large gallery's codes are multiplied by.
    Raises ``ValueError`` on a vector that is not finite, not of unit length or not (``dimension``,).
    """
    sources = _by_person(templates, space)
    enrolled = tuple(people)
    kept = tuple(person for person in enrolled if person.person_id in sources)
    index = {person.person_id: row for row, person in enumerate(kept)}
    if len(index) != len(kept):
        raise ValueError("a person id occurs twice")
    matrix = _room(len(kept), dimension)
    known = {person_id: tuple(map(ref, theirs)) for person_id, theirs in sources.items()}
    fresh = _taken_over(previous, known, index, matrix)
    for first in range(0, len(fresh), _AT_ONCE):
        _fill(matrix, fresh[first : first + _AT_ONCE], sources, index, dimension)
    return GallerySnapshot(
        space,
        version,
        kept,
        matrix,
        sum(map(len, sources.values())),
        index,
        anchors_of(vetoes, space, dimension),
        left_out=len(enrolled) - len(kept),
        sources=known,
        screen=_sealed(matrix),
        products=products,
    )


def _room(people: int, dimension: int) -> FloatArray | Codes:
    """Return zeros for so many rows, in the form in which so many are kept."""
    if people >= COMPACT_FROM and dimension <= MOST_DIMENSIONS:
        return Codes.room(people, dimension)
    return np.zeros((people, dimension), np.float32)


def _sealed(matrix: FloatArray | Codes) -> Codes | None:
    """Make ``matrix`` read-only; return the codes that it is looked through by, where that is worth it."""
    if isinstance(matrix, Codes):
        matrix.seal()
        return None
    matrix.flags.writeable = False
    coded = len(matrix) >= CODED_FROM and matrix.shape[1] <= MOST_DIMENSIONS
    return Codes.of(matrix) if coded else None


def _by_person(templates: Iterable[Template], space: str) -> dict[str, tuple[Template, ...]]:
    """Group them; whoever stores templates has those of one person together, mostly."""
    usable = (template for template in templates if template.space == space)
    found: dict[str, tuple[Template, ...]] = {}
    for person_id, theirs in itertools.groupby(usable, operator.attrgetter("person_id")):
        found[person_id] = (*found.get(person_id, ()), *theirs)
    return found


def _taken_over(
    previous: GallerySnapshot | None,
    known: Sources,
    index: Mapping[str, int],
    matrix: FloatArray | Codes,
) -> list[str]:
    """Copy the rows of ``previous`` that hold; return the ids of the others."""
    if previous is None or previous.matrix.shape[1] != matrix.shape[1]:
        return list(index)
    if isinstance(previous.matrix, RowBlocks):
        return list(index)  # made of parts, whose templates were not kept
    if isinstance(previous.matrix, Codes) and not isinstance(matrix, Codes):
        return list(index)  # a code is not what it was made of
    same = {
        person_id: row
        for person_id, row in previous.index.items()
        if person_id in index and previous.sources.get(person_id) == known[person_id]
    }
    then = np.fromiter(same.values(), np.intp, len(same))
    now = np.fromiter((index[person_id] for person_id in same), np.intp, len(same))
    _copy(matrix, now, previous.matrix, then)
    return [person_id for person_id in index if person_id not in same]


def _copy(matrix: FloatArray | Codes, now: IntArray, source: FloatArray | Codes, then: IntArray) -> None:
    """Copy rows ``then`` of ``source`` to ``now``; the others of ``matrix`` are still to be written."""
    if isinstance(matrix, Codes) and isinstance(source, Codes):
        matrix.take(now, source, then)
    elif isinstance(source, np.ndarray) and isinstance(matrix, np.ndarray) and np.array_equal(then, now):
        rows = min(len(matrix), len(source))
        matrix[:rows] = source[:rows]  # in one piece; whatever else is copied so will be written over
    else:
        for start in range(0, len(now), _AT_ONCE):
            some = slice(start, start + _AT_ONCE)
            _write(matrix, now[some], source[then[some]])


def _write(matrix: FloatArray | Codes, rows: IntArray, vectors: FloatArray) -> None:
    if isinstance(matrix, Codes):
        matrix.put(rows, vectors)
    else:
        matrix[rows] = vectors


def _fill(
    matrix: FloatArray | Codes,
    person_ids: Sequence[str],
    sources: Mapping[str, tuple[Template, ...]],
    index: Mapping[str, int],
    dimension: int,
) -> None:
    """Put the weighted centre of each person's templates in their row. Raises ``ValueError``."""
    templates = [template for person_id in person_ids for template in sources[person_id]]
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
    rows = np.array([index[person_id] for person_id in person_ids], np.intp)
    _write(matrix, rows, np.asarray(centres / norms[:, None], np.float32))


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
    all_at_once: bool = False,
) -> GallerySnapshot:
    """Return the snapshot with higher bars for those who look alike; a copy of references, no vectors.

    Only rows that ``previous`` has not are compared with all others. In a large gallery a bar is found when
    it is asked for, unless ``all_at_once``.
    """
    if rule is None:
        return replace(snapshot, bars={}, over_budget=over_budget)
    matrix = snapshot.matrix
    if isinstance(matrix, Codes) or (len(matrix) >= ON_DEMAND_FROM and not all_at_once):
        bars = BarsOnDemand(snapshot.index, tuple(snapshot.index), snapshot.search, rule)
        for person_id in snapshot.vetoes:  # these are asked for at every face
            bars.get(person_id)
        return replace(snapshot, bars=bars, over_budget=over_budget, nearest=None)
    rows = matrix if isinstance(matrix, np.ndarray) else matrix[:]
    known = None if previous is None else previous.nearest
    nearest = nearest_others(list(snapshot.index), rows, known)
    found = raised_bars(nearest, rule)
    return replace(snapshot, bars=found, over_budget=over_budget, nearest=nearest)


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


def anchors_of(vetoes: Iterable[Veto], space: str, dimension: int) -> dict[str, FloatArray]:
    """Return the vetoes of ``space`` by person, (K, D) each and read-only.

    Raises ``ValueError`` on a vector that is not finite, not of unit length or not (``dimension``,).
    """
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
