"""Giving people a PIN or a badge beside their face, and taking it away."""

from collections.abc import Iterator
from contextlib import contextmanager

from edged.config.sections import GalleryConfig
from edged.domain.factor_text import normal, shortcoming
from edged.domain.people import Person
from edged.domain.second_factor import FactorKind
from edged.enrolment.directory import find_person
from edged.errors import EnrolmentError
from edged.storage.people import PeopleStore
from edged.storage.vault import Vault


class SecondFactors:
    """Changes to what people answer with."""

    def __init__(self, store: PeopleStore) -> None:
        self._store = store

    def find(self, text: str) -> Person:
        """See ``directory.find_person``."""
        return find_person(self._store.people(), text)

    def give(self, text: str, kind: FactorKind, secret: str) -> Person:
        """Give a person a PIN or badge in place of the one before.

        Raises ``NotFoundError``; ``EnrolmentError`` (bad_second_factor), which does not repeat ``secret``.
        """
        person, secret = self.find(text), normal(kind, secret)
        if (problem := shortcoming(kind, secret)) is not None:
            raise EnrolmentError("bad_second_factor", f"{kind.value}: {problem}")
        self._store.set_factor(person.person_id, kind, secret)
        return person

    def take(self, text: str, kind: FactorKind) -> Person:
        """Take a person's PIN or badge away. Raises ``NotFoundError``."""
        person = self.find(text)
        self._store.remove_factor(person.person_id, kind)
        return person


@contextmanager
def open_second_factors(gallery: GalleryConfig) -> Iterator[SecondFactors]:
    """Open the gallery for writing. Raises ``StoreError``."""
    with PeopleStore.open(gallery.path, Vault.open(gallery.key_file), writable=True) as store:
        yield SecondFactors(store)
