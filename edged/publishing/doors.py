"""Doors come and go: each change of who may read is a new wrapping of the group's secret."""

import time
from collections.abc import Sequence

import msgspec

from edged.errors import FleetError, NotFoundError
from edged.fleet.gallery_format import CommandKey
from edged.fleet.joining import DoorCard, Invitation
from edged.publishing.register import DoorEntry, Fleet, GroupEntry
from edged.publishing.release import FleetFolder


def add_door(folder: FleetFolder, card: DoorCard, group: str) -> Invitation:
    """Let a door read the group's gallery; return whom it shall believe. See ``add_doors``."""
    return add_doors(folder, [card], group)[0]


def add_doors(folder: FleetFolder, cards: Sequence[DoorCard], group: str) -> list[Invitation]:
    """Let doors read the group's gallery; return whom each shall believe.

    A door that is there already gets its new keys and its new group. Raises ``FleetError`` where a card is of
    another site, ``NotFoundError``, ``StoreError``.
    """
    with folder.alone():
        fleet = folder.register.read()
        entry = fleet.group(group)
        for card in cards:
            _check(fleet, entry, card)
        now = time.time()
        new = {card.door: DoorEntry(card=card, group=group, added_at=now) for card in cards}
        left = {fleet.doors[name].group for name in new if name in fleet.doors} - {group}
        folder.register.write(msgspec.structs.replace(fleet, doors={**fleet.doors, **new}))
        folder.rewrap(group, new_epoch=False)
        for other in left:
            folder.rewrap(other, new_epoch=True)
    root = folder.repository(group).root().decode()
    return [
        Invitation(prefix=fleet.prefix, site=fleet.site, door=name, group=group, root=root) for name in new
    ]


def _check(fleet: Fleet, entry: GroupEntry, card: DoorCard) -> None:
    if card.site != fleet.site:
        raise FleetError(f"the card is of site {card.site!r}, this fleet is {fleet.site!r}")
    if card.door.startswith("@") or card.door == "gallery":
        raise FleetError(f"door {card.door!r}: this name is taken by the fleet itself")
    if entry.space not in (None, card.space):
        raise FleetError(
            f"door {card.door} runs the model {card.space!r}, the group's gallery is of {entry.space!r}"
        )


def add_commander(folder: FleetFolder, group: str, key: CommandKey) -> int:
    """Let a key give commands to the doors of a group; one of the same name is replaced.

    Return the list's version. Raises ``NotFoundError``, ``StoreError``.
    """
    with folder.alone():
        known = folder.register.read().group(group).commanders
        return folder.set_roles(group, [*(other for other in known if other.name != key.name), key])


def remove_commander(folder: FleetFolder, group: str, name: str) -> int:
    """Let a key command nothing any more; where no group has it, a key of that name is a new one.

    Raises ``NotFoundError``, ``StoreError``.
    """
    with folder.alone():
        fleet = folder.register.read()
        known = fleet.group(group).commanders
        kept = [key for key in known if key.name != name]
        if len(kept) == len(known):
            raise NotFoundError(f"no key {name!r} gives commands to group {group!r}")
        version = folder.set_roles(group, kept)
        others = (
            key.name for each, entry in fleet.groups.items() if each != group for key in entry.commanders
        )
        pem = f"command-{name}"
        if name not in others and pem in folder.keyring.names():
            folder.keyring.retire(pem)
        return version


def remove_door(folder: FleetFolder, door: str) -> str:
    """Shut a door out of what comes; what it has it keeps. Return its group. Raises ``NotFoundError``."""
    with folder.alone():
        fleet = folder.register.read()
        group = fleet.door(door).group
        doors = {name: entry for name, entry in fleet.doors.items() if name != door}
        # A door that is gone can confirm nothing: what it was to forget stays with whoever took it away.
        forgotten = [
            msgspec.structs.replace(item, doors=[name for name in item.doors if name != door])
            for item in fleet.forgotten
        ]
        folder.register.write(msgspec.structs.replace(fleet, doors=doors, forgotten=forgotten))
        folder.rewrap(group, new_epoch=True)
        return group
