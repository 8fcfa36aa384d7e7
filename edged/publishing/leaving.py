"""Doors that leave a group: what they may still hold, and what becomes of a removal that they owe."""

import time
from collections.abc import Collection, Iterable, Mapping
from typing import Literal

import msgspec

from edged.errors import NotFoundError
from edged.fleet.receipt_messages import GalleryReceipt
from edged.publishing.register import Departed, DoorEntry, Fleet, Forgotten


def due(fleet: Fleet, group: str, person_id: str, version: int) -> list[Forgotten]:
    """Return the removal of a person whom ``version`` of ``group`` no longer has, at every door that may.

    A door that moved away holds what it had until its first receipt from where it went says otherwise. Where
    nothing was ever published, version 0, no door has anything to erase.
    """
    now = time.time()
    doors = sorted(fleet.doors_of(group)) if version else []
    items = [Forgotten(person_id=person_id, group=group, version=version, asked_at=now, doors=doors)]
    for name, door in sorted(fleet.leaving(group).items()) if version else ():
        items.append(
            Forgotten(
                person_id=person_id, group=door.group, version=door.since, asked_at=now, doors=[name],
                moved_from=group,
            )
        )  # fmt: skip
    return items


def moved(fleet: Fleet, name: str, entry: DoorEntry) -> DoorEntry:
    """Return ``entry``, by which a known door comes again, with the galleries that it may still hold.

    It has joined once it confirms a version of its new group that was not there before: no older receipt can
    stand for it.
    """
    known = fleet.doors[name]
    if known.group == entry.group:
        return msgspec.structs.replace(entry, left=known.left, since=known.since)
    had = {*known.left, *([known.group] if fleet.group(known.group).version else [])} - {entry.group}
    since = fleet.group(entry.group).version + 1
    return msgspec.structs.replace(entry, left=sorted(had), since=since if had else 0)


def handed_on(fleet: Fleet, names: Collection[str], group: str) -> Fleet:
    """Return the register with what doors that moved were to forget due from their new group.

    A door that joins another group lets go of the gallery that was: see ``moved``.
    """
    after = fleet.group(group).version + 1
    kept, handed = [], []
    for item in fleet.forgotten:
        going = [name for name in item.open if name in names]
        staying = [name for name in item.doors if name not in going]
        kept.append(msgspec.structs.replace(item, doors=staying))
        if going:
            handed.append(
                msgspec.structs.replace(
                    item, group=group, version=after, doors=going, confirmed={}, departed=[],
                    moved_from=item.moved_from or item.group,
                )
            )  # fmt: skip
    return msgspec.structs.replace(fleet, forgotten=[*kept, *handed])


def departed(fleet: Fleet, names: Collection[str], why: Literal["removed", "new keys"]) -> Fleet:
    """Return the register with keys that are gone, by door, in every removal that they have not confirmed.

    They can confirm nothing any more: what such a door was to forget stays with whoever has its disk. A door
    that is known by new keys from now on has to confirm with these as well: the disk may be the same.
    """
    now, items = time.time(), []
    for item in fleet.forgotten:
        gone = [name for name in item.open if name in names]
        doors = [name for name in item.doors if why == "new keys" or name not in gone]
        record = [Departed(door=name, at=now, why=why) for name in gone]
        items.append(msgspec.structs.replace(item, doors=doors, departed=[*item.departed, *record]))
    return msgspec.structs.replace(fleet, forgotten=items)


def wiped(fleet: Fleet, door: str) -> Fleet:
    """Return the register with somebody's word that the disk is wiped with which ``door`` departed.

    Where it departed more than once, with a disk each time, it is the first of which nobody has said so yet.
    Raises ``NotFoundError`` where no removal waits for it.
    """
    times = [one.at for item in fleet.forgotten for one in item.unproven if one.door == door]
    if not times:
        raise NotFoundError(f"door {door!r}: it left no removal unconfirmed")
    now, first = time.time(), min(times)
    items = [
        msgspec.structs.replace(
            item,
            departed=[
                msgspec.structs.replace(one, wiped_at=now)
                if (one.door, one.at, one.wiped_at) == (door, first, None)
                else one
                for one in item.departed
            ],
        )
        for item in fleet.forgotten
    ]
    return msgspec.structs.replace(fleet, forgotten=items)


def joined(fleet: Fleet, receipts: Mapping[str, GalleryReceipt]) -> Fleet:
    """Return the register without the galleries that doors have let go of, as their receipts say."""
    doors = {}
    for name, door in fleet.doors.items():
        receipt = receipts.get(name)
        newest = fleet.groups[door.group].version if door.group in fleet.groups else 0
        there = (
            receipt is not None and receipt.group == door.group and door.since <= receipt.version <= newest
        )
        doors[name] = msgspec.structs.replace(door, left=[], since=0) if door.left and there else door
    if doors == fleet.doors:
        return fleet
    fleet = msgspec.structs.replace(fleet, doors=doors)
    for name, entry in fleet.groups.items():
        if entry.denied_epoch and not fleet.leaving(name):
            fleet = fleet.with_group(name, msgspec.structs.replace(entry, denied_epoch=0))
    return fleet


def without_canaries(fleet: Fleet, gone: Collection[str]) -> Fleet:
    """Return the register with nobody of ``gone`` among the canaries of the group that they leave."""
    for name in gone:
        group = fleet.doors[name].group
        entry = fleet.group(group)
        canary = [other for other in entry.canary if other != name]
        fleet = fleet.with_group(group, msgspec.structs.replace(entry, canary=canary))
    return fleet


def new_epochs(fleet: Fleet, groups: Iterable[str]) -> Fleet:
    """Return the register with new secrets due for ``groups``: in the write that lets go of the old reader.

    The deny list has one of its own while a door that moved away may still let people in by the gallery that
    it had: it has to hear of a removal, and may open nothing else. A desk that is cut off after the write
    makes the secrets with whatever it publishes next.
    """
    for group in groups:
        entry = fleet.group(group)
        apart = entry.epoch + 1 if fleet.leaving(group) else 0
        epoch = max(entry.epoch, apart) + 1
        fleet = fleet.with_group(group, msgspec.structs.replace(entry, epoch=epoch, denied_epoch=apart))
    return fleet
