"""Who plays in the demo: people to enrol, what they look like at the door, and strangers."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edged.errors import NotFoundError

_PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
MAX_PEOPLE = 6
MAX_STRANGERS = 2
_ENROLLED_PHOTOS = 3
_SHOWN_PHOTOS = 2


@dataclass(frozen=True, slots=True)
class Actor:
    """One person of the demo; a stranger has nothing to ``enrol``."""

    name: str
    enrol: tuple[Path, ...]
    show: tuple[Path, ...]


def cast(folder: Path, *, people: int = MAX_PEOPLE, strangers: int = MAX_STRANGERS) -> list[Actor]:
    """Choose from ``folder`` (one folder a person), people first, then strangers.

    Who has two photographs or more is enrolled with all but the last ones and shown with those; of
    many such folders the ones with most photographs are taken. Folders with a single photograph are
    the strangers; where there are none, the last people are. Raises ``NotFoundError`` where nobody
    could be enrolled.
    """
    photos = {path.name: _pictures(path) for path in sorted(folder.iterdir()) if path.is_dir()}
    many = sorted((name for name in photos if len(photos[name]) > 1), key=lambda name: -len(photos[name]))
    single = [name for name in photos if len(photos[name]) == 1]
    if not many:
        raise NotFoundError(
            f"{folder}: expected one folder a person, at least one with two photographs or more"
        )
    unknown = single[:strangers] or many[people : people + strangers]
    known = [name for name in many[:people] if name not in unknown]
    return [_enrolled(name, photos[name]) for name in known] + [
        Actor(_spoken(name), (), tuple(photos[name][:_SHOWN_PHOTOS])) for name in unknown
    ]


def programme(actors: Sequence[Actor]) -> list[Sequence[Path]]:
    """Return the visits in the order of their appearance: a stranger after every few people."""
    known = [actor.show for actor in actors if actor.enrol]
    unknown = [actor.show for actor in actors if not actor.enrol]
    every = max(1, len(known) // max(1, len(unknown)))
    visits: list[Sequence[Path]] = []
    for index, shown in enumerate(known, 1):
        visits.append(shown)
        if index % every == 0 and unknown:
            visits.append(unknown.pop(0))
    return visits + unknown


def _enrolled(name: str, photos: Sequence[Path]) -> Actor:
    shown = min(_SHOWN_PHOTOS, len(photos) - 1)
    return Actor(_spoken(name), tuple(photos[:-shown][:_ENROLLED_PHOTOS]), tuple(photos[-shown:]))


def _pictures(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in _PICTURES)


def _spoken(name: str) -> str:
    return name.replace("_", " ")
