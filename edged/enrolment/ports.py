"""What enrolment needs from the models and from the store, and nothing more."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from edged.domain.people import Consent, Distinction, Person, Template, Veto
from edged.domain.second_factor import FactorKind
from edged.domain.types import Image
from edged.storage.people import NewTemplate
from edged.storage.probes import Probe


class People(Protocol):
    """The store of people; ``edged.storage.people.PeopleStore`` is the real one."""

    def generation(self) -> int:
        """Return a number that grows with every change."""
        ...

    def people(self) -> list[Person]:
        """Everybody."""
        ...

    def templates(self, space: str | None = None) -> list[Template]:
        """All templates, or those of one space."""
        ...

    def vetoes(self, space: str | None = None) -> list[Veto]:
        """All vetoes, or those of one space."""
        ...

    def add_person(
        self,
        name: str,
        *,
        valid_from: datetime | None = None,
        valid_until: datetime | None = None,
        groups: frozenset[str] = frozenset(),
        consent: Consent | None = None,
    ) -> Person:
        """Keep a new person under a new id."""
        ...

    def add_templates(self, person_id: str, new: Sequence[NewTemplate]) -> list[Template]:
        """Keep templates of a person."""
        ...

    def update_person(self, person: Person) -> Person:
        """Replace what is known of a person."""
        ...

    def forget(self, person_id: str) -> None:
        """Remove a person and all that is known of them."""
        ...

    def merge(self, source_id: str, into_id: str) -> None:
        """Give the templates of one person to another and remove the first."""
        ...

    def remove_template(self, template_id: str) -> None:
        """Erase one template."""
        ...

    def add_veto(self, veto: Veto) -> None:
        """Keep a veto."""
        ...

    def remove_veto(self, event_id: str) -> None:
        """Erase the veto of an event."""
        ...

    def factor_kinds(self) -> Mapping[str, frozenset[FactorKind]]:
        """Who has a PIN or badge."""
        ...

    def distinctions(self) -> list[Distinction]:
        """Which pairs were said to be two people."""
        ...

    def add_distinction(self, said: Distinction) -> None:
        """Keep that two are two."""
        ...

    def remove_distinction(self, pair: frozenset[str]) -> None:
        """Take that back."""
        ...


class Probes(Protocol):
    """The faces of the newest visits; ``edged.storage.probes.ProbeStore`` is the real one."""

    def find(self, event_id: str) -> Probe:
        """Return the face of an event."""
        ...

    def forget(self, *person_ids: str) -> int:
        """Erase those of people."""
        ...


class PhotoSource(Protocol):
    """One photograph that can be read once; ``label`` tells the operator which one it is."""

    @property
    def label(self) -> str:
        """Path, address or frame; for the operator's eyes, never for a log."""
        ...

    def content(self) -> bytes:
        """Return the bytes that identify the photograph. Raises ``EnrolmentError``."""
        ...

    def decode(self, content: bytes) -> Image:
        """Return the picture of ``content``, (H, W, 3) uint8 BGR, upright. Raises ``EnrolmentError``."""
        ...
