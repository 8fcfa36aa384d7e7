"""The names of those who are enrolled, for commands that are run at the door itself."""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edged.config.sections import GalleryConfig


def names_by_id(gallery: "GalleryConfig") -> dict[str, str]:
    """Return the names by id; none, with a word on standard error, where the gallery does not open."""
    from edged.errors import StoreError
    from edged.storage.people import PeopleStore
    from edged.storage.vault import Vault

    try:
        with PeopleStore.open(gallery.path, Vault.open(gallery.key_file), writable=False) as store:
            return {person.person_id: person.name for person in store.people()}
    except StoreError as exc:
        print(f"edged: ids instead of names: {exc}", file=sys.stderr)
        return {}
