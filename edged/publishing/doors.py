"""Doors come and go: each change of who may read is a new wrapping of the group's secret."""

import time
from collections.abc import Sequence

import msgspec

from edged.errors import FleetError, NotFoundError
from edged.fleet.gallery_format import CommandKey
from edged.fleet.joining import DoorCard, Invitation
from edged.publishing.leaving import departed, handed_on, moved, new_epochs, without_canaries
from edged.publishing.register import DoorEntry, Fleet, GroupEntry
from edged.publishing.release import FleetFolder


def add_door(folder: FleetFolder, card: DoorCard, group: str, *, replace: bool = False) -> Invitation:
    """Let a door read the group's gallery; return whom it shall believe. See ``add_doors``."""
    return add_doors(folder, [card], group, replace=replace)[0]


def add_doors(
    folder: FleetFolder, cards: Sequence[DoorCard], group: str, *, replace: bool = False
) -> list[Invitation]:
    """Let doors read the group's gallery; return whom each shall believe.

    A door that is there already gets its new group, and with ``replace`` its new keys: the old ones, which
    may have left with the old disk, open nothing that comes after. Raises ``FleetError`` where a card is of
    another site, or of other keys than the door of its name has without ``replace``; ``NotFoundError``,
    ``StoreError``.
    """
    with folder.alone():
        fleet = folder.register.read()
        entry = fleet.group(group)
        for card in cards:
            _check(fleet, entry, card)
        other = {card.door for card in cards if card.door in fleet.doors and _is_other(fleet, card)}
        if other and not replace:
            raise FleetError(
                f"door {min(other)} is known with other keys: those of a new disk replace them with --replace"
            )
        new, now = {}, time.time()
        for card in cards:
            joins = DoorEntry(card=card, group=group, added_at=now)
            same = card.door in fleet.doors and card.door not in other
            new[card.door] = moved(fleet, card.door, joins) if same else joins
        going = {name for name in new if name in fleet.doors and fleet.doors[name].group != group}
        left = {fleet.doors[name].group for name in going | other}
        left |= {each for name in other for each in fleet.doors[name].left}
        fleet = handed_on(departed(fleet, other, "new keys"), going, group)
        fleet = without_canaries(fleet, going)
        fleet = new_epochs(msgspec.structs.replace(fleet, doors={**fleet.doors, **new}), left)
        folder.register.write(fleet)
        for each in sorted({group, *left}):
            folder.rewrap(each, new_epoch=False)
    root = folder.repository(group).root().decode()
    return [
        Invitation(prefix=fleet.prefix, site=fleet.site, door=name, group=group, root=root) for name in new
    ]


def _is_other(fleet: Fleet, card: DoorCard) -> bool:
    known = fleet.doors[card.door].card
    return (card.sealing, card.signing) != (known.sealing, known.signing)


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
        entry = fleet.door(door)
        fleet = without_canaries(departed(fleet, {door}, "removed"), {door})
        doors = {name: other for name, other in fleet.doors.items() if name != door}
        shut = sorted({entry.group, *entry.left})
        folder.register.write(new_epochs(msgspec.structs.replace(fleet, doors=doors), shut))
        for each in shut:
            folder.rewrap(each, new_epoch=False)
        return entry.group
