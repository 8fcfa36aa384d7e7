"""A gallery put together of parts that change one at a time.

What is the same as before is neither copied nor looked at: of 10,000 people in 32 parts a change of one
person makes some 300 rows anew.
"""

import bisect
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import overload

from edged.domain.codes import MOST_DIMENSIONS, Codes, Products, blocked_products
from edged.domain.gallery import CODED_FROM, ON_DEMAND_FROM, GallerySnapshot, anchors_of
from edged.domain.people import Person, Veto
from edged.domain.row_blocks import RowBlocks
from edged.domain.types import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class GalleryPart:
    """Some people of a gallery: ``matrix`` (P, D) float32 unit rows, read-only, one a person.

    ``templates`` counts what the rows were made of, ``left_out`` people without any. ``index`` is the row of
    each person. Raises ``ValueError`` where an id occurs twice.
    """

    people: tuple[Person, ...]
    matrix: FloatArray
    templates: int
    left_out: int = 0
    index: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.index:
            found = {person.person_id: row for row, person in enumerate(self.people)}
            object.__setattr__(self, "index", found)
        if len(self.index) != len(self.people):
            raise ValueError("a person id occurs twice")

    def without(self, denied: AbstractSet[str]) -> "GalleryPart":
        """Return the part with those of its people disabled who are ``denied``; the rows are the same."""
        few, many = sorted((denied, self.index.keys()), key=len)
        here = [person_id for person_id in few if person_id in many]
        if not here:
            return self
        people = list(self.people)
        for row in map(self.index.__getitem__, here):
            people[row] = replace(people[row], enabled=False)
        return replace(self, people=tuple(people))


def snapshot_of(
    space: str,
    dimension: int,
    version: int,
    parts: Sequence[GalleryPart],
    *,
    vetoes: Iterable[Veto] = (),
    previous: GallerySnapshot | None = None,
    products: Products = blocked_products,
) -> GallerySnapshot:
    """Return the snapshot that ``build_snapshot`` makes of the same people, in the same order.

    No id may be in two parts. Of codes, which a large gallery is looked through by, only those are made that
    ``previous`` has not. Raises ``ValueError`` on a veto as ``build_snapshot``.
    """
    starts = tuple(itertools.accumulate((len(part.people) for part in parts), initial=0))
    blocks = RowBlocks([part.matrix for part in parts], dimension)
    people: Sequence[Person] = _People([part.people for part in parts], starts)
    index: Mapping[str, int] = _Rows([part.index for part in parts], starts)
    matrix: FloatArray | RowBlocks = blocks
    if len(blocks) < ON_DEMAND_FROM:  # everybody is compared with everybody at once, in one piece
        people, matrix = tuple(people), blocks[:]
        index = {person.person_id: row for row, person in enumerate(people)}
        matrix.flags.writeable = False
    coded = len(blocks) >= CODED_FROM and dimension <= MOST_DIMENSIONS
    return GallerySnapshot(
        space,
        version,
        people,
        matrix,
        sum(part.templates for part in parts),
        index,
        anchors_of(vetoes, space, dimension),
        left_out=sum(part.left_out for part in parts),
        screen=_codes(blocks, previous) if coded else None,
        products=products,
    )


def _codes(blocks: RowBlocks, previous: GallerySnapshot | None) -> Codes:
    """Return the codes of all rows; of blocks that ``previous`` has they are copied."""
    made = Codes.room(*blocks.shape)
    known, there = None if previous is None else previous.screen, dict[int, int]()
    if previous is not None and known is not None and isinstance(previous.matrix, RowBlocks):
        there = previous.matrix.starts()
    for block, first in zip(blocks.blocks, blocks.starts().values(), strict=True):
        rows = slice(first, first + len(block))
        at = there.get(id(block))
        if known is None or at is None:
            made.take(rows, Codes.of(block), slice(None))
        else:
            made.take(rows, known, slice(at, at + len(block)))
    made.seal()
    return made


class _People(Sequence[Person]):
    """The people of all parts, one part after another."""

    def __init__(self, parts: Sequence[Sequence[Person]], starts: Sequence[int]) -> None:
        self._parts = parts
        self._starts = starts

    def __len__(self) -> int:
        return self._starts[-1]

    @overload
    def __getitem__(self, row: int) -> Person: ...
    @overload
    def __getitem__(self, row: slice) -> Sequence[Person]: ...
    def __getitem__(self, row: int | slice) -> Person | Sequence[Person]:
        if isinstance(row, slice):
            return tuple(self)[row]
        row = range(len(self))[row]
        part = bisect.bisect_right(self._starts, row) - 1
        return self._parts[part][row - self._starts[part]]

    def __iter__(self) -> Iterator[Person]:
        return itertools.chain.from_iterable(self._parts)


class _Rows(Mapping[str, int]):
    """The row of each person: a look into a few dozen tables, which is done once a face."""

    def __init__(self, parts: Sequence[Mapping[str, int]], starts: Sequence[int]) -> None:
        self._parts = parts
        self._starts = starts

    def __getitem__(self, person_id: str) -> int:
        for part, start in zip(self._parts, self._starts, strict=False):
            row = part.get(person_id)
            if row is not None:
                return start + row
        raise KeyError(person_id)

    def __iter__(self) -> Iterator[str]:
        return itertools.chain.from_iterable(self._parts)

    def __len__(self) -> int:
        return self._starts[-1]
