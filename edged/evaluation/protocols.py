"""The lists that say which photographs to compare: CSV files with a header."""

import csv
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath

from edged.errors import EvaluationError

_SUFFIXES = {".jpg", ".jpeg", ".png"}


@dataclass(frozen=True, slots=True)
class Pair:
    """Two photographs, paths below the image folder, and whether they show the same person."""

    first: str
    second: str
    same: bool


@dataclass(frozen=True, slots=True)
class Labelled:
    """A photograph and who it shows; ``person`` is empty for a stranger."""

    person: str
    image: str


def read_pairs(path: Path) -> list[Pair]:
    """Read columns ``image_a,image_b,same`` (0 or 1). Raises ``EvaluationError`` naming the line."""
    pairs = []
    for line, row in _rows(path, ("image_a", "image_b", "same")):
        if row["same"] not in {"0", "1"}:
            raise EvaluationError(f"{path}:{line}: expected same to be 0 or 1, got {row['same'][:40]!r}")
        pairs.append(Pair(row["image_a"], row["image_b"], row["same"] == "1"))
    return pairs


def read_labelled(path: Path) -> list[Labelled]:
    """Read columns ``person,image``. Raises ``EvaluationError`` naming the line."""
    return [Labelled(row["person"], row["image"]) for _, row in _rows(path, ("person", "image"))]


def read_person_pairs(path: Path) -> list[tuple[str, str]]:
    """Read columns ``person_a,person_b``, names or folders of them. Raises ``EvaluationError``."""
    return [
        (row["person_a"].replace("_", " "), row["person_b"].replace("_", " "))
        for _, row in _rows(path, ("person_a", "person_b"))
    ]


def images_below(directory: Path) -> list[Path]:
    """Return the photographs in ``directory`` and its folders, in order of their names.

    Raises ``EvaluationError`` where there is none.
    """
    found = sorted(path for path in directory.rglob("*") if path.suffix.lower() in _SUFFIXES)
    if not found:
        raise EvaluationError(f"{directory}: expected .jpg or .png files, got none")
    return found


def photographs(directory: Path) -> list[Labelled]:
    """Return every photograph of a tree with one folder a person.

    Raises ``EvaluationError`` where there is none.
    """
    found = [
        Labelled(path.parent.name, path.relative_to(directory).as_posix())
        for path in sorted(directory.glob("*/*"))
        if path.suffix.lower() in _SUFFIXES
    ]
    if not found:
        raise EvaluationError(f"{directory}: expected one folder a person with .jpg or .png files, got none")
    return found


def folder_of(image: str) -> str:
    """Return the name of the folder that a photograph is in: a person's, by convention; else its own name."""
    return PurePosixPath(image).parent.name or image


def readable(listed: Iterable[Labelled], unreadable: Container[str]) -> list[Labelled]:
    """Return the photographs that are not ``unreadable``."""
    return [one for one in listed if one.image not in unreadable]


def readable_pairs(listed: Iterable[Pair], unreadable: Container[str]) -> list[Pair]:
    """Return the pairs of which neither photograph is ``unreadable``."""
    return [pair for pair in listed if pair.first not in unreadable and pair.second not in unreadable]


def shown(headings: Iterable[str] | None) -> str:
    """Return the headings of a table for a message: the first of them, and of each the beginning."""
    return ", ".join(repr(heading[:40]) for heading in islice(headings or (), 20)) or "none"


def _rows(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            reader = csv.DictReader(stream, strict=True)
            if tuple(reader.fieldnames or ()) != columns:
                raise EvaluationError(
                    f"{path}: expected the header {','.join(columns)}, got {shown(reader.fieldnames)}"
                )
            empty = True
            for row in reader:
                if any(not isinstance(row.get(name), str) for name in columns) or None in row:
                    raise EvaluationError(f"{path}:{reader.line_num}: expected {len(columns)} columns")
                empty = False
                yield reader.line_num, row
    except (OSError, UnicodeDecodeError, csv.Error) as exc:
        raise EvaluationError(f"{path}: cannot be read: {exc}") from exc
    if empty:
        raise EvaluationError(f"{path}: has no rows")
