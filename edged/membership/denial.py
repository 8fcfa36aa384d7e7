"""A deny list that counts from the moment it is known, whatever the disk does."""

from collections.abc import Mapping
from dataclasses import dataclass

from edged.membership.state import InForce


@dataclass(frozen=True, slots=True, eq=False)
class Denial:
    """A deny list that is signed and checked: ``people`` are refused.

    ``part`` names it, ``blobs`` are its bytes and those of its keys by SHA-256, for when the disk takes them.
    """

    part: InForce
    people: frozenset[str]
    blobs: Mapping[str, bytes]


def newest(held: Denial | None, stored: InForce | None) -> InForce | None:
    """Return which of two deny lists counts: an older one never undoes a newer."""
    if held is None or (stored is not None and _age(stored) > _age(held.part)):
        return stored
    return held.part


def _age(part: InForce) -> tuple[int, int]:
    return part.root, part.version
