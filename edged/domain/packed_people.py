"""People in a few bytes each, and which row is whose: for galleries of hundreds of thousands.

A ``Person`` with an id, a name and a date takes some 400 bytes in memory, and a dictionary from ids to rows
another 150: of a million people more than their codes. Packed they take what is said of them and 20 bytes.
"""

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import overload

import msgspec
import numpy as np

from edged.domain.people import Consent, Person
from edged.domain.types import IntArray


class _Id(msgspec.Struct, array_like=True, frozen=True):
    person_id: str


class _Record(_Id, array_like=True, frozen=True):
    name: str
    enabled: bool
    valid_from: datetime | None
    valid_until: datetime | None
    groups: frozenset[str]
    consent: Consent | None
    created_at: datetime | None


class PackedPeople(Sequence[Person]):
    """People who are unpacked when they are asked for, in 2 microseconds; times come back in UTC."""

    def __init__(self, people: Iterable[Person]) -> None:
        encode, packed, ends = msgspec.msgpack.Encoder().encode, bytearray(), array("q", [0])
        for person in people:
            packed += encode(_packed(person))
            ends.append(len(packed))
        self._packed = memoryview(packed).toreadonly()
        self._ends = ends
        self._people = msgspec.msgpack.Decoder(_Record)
        self._ids = msgspec.msgpack.Decoder(_Id)

    def __len__(self) -> int:
        return len(self._ends) - 1

    @overload
    def __getitem__(self, row: int) -> Person: ...
    @overload
    def __getitem__(self, row: slice) -> Sequence[Person]: ...
    def __getitem__(self, row: int | slice) -> Person | Sequence[Person]:
        if isinstance(row, slice):
            return [self[one] for one in range(*row.indices(len(self)))]
        place = range(len(self))[row]
        record = self._people.decode(self._packed[self._ends[place] : self._ends[place + 1]])
        return Person(*msgspec.structs.astuple(record))

    def ids_of(self, rows: Iterable[int]) -> Iterator[str]:
        """Yield the ids of the people of ``rows``, which count from 0."""
        packed, ends, decode = self._packed, self._ends, self._ids.decode
        for row in rows:
            yield decode(packed[ends[row] : ends[row + 1]]).person_id

    def only(self, kept: IntArray) -> "PackedPeople":
        """Return the people of some rows."""
        return PackedPeople(self[row] for row in kept.tolist())


def _packed(one: Person) -> _Record:
    return _Record(
        one.person_id,
        one.name,
        one.enabled,
        one.valid_from,
        one.valid_until,
        one.groups,
        one.consent,
        one.created_at,
    )


class PackedIds(Sequence[str]):
    """The ids of packed people, by row."""

    def __init__(self, people: PackedPeople) -> None:
        self._people = people

    def __len__(self) -> int:
        return len(self._people)

    @overload
    def __getitem__(self, row: int) -> str: ...
    @overload
    def __getitem__(self, row: slice) -> Sequence[str]: ...
    def __getitem__(self, row: int | slice) -> str | Sequence[str]:
        found = range(len(self))[row]
        if isinstance(found, range):
            return list(self._people.ids_of(found))
        return next(self._people.ids_of([found]))

    def __iter__(self) -> Iterator[str]:
        return self._people.ids_of(range(len(self)))


class RowsById(Mapping[str, int]):
    """The row of each of ``people`` by their id, found by its hash; in the order of the rows.

    Raises ``ValueError`` where an id occurs twice.
    """

    def __init__(self, people: PackedPeople) -> None:
        self.ids = PackedIds(people)
        self._people = people
        hashes = np.fromiter(map(hash, self.ids), np.int64, len(people))
        self._order = np.argsort(hashes, kind="stable").astype(np.int32)
        self._hashes = hashes[self._order]
        for hashed in np.unique(self._hashes[1:][self._hashes[1:] == self._hashes[:-1]]):
            alike = list(people.ids_of(self._alike(int(hashed))))
            if len(set(alike)) < len(alike):
                raise ValueError("a person id occurs twice")

    def __getitem__(self, person_id: str) -> int:
        rows = self._alike(hash(person_id))
        for row, known in zip(rows, self._people.ids_of(rows), strict=True):
            if known == person_id:
                return row
        raise KeyError(person_id)

    def __iter__(self) -> Iterator[str]:
        return iter(self.ids)

    def __len__(self) -> int:
        return len(self.ids)

    def rows_of(self, ids: Sequence[str]) -> IntArray:
        """Return the row of each of ``ids``, -1 of those that are nobody's."""
        if not len(self):
            return np.full(len(ids), -1, np.intp)
        places = np.searchsorted(self._hashes, np.fromiter(map(hash, ids), np.int64, len(ids)))
        found = self._order[np.minimum(places, len(self) - 1)].astype(np.intp)
        for place, known in enumerate(self._people.ids_of(found.tolist())):
            if known != ids[place]:
                found[place] = self.get(ids[place], -1)
        return found

    def _alike(self, hashed: int) -> list[int]:
        first, end = (int(np.searchsorted(self._hashes, hashed, side)) for side in ("left", "right"))
        rows: list[int] = self._order[first:end].tolist()
        return rows
