"""Who is to be enrolled, and with which photographs."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from edged.enrolment.ports import PhotoSource
from edged.enrolment.sources import FilePhoto
from edged.enrolment.terms import Terms
from edged.errors import EnrolmentError

# Kinds that cannot be decoded are named too, so that each such file gets its line in the report.
_SUFFIXES = {
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".heic", ".heif", ".avif", ".tif", ".tiff",
    ".gif",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entry:
    """One person to enrol. ``origin`` tells the operator where it stands (a folder, a row).

    ``add_to`` is the id of an enrolled person who gets the photographs. ``problem`` is why the entry
    itself is unusable; it is reported like any other refusal.
    """

    name: str
    photos: tuple[PhotoSource, ...] = ()
    origin: str = ""
    terms: Terms = field(default_factory=Terms)
    add_to: str | None = None
    problem: EnrolmentError | None = None


def folder_entries(folder: Path, terms: Terms) -> list[Entry]:
    """Return one entry for each folder in ``folder``: its name is the person's, underscores are spaces.

    Hidden files and files that are no pictures by their suffix are passed over; pictures beside the
    folders are nobody's and are reported. Raises ``EnrolmentError`` (no_people).
    """
    try:
        entries = list(_entries(folder, terms))
    except OSError as exc:
        raise EnrolmentError("no_people", f"{folder}: cannot be read: {exc.strerror or exc}") from exc
    if not any(entry.problem is None for entry in entries):
        raise EnrolmentError("no_people", f"{folder}: expected one folder a person in it, got none")
    return entries


def _entries(folder: Path, terms: Terms) -> Iterator[Entry]:
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_dir():
            photos = tuple(FilePhoto(photo) for photo in sorted(path.iterdir()) if _is_photo(photo))
            yield Entry(path.name.replace("_", " "), photos, str(path), terms)
        elif _is_photo(path):
            stray = EnrolmentError("nobody", "a photograph outside the folder of a person")
            yield Entry(path.name, (), str(path), terms, problem=stray)


def _is_photo(path: Path) -> bool:
    return path.suffix.lower() in _SUFFIXES and not path.name.startswith(".")
