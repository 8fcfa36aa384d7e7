"""What the codes of a large gallery were made of, read again where an answer hangs on it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from edged.domain.centres import centres_of
from edged.domain.codes import Codes
from edged.domain.people import Template
from edged.domain.types import FloatArray, IntArray

# Gives the templates of people, by id, those of one person in the order they were added. Whoever cannot be
# read is left out: it raises nothing.
Reread = Callable[[Sequence[str]], Iterable[Template]]


@dataclass(frozen=True, slots=True, eq=False)
class Originals:
    """The rows behind ``codes``, of which ``ids[i]`` is whose row i is, by their templates of ``space``.

    A row that is read again counts only where it lies as near to its code as the code says. So nothing that
    the store has become meanwhile, or was made into, takes a cosine out of the bounds that the code gives:
    a person who was erased, changed or is damaged there has these bounds alone.
    """

    ids: Sequence[str]
    codes: Codes
    space: str
    reread: Reread

    def __call__(self, rows: IntArray) -> FloatArray:
        """Return K rows (K, D) float32, NaN where a row cannot be had."""
        dimension = self.codes.shape[1]
        found = np.full((len(rows), dimension), np.nan, np.float32)
        theirs = by_person(self.reread([self.ids[int(row)] for row in rows]), self.space)
        for place, row in enumerate(rows):
            person_id = self.ids[int(row)]
            try:
                own = centres_of({person_id: theirs[person_id]}, dimension)[0]
            except (KeyError, ValueError):
                continue
            away = np.linalg.norm(own.astype(np.float64) - self.codes.doubles(np.array([row]))[0])
            if away <= self.codes.error[row]:
                found[place] = own
        return found


def by_person(templates: Iterable[Template], space: str) -> dict[str, list[Template]]:
    """Return the templates of ``space`` by person, each person's in the order they come."""
    found: dict[str, list[Template]] = {}
    for template in templates:
        if template.space == space:
            found.setdefault(template.person_id, []).append(template)
    return found
