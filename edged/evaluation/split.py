"""Which photographs a person is enrolled with, and which ask to be recognised."""

import hashlib
import math
from collections.abc import Iterable, Sequence

import numpy as np

from edged.errors import EvaluationError
from edged.evaluation.cross_pairs import ENROLLED
from edged.evaluation.protocols import Labelled

ENROLLED_SHARE = 0.7
# Of the people of a folder without lists: so many are never enrolled.
STRANGER_SHARE = 1 / 3


def in_half(person: str, half: str) -> bool:
    """Tell whether the SHA-256 of a person's folder name is ``even`` or ``odd``; all are in ``all``.

    Limits are chosen on one half and reported on the other.
    """
    odd = hashlib.sha256(person.encode()).digest()[-1] % 2
    return half == "all" or odd == (half == "odd")


def by_person(photographs: Iterable[Labelled]) -> dict[str, list[str]]:
    """Return the photographs of each person, in the order given."""
    found: dict[str, list[str]] = {}
    for one in photographs:
        found.setdefault(one.person, []).append(one.image)
    return found


def closed_split(
    photographs: Sequence[Labelled], *, share: float = ENROLLED_SHARE, least: int = 2, seed: int = 1
) -> tuple[list[Labelled], list[Labelled]]:
    """Return (enrol, probes) of everybody with ``least`` photographs or more, the same at each call.

    ``share`` of a person's photographs are enrolled, to the nearest whole one, and at least one is left
    on either side. Raises ``EvaluationError`` unless there are two such people.
    """
    chance = np.random.default_rng(seed)
    enrol: list[Labelled] = []
    probes: list[Labelled] = []
    for person, images in by_person(photographs).items():
        order = chance.permutation(len(images))
        if len(images) < max(2, least):
            continue
        probed = min(len(images) - 1, max(1, math.floor((1 - share) * len(images) + 0.5)))
        probes.extend(Labelled(person, images[row]) for row in sorted(order[:probed]))
        enrol.extend(Labelled(person, images[row]) for row in sorted(order[probed:]))
    if len({one.person for one in enrol}) < 2:
        raise EvaluationError(f"expected two people or more with {max(2, least)} photographs or more each")
    return enrol, probes


def open_split(
    photographs: Sequence[Labelled], *, strangers: float = STRANGER_SHARE, seed: int = 1
) -> tuple[list[Labelled], list[Labelled]]:
    """Return (enrol, probes) for a door, the same at each call; strangers' probes have no person.

    The share ``strangers`` of the people stays outside. The others are enrolled with up to three of their
    photographs and come back with the rest; who has a single one is enrolled and never comes. Raises
    ``EvaluationError`` unless somebody is on each side.
    """
    people = by_person(photographs)
    chance = np.random.default_rng(seed)
    order = [list(people)[row] for row in chance.permutation(len(people))]
    outside = set(order[: math.floor(strangers * len(order) + 0.5)])
    enrol: list[Labelled] = []
    probes: list[Labelled] = []
    for person, images in people.items():
        if person in outside:
            probes.extend(Labelled("", image) for image in images)
            continue
        shuffled = [images[row] for row in chance.permutation(len(images))]
        kept = min(ENROLLED, max(1, len(images) - 1))
        enrol.extend(Labelled(person, image) for image in shuffled[:kept])
        probes.extend(Labelled(person, image) for image in shuffled[kept:])
    if not outside or not any(probe.person for probe in probes):
        raise EvaluationError("expected people with two photographs or more, and others to be the strangers")
    return enrol, probes
