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
from edged.domain.centres import UNIT_TOLERANCE, centres_of, not_shaped
from edged.domain.codes import MOST_DIMENSIONS, Codes, Products, blocked_products
from edged.domain.compact_gallery import compact_gallery
from edged.domain.disabled_people import DisabledPeople
from edged.domain.lookalikes import Bar, LookalikeRule, NearestOthers, nearest_others, raised_bars
from edged.domain.originals import Originals, Reread
from edged.domain.packed_people import PackedPeople, RowsById
from edged.domain.people import Person, Template, Veto
from edged.domain.row_blocks import RowBlocks
from edged.domain.search import Search
from edged.domain.types import FloatArray, IntArray

# People whose templates are copied at once: 6 MB for three each, in place of 60 MB for 10,000.
_AT_ONCE = 1000
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
    ``screen`` and ``products`` are what such and other large ones are searched by, ``originals`` what their
    rows were before they were codes; see ``search``.

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
    originals: Originals | None = field(default=None, repr=False)

    @property
    def search(self) -> Search:
        """The search over all rows."""
        return Search(self.matrix, self.screen, self.products, self.originals)

    def person(self, person_id: str) -> Person | None:
        """Return the person, or None if they are not in this snapshot."""
        row = self.index.get(person_id)
        return None if row is None else self.people[row]

    def without(self, denied: frozenset[str]) -> "GallerySnapshot":
        """Return the snapshot with those of its people disabled who are ``denied``; itself where all are."""
        rows = [
            row for one in denied if (row := self.index.get(one)) is not None and self.people[row].enabled
        ]
        return replace(self, people=DisabledPeople(self.people, rows)) if rows else self

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


def packed(people: Sequence[Person]) -> Sequence[Person]:
    """Return ``people``, packed where they are so many that only codes are kept of them."""
    return PackedPeople(people) if len(people) >= COMPACT_FROM else people


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
    reread: Reread | None = None,
) -> GallerySnapshot:
    """Gather the templates of ``space`` into one row a person; people without any are left out.

    A person whose templates are the very objects of ``previous`` keeps their row of it, but in the largest
    galleries. ``products`` is what a large gallery's codes are multiplied by; ``reread`` gives the templates
    of people once more where only codes are kept.
    Raises ``ValueError`` on a vector that is not finite, not of unit length or not (``dimension``,).
    """
    enrolled = people if isinstance(people, PackedPeople) else tuple(people)
    if len(enrolled) >= COMPACT_FROM and dimension <= MOST_DIMENSIONS:
        anchors = anchors_of(vetoes, space, dimension)
        made = compact_gallery(space, dimension, enrolled, templates, reread)
        return GallerySnapshot(
            space,
            version,
            made.people,
            made.codes,
            made.templates,
            made.index,
            anchors,
            left_out=made.left_out,
            products=products,
            originals=made.originals,
        )
    sources = _by_person(templates, space)
    kept = tuple(person for person in enrolled if person.person_id in sources)
    index = {person.person_id: row for row, person in enumerate(kept)}
    if len(index) != len(kept):
        raise ValueError("a person id occurs twice")
    matrix = np.zeros((len(kept), dimension), np.float32)
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


def _sealed(matrix: FloatArray) -> Codes | None:
    """Make ``matrix`` read-only; return the codes that it is looked through by, where that is worth it."""
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
    matrix: FloatArray,
) -> list[str]:
    """Copy the rows of ``previous`` that hold; return the ids of the others."""
    if previous is None or previous.matrix.shape[1] != matrix.shape[1]:
        return list(index)
    if isinstance(previous.matrix, RowBlocks):
        return list(index)  # made of parts, whose templates were not kept
    if isinstance(previous.matrix, Codes):
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


def _copy(matrix: FloatArray, now: IntArray, source: FloatArray, then: IntArray) -> None:
    """Copy rows ``then`` of ``source`` to ``now``; the others of ``matrix`` are still to be written."""
    if np.array_equal(then, now):
        rows = min(len(matrix), len(source))
        matrix[:rows] = source[:rows]  # in one piece; whatever else is copied so will be written over
        return
    for start in range(0, len(now), _AT_ONCE):
        some = slice(start, start + _AT_ONCE)
        matrix[now[some]] = source[then[some]]


def _fill(
    matrix: FloatArray,
    person_ids: Sequence[str],
    sources: Mapping[str, tuple[Template, ...]],
    index: Mapping[str, int],
    dimension: int,
) -> None:
    """Put the weighted centre of each person's templates in their row. Raises ``ValueError``."""
    theirs = {person_id: sources[person_id] for person_id in person_ids}
    rows = np.array([index[person_id] for person_id in person_ids], np.intp)
    matrix[rows] = centres_of(theirs, dimension)


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
        ids = snapshot.index.ids if isinstance(snapshot.index, RowsById) else tuple(snapshot.index)
        bars = BarsOnDemand(snapshot.index, ids, snapshot.search, rule)
        for person_id in snapshot.vetoes:  # these are asked for at every face
            bars.get(person_id)
        return replace(snapshot, bars=bars, over_budget=over_budget, nearest=None)
    rows = matrix if isinstance(matrix, np.ndarray) else matrix[:]
    known = None if previous is None else previous.nearest
    nearest = nearest_others(list(snapshot.index), rows, known)
    found = raised_bars(nearest, rule)
    return replace(snapshot, bars=found, over_budget=over_budget, nearest=nearest)


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
        raise ValueError(not_shaped(what, vector, dimension))
    # Written so that NaN fails: every comparison with it is false.
    if not abs(float(np.linalg.norm(vector)) - 1.0) <= UNIT_TOLERANCE:
        raise ValueError(f"{what}: expected a finite unit vector")
