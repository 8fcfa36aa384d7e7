"""Packs side by side on the same photographs: one line of a table each."""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np

from edged.domain.types import FloatArray
from edged.errors import EvaluationError
from edged.evaluation.cross_pairs import cross_pairs
from edged.evaluation.embedding import Embedded
from edged.evaluation.error_rates import RULE_OF_ERRORS, best_accuracy
from edged.evaluation.protocols import Labelled, Pair
from edged.evaluation.verification import pair_scores

# A few people with very many photographs would otherwise be most of the result.
SAME_PAIRS_A_PERSON = 3
RATES = (1e-3, 1e-4)
_HASH_DIGITS = 16
_NO_FACE = -1.0


@dataclass(frozen=True, slots=True)
class MatchRate:
    """Share ``tmr`` of same pairs reached ``threshold``, which ``errors`` of the impostor pairs did too."""

    fmr: float
    tmr: float
    threshold: float
    errors: int


@dataclass(frozen=True, slots=True)
class Standing:
    """How a pack does.

    ``accuracy`` is that of ``same_pairs`` same and as many different pairs at the best threshold;
    ``rates`` are over the same pairs and all ``impostor_pairs`` of the photographs. Photographs without
    a face count as never matching.
    """

    photographs: int
    people: int
    face_rate: float
    same_pairs: int
    impostor_pairs: int
    accuracy: float
    rates: tuple[MatchRate, ...]


def name_hash(person: str) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of a person's folder name."""
    return hashlib.sha256(person.encode()).hexdigest()[:_HASH_DIGITS]


def read_people(path: Path) -> frozenset[str]:
    """Read a list of people, one a line: folder names, or hashes of them (see ``name_hash``).

    Raises ``EvaluationError``.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        raise EvaluationError(f"{path}: cannot be read: {exc}") from exc
    people = frozenset(line.strip() for line in lines if line.strip())
    if not people:
        raise EvaluationError(f"{path}: expected a name or its hash on each line, got none")
    return people


def only(photographs: Sequence[Labelled], people: Collection[str]) -> list[Labelled]:
    """Return the photographs of ``people`` (names or hashes). Raises ``EvaluationError`` where none is."""
    found = [one for one in photographs if one.person in people or name_hash(one.person) in people]
    if not found:
        raise EvaluationError(f"expected photographs of the {len(people)} listed people, got none")
    return found


def drawn_pairs(photographs: Sequence[Labelled], seed: int = 1) -> list[Pair]:
    """Return at most three same pairs a person and as many different pairs, the same at each call.

    Raises ``EvaluationError`` where nobody has two photographs or there are fewer than two people.
    """
    chance = np.random.default_rng(seed)
    by_person: dict[str, list[str]] = {}
    for one in photographs:
        by_person.setdefault(one.person, []).append(one.image)
    pairs: list[Pair] = []
    for images in by_person.values():
        every = list(combinations(images, 2))
        chosen = sorted(chance.permutation(len(every))[:SAME_PAIRS_A_PERSON])
        pairs.extend(Pair(every[index][0], every[index][1], same=True) for index in chosen)
    if not pairs or len(by_person) < 2:
        raise EvaluationError("expected two people or more, and one of them with two photographs or more")
    people = sorted(by_person)
    for _ in range(len(pairs)):
        a, b = (by_person[people[index]] for index in chance.choice(len(people), 2, replace=False))
        pairs.append(Pair(a[chance.integers(len(a))], b[chance.integers(len(b))], same=False))
    return pairs


def standing(embedded: Embedded, photographs: Sequence[Labelled], pairs: Sequence[Pair]) -> Standing:
    """Score ``pairs`` (from ``drawn_pairs``) and all pairs of different people of ``photographs``."""
    owners = {one.image: one.person for one in photographs}
    impostors = cross_pairs(embedded.vectors, [owners[name] for name in embedded.names]).impostor
    same = np.array([pair.same for pair in pairs], bool)
    scores = pair_scores(embedded, pairs)
    accuracy, _ = best_accuracy(scores, same)
    rates = []
    for fmr in RATES:
        # Pairs that lack a face never match: they count among the comparisons, not the errors.
        if fmr * impostors.total >= RULE_OF_ERRORS:
            threshold = impostors.threshold_for(fmr)
            tmr = _share_above(scores[same], threshold)
            rates.append(MatchRate(fmr, tmr, threshold, impostors.at_or_above(threshold)))
    return Standing(
        photographs=len(photographs),
        people=len({one.person for one in photographs}),
        face_rate=embedded.face_rate,
        same_pairs=int(same.sum()),
        impostor_pairs=impostors.total,
        accuracy=accuracy,
        rates=tuple(rates),
    )


def _share_above(scores: FloatArray, threshold: float) -> float:
    return float(np.mean((scores >= threshold) & (scores > _NO_FACE)))
