"""When two names may be the same person's.

A name becomes a key: accents, case, punctuation and the order of words are taken away, and letters
without a decomposition are written as transliterations usually write them. German umlauts have two
usual spellings (u and ue), so a name has up to two keys.
"""

import unicodedata
from collections.abc import Mapping

from rapidfuzz import fuzz, process

from edged.errors import EnrolmentError

MAX_NAME_LENGTH = 200

# Keys are compared as sorted words, which makes the plain ratio rapidfuzz's token_sort_ratio. Hasan and
# Hassan Wirajuda give 97, Mohammed and Muhammad Ali 83, Jan and Jana Novak 95, Paul and Peter Novak 70.
# Spellings and siblings overlap, so a similar name alone never stops anybody: it lowers the bar for the face.
SIMILAR_RATIO = 80.0

_LETTERS = str.maketrans(
    {
        "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ħ": "h", "\u0131": "i", "ŋ": "n", "ø": "o", "œ": "oe",
        "æ": "ae", "ß": "ss",
    }
)  # fmt: skip
_DIGRAPHS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa"})


def clean_name(name: str) -> str:
    """Return ``name`` in composed form with single spaces.

    Raises ``EnrolmentError`` (bad_name) if nothing printable is left or it is too long.
    """
    composed = " ".join(unicodedata.normalize("NFC", name).split())
    if any(unicodedata.category(letter) in ("Cc", "Cf", "Co", "Cs") for letter in composed):
        raise EnrolmentError("bad_name", f"a name with control characters: {composed[:60]!r}")
    if not any(letter.isalnum() for letter in composed):
        raise EnrolmentError("bad_name", f"expected a name, got {composed[:60]!r}")
    if len(composed) > MAX_NAME_LENGTH:
        raise EnrolmentError("bad_name", f"a name of {len(composed)} letters; at most {MAX_NAME_LENGTH}")
    return composed


def name_keys(name: str) -> frozenset[str]:
    """Return the one or two keys of ``name``: lower-case ASCII where possible, words sorted."""
    lower = unicodedata.normalize("NFC", name.casefold())
    return frozenset({_key(lower), _key(lower.translate(_DIGRAPHS))})


def same_name(one: frozenset[str], other: frozenset[str]) -> bool:
    """Whether two names share a key."""
    return not one.isdisjoint(other)


def alike(one: frozenset[str], other: frozenset[str]) -> bool:
    """Whether two names, given by their keys, are near; as in ``similar_names``."""
    return any(
        fuzz.ratio(first, second) >= SIMILAR_RATIO or _within(set(first.split()), set(second.split()))
        for first in one
        for second in other
    )


def similar_names(keys: frozenset[str], known: Mapping[str, str]) -> set[str]:
    """Return the values of ``known`` (key -> whoever) whose key is near one of ``keys``.

    Near is a ratio of ``SIMILAR_RATIO``, or all words (two at least) of the one within the other:
    a middle name is left out as often as it is given.
    """
    found: set[str] = set()
    choices = list(known)
    for key in keys:
        near = process.extract(key, choices, scorer=fuzz.ratio, score_cutoff=SIMILAR_RATIO, limit=None)
        found.update(known[choice] for choice, _, _ in near)
        words = set(key.split())
        found.update(owner for choice, owner in known.items() if _within(words, set(choice.split())))
    return found


def _within(one: set[str], other: set[str]) -> bool:
    shared = one & other
    return len(shared) >= 2 and shared in (one, other)


def _key(lower: str) -> str:
    bare = unicodedata.normalize("NFKD", lower.translate(_LETTERS))
    letters = (
        letter if letter.isalnum() else "" if unicodedata.combining(letter) or letter in "'\u2019`" else " "
        for letter in bare
    )
    return " ".join(sorted("".join(letters).split()))
