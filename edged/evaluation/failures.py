"""The photographs that gave nothing to compare, and what a report may call people."""

import hashlib
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from edged.evaluation.embedding import Embedded
from edged.evaluation.protocols import Labelled

NO_FACE = "no_face"
UNREADABLE = "unreadable"
_KEY_BYTES = 32
_LABEL_BYTES = 6

Label = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Failure:
    """Photograph ``number`` (from 1, by name) of ``person``; ``image`` is its path, or None.

    ``reason`` is ``no_face``, ``unreadable`` or why the quality floor refuses it; ``text`` says more of a
    file that is no picture.
    """

    person: str
    number: int
    image: str | None
    reason: str
    text: str = ""


def failures(
    embedded: Embedded, photographs: Iterable[Labelled], *, with_paths: bool = True
) -> tuple[Failure, ...]:
    """Return what went wrong with the ``photographs``, in their order."""
    without_face = set(embedded.without_face)
    numbers: Counter[str] = Counter()
    found = []
    for one in sorted(photographs, key=lambda one: one.image):
        numbers[one.person] += 1
        if one.image in embedded.unreadable:
            reason, text = UNREADABLE, embedded.unreadable[one.image]
        elif one.image in embedded.refused:
            reason, text = embedded.refused[one.image], ""
        elif one.image in without_face:
            reason, text = NO_FACE, ""
        else:
            continue
        found.append(
            Failure(one.person, numbers[one.person], one.image if with_paths else None, reason, text)
        )
    return tuple(found)


def relabelled(photographs: Sequence[Labelled], label: Label) -> list[Labelled]:
    """Return the same photographs under other names; strangers stay without one."""
    return [Labelled(one.person and label(one.person), one.image) for one in photographs]


def anonymous_labels() -> Label:
    """Return a function that gives each name a label of twelve hexadecimal digits.

    It hashes with a key (BLAKE2b) that is drawn anew and kept nowhere: a plain hash of a name is found again
    by whoever tries a list of names.
    """
    key = secrets.token_bytes(_KEY_BYTES)

    def label(name: str) -> str:
        return hashlib.blake2b(name.encode(), key=key, digest_size=_LABEL_BYTES).hexdigest()

    return label
