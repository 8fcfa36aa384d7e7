"""Two enrolled people look alike, and somebody knows that they are two: twins, or a stranger's double."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from edged.config.sections import GalleryConfig
from edged.domain.people import Distinction, Person
from edged.enrolment.directory import find_person
from edged.enrolment.ports import People
from edged.errors import EnrolmentError
from edged.storage.people import PeopleStore
from edged.storage.vault import Vault

_MAX_REASON = 200


@dataclass(frozen=True, slots=True)
class Told:
    """What was said of two people."""

    people: tuple[Person, Person]
    said: Distinction

    def as_json(self) -> dict[str, Any]:
        """JSON values."""
        at = self.said.created_at
        return {
            "people": [{"person_id": one.person_id, "name": one.name} for one in self.people],
            "reason": self.said.reason,
            "created_at": None if at is None else at.isoformat(),
        }


class Distinctions:
    """Keeps which pairs are two people. It opens no door: the pair's higher bar stays as it is."""

    def __init__(self, store: People) -> None:
        self._store = store

    def add(self, one: str, other: str, reason: str = "") -> Told:
        """Say that two people, each an id or a name, are two.

        Raises ``NotFoundError``; ``EnrolmentError``: ``ambiguous_name``, ``same_person``, ``bad_reason``.
        """
        people = self._pair(one, other)
        reason = " ".join(reason.split())
        if len(reason) > _MAX_REASON or not reason.isprintable():
            raise EnrolmentError("bad_reason", f"reason: expected up to {_MAX_REASON} printable characters")
        said = Distinction(_ids(people), reason, datetime.now(UTC))
        self._store.add_distinction(said)
        return Told(people, said)

    def undo(self, one: str, other: str) -> Told:
        """Take back what was said of two people. Raises ``NotFoundError``, ``EnrolmentError`` as ``add``."""
        people = self._pair(one, other)
        # Without reading what was said: it may be damaged, and taking it back is the remedy.
        self._store.remove_distinction(_ids(people))
        return Told(people, Distinction(_ids(people)))

    def all(self) -> list[Told]:
        """Return everything that was said, oldest first."""
        known = {person.person_id: person for person in self._store.people()}
        return [
            Told((known[first], known[second]), said)
            for said in self._store.distinctions()
            for first, second in [sorted(said.pair)]
        ]

    def _pair(self, one: str, other: str) -> tuple[Person, Person]:
        known = self._store.people()
        first, second = find_person(known, one), find_person(known, other)
        if first.person_id == second.person_id:
            raise EnrolmentError("same_person", f"expected two people, got {first.person_id} twice")
        return first, second


def _ids(people: tuple[Person, Person]) -> frozenset[str]:
    return frozenset(person.person_id for person in people)


@contextmanager
def open_distinctions(gallery: GalleryConfig, *, writable: bool) -> Iterator[Distinctions]:
    """Open the gallery alone. Raises ``StoreError``."""
    with PeopleStore.open(gallery.path, Vault.open(gallery.key_file), writable=writable) as store:
        yield Distinctions(store)
