"""Who is who: pairs of photographs, and the same people crossed with each other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edged.domain.types import FloatArray
from edged.evaluation.error_rates import ScoreHistogram
from edged.evaluation.match_rates import MatchRates, PairScores, match_rates
from edged.evaluation.protocols import Pair, folder_of
from edged.evaluation.verification import NO_FACE
from tests.peers.contender import Measure
from tests.peers.race import Step
from tests.peers.seat import Seat

TARGETS = (1e-2, 1e-3)
_BATCH = 20

Vectors = Mapping[str, FloatArray]


@dataclass(frozen=True, slots=True)
class Accuracy:
    """``photographs`` were looked at, in ``without_face`` of them no face was found."""

    photographs: int
    without_face: int
    rates: MatchRates


def some_pairs(pairs: Sequence[Pair], count: int) -> list[Pair]:
    """Return ``count`` of ``pairs``, half of either kind, spread evenly over the list."""
    chosen = []
    for same in (True, False):
        kind = [pair for pair in pairs if pair.same is same]
        wanted = min(len(kind), count // 2)
        chosen += [kind[at * len(kind) // wanted] for at in range(wanted)]
    return chosen


def embed(seat: Seat, folder: Path, pairs: Sequence[Pair], step: Step) -> tuple[dict[str, FloatArray], int]:
    """Return the vectors of the photographs in ``pairs`` by name, and how many photographs there are.

    One without a face has none. Raises ``PeerError``.
    """
    names = sorted({name for pair in pairs for name in (pair.first, pair.second)})
    vectors = {}
    for at in range(0, len(names), _BATCH):
        batch = names[at : at + _BATCH]
        looks, _ = seat.look([folder / name for name in batch])
        vectors |= {
            name: look.vector for name, look in zip(batch, looks, strict=True) if look.vector is not None
        }
        step(at + len(batch), len(names))
    return vectors, len(names)


def accuracy(vectors: Vectors, photographs: int, pairs: Sequence[Pair], measure: Measure) -> Accuracy:
    """Score ``pairs``; impostors are all photographs of different people, told by their folders."""
    names = list(vectors)
    scores = _scores(np.array([vectors[name] for name in names], np.float64), measure)
    rows = {name: row for row, name in enumerate(names)}
    of_pairs = np.array(
        [
            scores[rows[pair.first], rows[pair.second]]
            if pair.first in rows and pair.second in rows
            else NO_FACE
            for pair in pairs
        ],
        np.float32,
    )
    people = np.unique([folder_of(name) for name in names], return_inverse=True)[1]
    strangers = np.triu(people[:, None] != people[None], 1)
    impostors = ScoreHistogram()
    impostors.add(scores[strangers].astype(np.float32))
    rates = match_rates(PairScores(tuple(pairs), of_pairs, impostors), TARGETS)
    return Accuracy(photographs, photographs - len(names), rates)


def _scores(vectors: FloatArray, measure: Measure) -> FloatArray:
    """Return (N, N) scores; a distance d becomes 1 - d²/2, a cosine where vectors are of unit length."""
    products = vectors @ vectors.T
    squares = np.diag(products)
    if measure == "distance":
        return np.asarray(np.clip(1 - (squares[:, None] + squares[None] - 2 * products) / 2, -0.999, 1))
    norms = np.sqrt(squares)
    return np.asarray(products / norms[:, None] / norms[None])
