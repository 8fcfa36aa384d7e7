"""The people enrolled at the publisher's desk, as a group is to be sent them."""

from edged.config.sections import Config
from edged.domain.shards import collision_level
from edged.errors import FleetError, ModelError
from edged.publishing.content import records
from edged.publishing.planning import Wanted
from edged.publishing.release import FleetFolder
from edged.storage.people import PeopleStore
from edged.storage.vault import Vault
from edged.vision.choice import configured_space, configured_table


def people_of(
    folder: FleetFolder,
    group: str,
    config: Config,
    *,
    only: tuple[str, ...] | None = None,
    allow_shrink: bool = False,
) -> Wanted:
    """Return everybody of ``config``'s store with a template of its model; the group may ask for some only.

    Raises ``FleetError`` where there is nobody, ``StoreError``, ``ModelError``.
    """
    entry = folder.register.read().group(group)
    space, table = configured_space(config.models), configured_table(config.models)
    if space is None:
        raise ModelError(f"pack {config.models.embedder}: has no embedding space")
    store = PeopleStore.open(config.gallery.path, Vault.open(config.gallery.key_file), writable=False)
    contents, pairs = store.contents(space), store.distinctions()
    wanted = frozenset(entry.people_groups)
    people = [person for person in contents.people if not wanted or wanted & person.groups]
    found = records(people, contents.templates)
    if not found:
        raise FleetError(
            f"{config.gallery.path}: nobody with photographs of the model {space!r} belongs to {group!r}"
        )
    return Wanted(
        found,
        space,
        len(found[0].templates[0].codes),
        only=only,
        allow_shrink=allow_shrink,
        too_close=collision_level(table, len(found)),
        distinct=tuple(" ".join(sorted(item.pair)) for item in pairs),
    )
