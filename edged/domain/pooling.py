"""Several pictures of one face made into one vector, the better ones counting for more."""

from collections import deque
from dataclasses import dataclass, replace

from edged.domain.centres import weighted_centre
from edged.domain.gallery import GallerySnapshot
from edged.domain.matching import best_match
from edged.domain.types import FloatArray, Match, Observation


@dataclass(frozen=True, slots=True, eq=False)
class _Look:
    captured_at: float
    vector: FloatArray
    quality: float


class Pool:
    """The vectors of a track's newest ``seconds``, whoever they matched and however many there are."""

    def __init__(self) -> None:
        self._looks: deque[_Look] = deque()

    def add(self, seen: Observation, seconds: float) -> None:
        """Take in a face, if it was embedded, and drop what is older than ``seconds`` before it."""
        if seen.vector is None:
            return
        self._looks.append(_Look(seen.captured_at, seen.vector, seen.quality.score))
        while seen.captured_at - self._looks[0].captured_at > seconds:
            self._looks.popleft()

    def match(self, gallery: GallerySnapshot, person_id: str, *, since: float) -> Match | None:
        """Hold the mean of the faces captured at ``since`` or later against a person.

        The runner-up is whoever else is nearest, so that the margin is negative where that one is nearer
        than ``person_id``. None where no face was added, or the person is not in the gallery. Faces that
        cancel out are like nobody.

        A mean can only refuse what the single frames would grant, and takes no grant from frames that are
        missing: vectors within every limit (a cosine, a margin, a veto; none of them negative) form a
        convex cone, so a mean that fails without some of them fails with them too.
        """
        looks = [look for look in self._looks if look.captured_at >= since]
        if not looks or person_id not in gallery.index:
            return None
        centre = weighted_centre((look.vector, look.quality) for look in looks)
        if centre is None:
            return Match(person_id, -1.0, None, -1.0)
        match = best_match(gallery, centre)
        if match.person_id == person_id:
            return match
        own = gallery.search.between(gallery.index[person_id], centre).least
        return replace(
            match, person_id=person_id, score=own, second_id=match.person_id, second_score=match.score
        )
