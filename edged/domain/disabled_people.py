"""People of whom some are disabled, without a copy of the others."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import overload

from edged.domain.people import Person


class DisabledPeople(Sequence[Person]):
    """``people``, with those of ``rows`` disabled."""

    def __init__(self, people: Sequence[Person], rows: Iterable[int]) -> None:
        self._people = people
        self._rows = frozenset(rows)

    def __len__(self) -> int:
        return len(self._people)

    @overload
    def __getitem__(self, row: int) -> Person: ...
    @overload
    def __getitem__(self, row: slice) -> Sequence[Person]: ...
    def __getitem__(self, row: int | slice) -> Person | Sequence[Person]:
        places = range(len(self._people))[row]
        if isinstance(places, range):
            return [self[one] for one in places]
        found = self._people[places]
        return replace(found, enabled=False) if places in self._rows else found
