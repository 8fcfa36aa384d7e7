"""The visitor's own photographs: which of them are of use, and what is wrong with the others."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

from edged.demo.stage import MAX_PEOPLE
from edged.enrolment.checks import PhotoCheck
from edged.enrolment.sources import FilePhoto
from edged.errors import EnrolmentError, NotFoundError

Say = Callable[[str, str], None]

# All but the last two are enrolled; the templates of more photographs than these change little.
_MAX_PHOTOS = 12


def people_in(folder: Path, check: PhotoCheck, say: Say) -> dict[str, list[Path]]:
    """Return the usable photographs of the people in ``folder``, one folder a person, by spoken name.

    Whatever is passed over is told to ``say`` with the reason. Of more people than the demo shows, those
    with most files are taken. Raises ``NotFoundError`` where there is nobody.
    """
    found = _files(folder, say)
    chosen = sorted(found, key=lambda name: -len(found[name]))[:MAX_PEOPLE]
    if len(found) > len(chosen):
        say("photos", f"{len(found)} people in {folder}; the {len(chosen)} with most photographs take part")
    people = {}
    for name in sorted(chosen):
        good = [path for path in found[name][:_MAX_PHOTOS] if _usable(path, check, say)]
        if good:
            people[name.replace("_", " ")] = good
        if len(good) < len(found[name]):
            say("photos", f"{name}: {len(good)} of {len(found[name])} photographs are used{_part(good)}")
    if not people:
        raise NotFoundError(f"{folder}: none of the files in it is a photograph with one usable face")
    return people


def _part(good: Sequence[Path]) -> str:
    """Say what part follows from the number of photographs."""
    if not good:
        return ", so nobody of this name takes part"
    return ", too few to enrol: a stranger" if len(good) == 1 else ""


def _files(folder: Path, say: Say) -> dict[str, list[Path]]:
    """Return the visible files of each folder in ``folder``. Raises ``NotFoundError``."""
    expected = "expected one folder a person in it, with two photographs or more each"
    if not folder.is_dir():
        raise NotFoundError(f"{folder}: {'no folder' if folder.exists() else 'not there'}; {expected}")
    try:
        entries = [path for path in sorted(folder.iterdir()) if not path.name.startswith(".")]
        people = {
            path.name: [file for file in sorted(path.iterdir()) if not file.name.startswith(".")]
            for path in entries
            if path.is_dir()
        }
    except OSError as exc:
        raise NotFoundError(f"{folder}: cannot be read: {exc.strerror or exc}") from exc
    for path in entries:
        if not path.is_dir():
            say("skipped", f"{path}: not in the folder of a person")
    for name in [name for name, files in people.items() if not files]:
        say("skipped", f"{folder / name}: an empty folder")
        del people[name]
    if not people:
        raise NotFoundError(f"{folder}: {'empty' if not entries else 'nobody in it'}; {expected}")
    return people


def _usable(path: Path, check: PhotoCheck, say: Say) -> bool:
    try:
        check.examine(FilePhoto(path), lambda _digest: None)
    except EnrolmentError as exc:
        say("skipped", f"{path}: {exc}")
        return False
    return True


def digest(content: bytes) -> bytes:
    """Return a digest for ``PhotoCheck``; nothing is stored under it."""
    return hashlib.sha256(content).digest()
