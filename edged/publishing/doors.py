"""Doors come and go: each change of who may read is a new wrapping of the group's secret."""

import time

import msgspec

from edged.errors import FleetError
from edged.fleet.joining import DoorCard, Invitation
from edged.publishing.register import DoorEntry
from edged.publishing.release import FleetFolder


def add_door(folder: FleetFolder, card: DoorCard, group: str) -> Invitation:
    """Let a door read the group's gallery; return whom it shall believe.

    A door that is there already gets its new keys and its new group. Raises ``FleetError`` where the card is
    of another site, ``NotFoundError``, ``StoreError``.
    """
    fleet = folder.register.read()
    entry = fleet.group(group)
    if card.site != fleet.site:
        raise FleetError(f"the card is of site {card.site!r}, this fleet is {fleet.site!r}")
    if card.door.startswith("@") or card.door == "gallery":
        raise FleetError(f"door {card.door!r}: this name is taken by the fleet itself")
    if entry.space not in (None, card.space):
        raise FleetError(
            f"door {card.door} runs the model {card.space!r}, the group's gallery is of {entry.space!r}"
        )
    left = fleet.doors[card.door].group if card.door in fleet.doors else None
    doors = {**fleet.doors, card.door: DoorEntry(card=card, group=group, added_at=time.time())}
    folder.register.write(msgspec.structs.replace(fleet, doors=doors))
    folder.rewrap(group, new_epoch=False)
    if left not in (None, group):
        folder.rewrap(str(left), new_epoch=True)
    root = folder.repository(group).root().decode()
    return Invitation(prefix=fleet.prefix, site=fleet.site, door=card.door, group=group, root=root)


def remove_door(folder: FleetFolder, door: str) -> str:
    """Shut a door out of what comes; what it has it keeps. Return its group. Raises ``NotFoundError``."""
    fleet = folder.register.read()
    group = fleet.door(door).group
    doors = {name: entry for name, entry in fleet.doors.items() if name != door}
    # A door that is gone can confirm nothing: what it was asked to forget stays with whoever took it away.
    forgotten = [
        msgspec.structs.replace(item, doors=[name for name in item.doors if name != door])
        for item in fleet.forgotten
    ]
    folder.register.write(msgspec.structs.replace(fleet, doors=doors, forgotten=forgotten))
    folder.rewrap(group, new_epoch=True)
    return group
