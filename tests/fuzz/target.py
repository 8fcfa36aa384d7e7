"""One reader of outside bytes: what it is fed, and what it may say."""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from edged.errors import EdgedError

# Longer than any list of problems that a person would read; a hostile file must not fill the log.
MOST_SAID = 20_000


class UndeclaredError(AssertionError):
    """A reader broke its word in another way than by an exception of its own."""


@dataclass(frozen=True, slots=True)
class Target:
    """``parse`` reads bytes and raises ``declared`` errors at most.

    ``seeds`` makes valid inputs, so that fuzzing begins behind the first check. ``folder`` is what ``parse``
    gets to write its files in. ``imports`` are modules, beside edged's own, whose branches guide the search.
    """

    name: str
    parse: Callable[[bytes, Path], None]
    seeds: Callable[[Path], Iterable[bytes]]
    declared: tuple[type[EdgedError], ...]
    max_bytes: int = 8192
    imports: tuple[str, ...] = ()


def endure(target: Target, data: bytes, folder: Path) -> None:
    """Let ``target`` read ``data``; whatever but a declared error escapes.

    What such an error says must be printable in any log and of bounded length.
    """
    try:
        target.parse(data, folder)
    except target.declared as exc:
        said = str(exc)
        said.encode()
        if len(said) > MOST_SAID:
            raise UndeclaredError(f"{target.name}: a message of {len(said)} characters") from exc


def attempt(read: Callable[..., object], *arguments: object) -> None:
    """Call a reader whose refusal does not matter here, since others read the same bytes after it."""
    try:
        read(*arguments)
    except EdgedError as exc:
        str(exc).encode()


def put(path: Path, data: bytes) -> Path:
    """Write ``data`` to ``path`` and return it."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
    finally:
        os.close(descriptor)
    return path
