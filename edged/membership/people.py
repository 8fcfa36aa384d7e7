"""Who may be recognised at a door of a fleet: the fleet's people, with this door's own vetoes."""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, TypeVar

from edged.domain.gallery_parts import GalleryPart
from edged.domain.people import Person, Template, Veto
from edged.membership.store import FleetStore

T = TypeVar("T")


class LocalPeople(Protocol):
    """What is asked of the people on this door's own disk; ``storage.people.PeopleStore`` is the real one."""

    def generation(self) -> int:
        """Return a number that grows with every change."""

    def identity(self) -> tuple[int, ...] | None:
        """Return what differs once the store is another one."""

    def vetoes(self, space: str | None = None) -> list[Veto]:
        """Return the faces that were taken for somebody wrongly."""


class FleetPeople:
    """What a gallery worker reads. People enrolled at the door itself are left out: the fleet decides."""

    def __init__(self, store: FleetStore, local: LocalPeople) -> None:
        self._store = store
        self._local = local

    def generation(self) -> int:
        """Return a number that grows with every change of either."""
        return self._store.generation() + self._local.generation()

    def identity(self) -> tuple[int, ...] | None:
        """Return what differs once either is another file."""
        return (*(self._store.identity() or ()), 0, *(self._local.identity() or ()))

    def people(self) -> list[Person]:
        """Return the fleet's people; those who are denied are disabled."""
        return self._store.people()

    def read_templates(self, space: str, use: Callable[[Iterable[Template]], T]) -> T:
        """Return what ``use`` makes of the fleet's templates of one embedding space."""
        return self._store.read_templates(space, use)

    def templates_of(self, person_ids: Sequence[str], space: str) -> list[Template]:
        """Return the fleet's templates of some people."""
        return self._store.templates_of(person_ids, space)

    def parts(self, space: str) -> list[GalleryPart] | None:
        """Return the fleet's gallery as rows; what has not changed is the very same as before.

        None where they are so many that codes are kept in place of rows.
        """
        return self._store.parts(space)

    def vetoes(self, space: str | None = None) -> list[Veto]:
        """Return this door's vetoes against people of the fleet."""
        return self._local.vetoes(space)
