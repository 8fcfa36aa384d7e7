"""Who is enrolled, held in memory while a batch runs: names, centroids, photograph digests."""

from collections.abc import Collection, Iterable, Sequence

import numpy as np

from edged.domain.centres import weight_of
from edged.domain.people import Distinction, Person, Template
from edged.domain.types import FloatArray
from edged.enrolment.names import name_keys, similar_names


class Roster:
    """Answers what a new person is compared with. ``space`` and ``dimension`` are the embedder's.

    After a change of the model a person's photographs are enrolled once more, by that person alone: of
    other spaces the roster knows whose each photograph is, and no face.
    """

    def __init__(
        self,
        space: str,
        dimension: int,
        people: Iterable[Person],
        templates: Iterable[Template],
        distinctions: Iterable[Distinction] = (),
    ) -> None:
        self._people = {person.person_id: person for person in people}
        self._keys: dict[str, str] = {}
        self._sums: dict[str, FloatArray] = {}
        self._named: dict[str, list[str]] = {}
        self._digests: dict[bytes, str] = {}
        self._elsewhere: dict[bytes, str] = {}
        self._matrix: FloatArray | None = None
        self._dimension = dimension
        self._two = {said.pair for said in distinctions}
        for person in self._people.values():
            self._add_keys(person)
        for template in templates:
            if template.space == space:
                self.add_vector(template.person_id, template.vector, template.photo_digest, template.quality)
            else:
                self._elsewhere[template.photo_digest] = template.person_id

    def person(self, person_id: str) -> Person | None:
        """Return the person of an id."""
        return self._people.get(person_id)

    def recognisable(self) -> int:
        """Return how many people have a template of the space."""
        return len(self._sums)

    def add(self, person: Person) -> None:
        """Take up a person without photographs."""
        self._people[person.person_id] = person
        self._add_keys(person)

    def add_vector(self, person_id: str, vector: FloatArray, digest: bytes, quality: float) -> None:
        """Take up one template: ``vector`` (D,) float32 unit length; it counts as at the door."""
        before = self._sums.get(person_id, np.zeros(self._dimension, np.float32))
        self._sums[person_id] = before + np.float32(weight_of(quality)) * vector
        self._digests[digest] = person_id
        self._matrix = None

    def holder(self, digest: bytes, *, besides: str | None = None) -> str | None:
        """Return the name of the person whose photograph has ``digest``.

        In another space ``besides`` may have it: theirs is to be enrolled once more.
        """
        owner = self._digests.get(digest)
        if owner is None and not self.had(digest, besides):
            owner = self._elsewhere.get(digest)
        person = self._people.get(owner or "")
        return None if person is None else person.name

    def had(self, digest: bytes, person_id: str | None) -> bool:
        """Whether the photograph with ``digest`` was enrolled for this person in another space."""
        return person_id is not None and self._elsewhere.get(digest) == person_id

    def namesakes(self, name: str) -> list[Person]:
        """Return everybody of the same name."""
        ids = (one for key in sorted(name_keys(name)) for one in self._named.get(key, ()))
        return [self._people[one] for one in dict.fromkeys(ids)]

    def similarly_named(self, name: str) -> set[str]:
        """Return the ids of people whose name is the same or near."""
        return similar_names(name_keys(name), self._keys)

    def centroid(self, person_id: str) -> FloatArray | None:
        """Return the (D,) unit centre of a person's templates, None without any."""
        total = self._sums.get(person_id)
        return None if total is None else _unit(total)

    def nearest(
        self, vector: FloatArray, *, among: set[str] | None = None, besides: Collection[str] = ()
    ) -> tuple[Person, float] | None:
        """Return who resembles ``vector`` most and the cosine; of ``among`` if given, none of ``besides``."""
        ids = list(self._sums)
        matrix = self._centroids()
        wanted = [
            row for row, one in enumerate(ids) if one not in besides and (among is None or one in among)
        ]
        if not wanted:
            return None
        scores = matrix[wanted] @ vector
        best = int(np.argmax(scores))
        return self._people[ids[wanted[best]]], float(scores[best])

    def told_apart(self, person_id: str, vectors: Sequence[FloatArray]) -> set[str]:
        """Return who was said to be somebody else than a person, if ``vectors`` bear that out.

        All must be nearer to the person's own centre: among a twin's photographs the other's are looked for.
        """
        own = self.centroid(person_id)
        others = {other for pair in self._two if person_id in pair for other in pair - {person_id}}
        return {
            other
            for other in others
            if own is not None
            and (theirs := self.centroid(other)) is not None
            and all(float(vector @ own) > float(vector @ theirs) for vector in vectors)
        }

    def _centroids(self) -> FloatArray:
        """Return (P, D), one row for each key of ``_sums``; kept until a template is added."""
        if self._matrix is None:
            self._matrix = np.zeros((len(self._sums), self._dimension), np.float32)
            for row, total in enumerate(self._sums.values()):
                self._matrix[row] = _unit(total)
        return self._matrix

    def _add_keys(self, person: Person) -> None:
        for key in name_keys(person.name):
            self._keys.setdefault(key, person.person_id)
            self._named.setdefault(key, []).append(person.person_id)


def centre(vectors: Sequence[FloatArray]) -> FloatArray:
    """Return the (D,) unit mean of unit vectors, each of which counts the same."""
    return _unit(np.sum(np.stack(vectors), axis=0))


def _unit(vector: FloatArray) -> FloatArray:
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-12), np.float32)
