"""A gallery of hundreds of thousands: people packed, rows as codes, templates seen one after another.

Never are all templates in memory: of a million they take 3 GB, their codes 520 MB.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edged.domain.centres import centres_of
from edged.domain.codes import Codes
from edged.domain.originals import Originals, Reread, by_person
from edged.domain.packed_people import PackedPeople, RowsById
from edged.domain.people import Person, Template
from edged.domain.types import IntArray

# Templates in memory at once: 6 MB with all that belongs to them.
_AT_ONCE = 2000


@dataclass(frozen=True, slots=True, eq=False)
class CompactGallery:
    """``codes`` row i is ``people[i]``'s; ``templates`` were used, ``left_out`` people have none."""

    people: PackedPeople
    index: Mapping[str, int]
    codes: Codes
    templates: int
    left_out: int
    originals: Originals | None


def compact_gallery(
    space: str,
    dimension: int,
    people: Sequence[Person],
    templates: Iterable[Template],
    reread: Reread | None,
) -> CompactGallery:
    """Make codes of the templates of ``space``, which are let go as they come.

    Where those of one person do not come together ``reread`` gives them once more at the end. Without
    ``reread`` they are held in memory.
    Raises ``ValueError`` as ``centres_of``, where an id occurs twice, and where ``reread`` gives nothing.
    """
    packed = people if isinstance(people, PackedPeople) else PackedPeople(people)
    filling = _Filling(RowsById(packed), Codes.room(len(packed), dimension), space)
    if reread is None:
        templates = itertools.chain.from_iterable(by_person(templates, space).values())
    apart = filling.take_all(templates)
    for some in _parts(apart, _AT_ONCE):
        found = by_person(() if reread is None else reread(some), space)
        if missing := [who for who in some if who not in found]:
            raise ValueError(f"person {missing[0]}: their templates cannot be read a second time")
        filling.take(found)
    index, codes = filling.index, filling.codes
    kept = np.flatnonzero(filling.counts)
    if len(kept) < len(packed):
        packed, codes = packed.only(kept), codes.only(kept)
        index = RowsById(packed)
    codes.seal()
    originals = None if reread is None else Originals(index.ids, codes, space, reread)
    left_out = len(filling.counts) - len(kept)
    return CompactGallery(packed, index, codes, int(filling.counts.sum()), left_out, originals)


class _Filling:
    """Rows on the way to be filled; ``counts`` (N,) says of how many templates each was made."""

    def __init__(self, index: RowsById, codes: Codes, space: str) -> None:
        self.index = index
        self.codes = codes
        self.counts = np.zeros(len(index), np.int64)
        self._space = space

    def take_all(self, templates: Iterable[Template]) -> list[str]:
        """Fill the rows of all; return the people whose templates came apart, whose rows are empty again."""
        apart: dict[str, None] = {}
        for theirs in _together(templates, self._space):
            rows = self.index.rows_of(list(theirs))
            known, filled = rows >= 0, self.counts[rows] > 0
            apart.update(dict.fromkeys(itertools.compress(theirs, known & filled)))
            new = known & ~filled
            self._put(rows[new], list(itertools.compress(theirs.items(), new)))
        self.counts[self.index.rows_of(list(apart))] = 0
        return list(apart)

    def take(self, theirs: Mapping[str, Sequence[Template]]) -> None:
        """Fill the rows of people by all their templates; who is not enrolled is passed over."""
        rows = self.index.rows_of(list(theirs))
        self._put(rows[rows >= 0], list(itertools.compress(theirs.items(), rows >= 0)))

    def _put(self, rows: IntArray, theirs: Sequence[tuple[str, Sequence[Template]]]) -> None:
        if theirs:
            self.codes.put(rows, centres_of(dict(theirs), self.codes.shape[1]))
            self.counts[rows] = [len(found) for _, found in theirs]


def _together(templates: Iterable[Template], space: str) -> Iterator[dict[str, list[Template]]]:
    """Yield some people's templates at a time; those that follow on each other are never parted."""
    some: dict[str, list[Template]] = {}
    of_space = (template for template in templates if template.space == space)
    count = 0
    for person_id, theirs in itertools.groupby(of_space, lambda template: template.person_id):
        found = list(theirs)
        some.setdefault(person_id, []).extend(found)
        count += len(found)
        if count >= _AT_ONCE:
            yield some
            some, count = {}, 0
    if some:
        yield some


def _parts(ids: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), size):
        yield ids[start : start + size]
