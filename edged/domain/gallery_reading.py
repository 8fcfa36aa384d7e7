"""A gallery as a door reads it: in parts where it changes a part at a time, else in one piece."""

from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar, runtime_checkable

from edged.domain.codes import Products, blocked_products
from edged.domain.gallery import GallerySnapshot, build_snapshot, packed
from edged.domain.gallery_parts import GalleryPart, snapshot_of
from edged.domain.originals import Reread
from edged.domain.people import Person, Template, Veto

T = TypeVar("T")


class Readable(Protocol):
    """Where people are; ``storage.people.PeopleStore`` is the real one."""

    def people(self) -> list[Person]:
        """Return everybody."""

    def read_templates(self, space: str, use: Callable[[Iterable[Template]], T]) -> T:
        """Return what ``use`` makes of the templates of one embedding space."""

    def vetoes(self, space: str | None = None) -> list[Veto]:
        """Return the vetoes of one embedding space."""


@runtime_checkable
class InParts(Protocol):
    """People who change a part at a time; ``membership.people.FleetPeople`` is the real one."""

    def parts(self, space: str) -> list[GalleryPart] | None:
        """Return everybody as rows, in the order of ``people``; None where they are too many for that."""


def read_gallery(
    people: Readable,
    space: str,
    dimension: int,
    version: int,
    *,
    reread: Reread,
    previous: GallerySnapshot | None = None,
    products: Products = blocked_products,
) -> GallerySnapshot:
    """Return the snapshot of ``people`` whose templates are of ``space``.

    ``reread`` fetches the templates of a few people again, and ``previous`` lends what is the same as before;
    see ``build_snapshot``. Raises what ``people`` raises, and ``ValueError`` where they cannot be right.
    """
    parts = people.parts(space) if isinstance(people, InParts) else None
    vetoes = people.vetoes(space)
    if parts is not None:
        return snapshot_of(
            space, dimension, version, parts, vetoes=vetoes, previous=previous, products=products
        )
    everybody = packed(people.people())

    def build(templates: Iterable[Template]) -> GallerySnapshot:
        return build_snapshot(
            space,
            dimension,
            version,
            everybody,
            templates,
            vetoes=vetoes,
            previous=previous,
            products=products,
            reread=reread,
        )

    return people.read_templates(space, build)
