"""Whether the photographs of one person show one person."""

from collections.abc import Sequence

import numpy as np

from edged.domain.types import FloatArray


def odd_ones_out(vectors: Sequence[FloatArray], level: float) -> set[int]:
    """Return the indices of ``vectors`` (each (D,) unit) that do not belong with the others.

    Photographs are linked at a cosine of ``level`` or more; the largest linked group belongs together
    if it is more than half of all. Without such a majority nobody can tell whose photographs they
    are, and all are odd. Links, unlike a mean, hold a profile to a frontal picture over a half-profile.
    """
    count = len(vectors)
    if count < 2:
        return set()
    stacked = np.stack(vectors)
    linked = stacked @ stacked.T >= level
    groups: list[set[int]] = []
    left = set(range(count))
    while left:
        group: set[int] = set()
        edge = {left.pop()}
        while edge:
            group |= edge
            edge = {other for one in edge for other in left if linked[one, other]}
            left -= edge
        groups.append(group)
    largest = max(groups, key=len)
    return set(range(count)) - largest if len(largest) * 2 > count else set(range(count))


def closeness(vectors: Sequence[FloatArray], index: int) -> float:
    """Return the highest cosine of one vector with any of the others."""
    others = [vector for row, vector in enumerate(vectors) if row != index]
    return float(np.max(np.stack(others) @ vectors[index]))
