"""Who plays in the demo: people to enrol, what they look like at the door, strangers, a print."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from edged.errors import NotFoundError

# A visit takes three seconds; more people would make a demo that nobody watches to its end.
MAX_PEOPLE = 12
MAX_STRANGERS = 2
# From this many photographs on the last two are kept for the door, else only the last one.
_TWO_TO_SHOW = 4


class Role(StrEnum):
    """What a visitor is to the door."""

    ENROLLED = "enrolled"
    STRANGER = "stranger"
    PRINT = "printed photograph"


@dataclass(frozen=True, slots=True)
class Actor:
    """One person of the demo; a stranger has nothing to ``enrol``."""

    name: str
    enrol: tuple[Path, ...]
    show: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Appearance:
    """One visit. ``name`` is whom the door should take the face for, or how the console calls a stranger.

    ``photos`` are the visitor's; ``printed`` is the photograph that is held up, if any.
    """

    role: Role
    name: str
    photos: tuple[Path, ...]
    printed: Path | None = None

    @property
    def announcement(self) -> str:
        """Who comes, in words."""
        held_up = f"somebody who holds up a printed photograph of {self.name}"
        return held_up if self.role is Role.PRINT else self.name


def cast(people: Mapping[str, Sequence[Path]], strangers: Sequence[Sequence[Path]]) -> list[Actor]:
    """Give everybody a part, people first, then strangers.

    Who has two photographs or more is enrolled with all but the last ones and comes with those. Who has
    one is a stranger, before the ``strangers``, of whom only as many as are needed take part. Raises
    ``NotFoundError`` where nobody could be enrolled.
    """
    known = [_enrolled(name, photos) for name, photos in people.items() if len(photos) > 1][:MAX_PEOPLE]
    if not known:
        raise NotFoundError("nobody to enrol: expected one person at least with two usable photographs")
    single = [
        Actor(f"stranger, {name}", (), tuple(photos)) for name, photos in people.items() if len(photos) == 1
    ]
    extra = [
        Actor(f"stranger {letter}", (), tuple(photos))
        for letter, photos in zip("ABCDEF", strangers, strict=False)
    ]
    return known + (single + extra)[: max(MAX_STRANGERS, min(len(single), MAX_PEOPLE))]


def programme(actors: Sequence[Actor]) -> list[Appearance]:
    """Return the visits in the order of their appearance.

    A stranger comes after every few people, and one of the strangers again with a photograph of the first
    person, before the last person, who shows that the door still works afterwards.
    """
    known = [Appearance(Role.ENROLLED, actor.name, actor.show) for actor in actors if actor.enrol]
    unknown = [Appearance(Role.STRANGER, actor.name, actor.show) for actor in actors if not actor.enrol]
    waiting = list(unknown)
    every = max(1, len(known) // max(1, len(unknown)))
    visits: list[Appearance] = []
    for index, person in enumerate(known, 1):
        if index == len(known) and unknown:
            visits.append(Appearance(Role.PRINT, known[0].name, unknown[-1].photos, known[0].photos[-1]))
        visits.append(person)
        if index % every == 0 and waiting:
            visits.append(waiting.pop(0))
    return visits + waiting


def _enrolled(name: str, photos: Sequence[Path]) -> Actor:
    shown = 2 if len(photos) >= _TWO_TO_SHOW else 1
    return Actor(name, tuple(photos[:-shown]), tuple(photos[-shown:]))
