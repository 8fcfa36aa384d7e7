"""Several pictures of one face made into one vector, the better ones counting for more."""

from dataclasses import replace

import numpy as np

from edged.domain.centres import centre_of, weight_of
from edged.domain.gallery import GallerySnapshot
from edged.domain.matching import best_match
from edged.domain.types import FloatArray, Match, Observation

# Rows made room for at first: what two seconds of a slow board bring.
_ROOM = 16


class Pool:
    """The vectors of a track's newest ``seconds``, whoever they matched and however many there are."""

    def __init__(self) -> None:
        # Of the rows from ``_first`` on, in the order in which they came.
        self._times: list[float] = []
        self._weights: list[float] = []
        self._rows: FloatArray = np.empty((0, 0), np.float32)
        self._first = 0

    def add(self, seen: Observation, seconds: float) -> None:
        """Take in a face, if it was embedded, and drop what is older than ``seconds`` before it."""
        if seen.vector is None:
            return
        if self._first + len(self._times) == len(self._rows):
            self._make_room(seen.vector.size)
        self._rows[self._first + len(self._times)] = seen.vector
        self._times.append(seen.captured_at)
        self._weights.append(weight_of(seen.quality.score))
        while seen.captured_at - self._times[0] > seconds:
            del self._times[0], self._weights[0]
            self._first += 1

    def _make_room(self, dimension: int) -> None:
        """Move the rows to the front of an array twice as long as they are."""
        kept = self._rows[self._first :]
        self._rows = np.empty((max(_ROOM, 2 * len(kept)), dimension), np.float32)
        if len(kept):
            self._rows[: len(kept)] = kept
        self._first = 0

    def match(self, gallery: GallerySnapshot, person_id: str, *, since: float) -> Match | None:
        """Hold the mean of the faces captured at ``since`` or later against a person.

        The runner-up is whoever else is nearest, so that the margin is negative where that one is nearer
        than ``person_id``. None where no face was added, or the person is not in the gallery. Faces that
        cancel out are like nobody.

        A mean can only refuse what the single frames would grant, and takes no grant from frames that are
        missing: vectors within every limit (a cosine, a margin, a veto; none of them negative) form a
        convex cone, so a mean that fails without some of them fails with them too.
        """
        if person_id not in gallery.index:
            return None
        recent = [row for row, at in enumerate(self._times) if at >= since]
        if not recent:
            return None
        centre = self._centre(recent)
        if centre is None:
            return Match(person_id, -1.0, None, -1.0)
        match = best_match(gallery, centre)
        if match.person_id == person_id:
            return match
        own = gallery.search.between(gallery.index[person_id], centre).least
        other = match.score
        if match.person_id is not None:
            other = gallery.search.between(gallery.index[match.person_id], centre).most
        return replace(match, person_id=person_id, score=own, second_id=match.person_id, second_score=other)

    def _centre(self, recent: list[int]) -> FloatArray | None:
        """Return the ``weighted_centre`` of some rows, read where they lie."""
        rows = self._rows[self._first :][slice(recent[0], recent[-1] + 1) if _in_a_row(recent) else recent]
        return centre_of(rows, [self._weights[row] for row in recent])


def _in_a_row(rows: list[int]) -> bool:
    return rows[-1] - rows[0] + 1 == len(rows)
