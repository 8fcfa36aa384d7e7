"""All pairs that are near, against all pairs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edged.domain import near_pairs as module
from edged.domain.codes import Codes
from edged.domain.near_pairs import near_pairs

DIMENSION = 32


def units(rows: np.ndarray) -> np.ndarray:
    return np.asarray(rows / np.linalg.norm(rows, axis=-1, keepdims=True), np.float32)


@st.composite
def crowds(draw: st.DrawFn) -> np.ndarray:
    """Rows of which some are near to another, in their heads, in their tails or in both."""
    random = np.random.default_rng(draw(st.integers(0, 2**31)))
    rows = random.normal(size=(draw(st.integers(1, 50)), DIMENSION))
    for _ in range(draw(st.integers(0, 12))):
        source, target = random.integers(len(rows), size=2)
        away = random.normal(size=DIMENSION) * draw(st.sampled_from([0.0, 0.1, 0.5, 1.0]))
        away[draw(st.sampled_from([slice(0, 0), slice(0, 16), slice(16, None)]))] = 0
        rows[target] = rows[source] + away
    return units(rows)


@given(
    crowds(),
    crowds(),
    st.sampled_from([-0.5, 0.0, 0.4, 0.6, 0.77, 0.95, 1.0]),
    st.booleans(),
    st.sampled_from([0, DIMENSION]),
)
@settings(deadline=None)
def test_every_near_pair_is_found_in_order(
    rows: np.ndarray, others: np.ndarray, limit: float, alike: bool, few: int
) -> None:
    others = rows if alike else others
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(module, "_BLOCK", 7 * 7)
        patched.setattr(module, "_MOST_SINGLY", 9)
        patched.setattr(module, "_FEW_NUMBERS", few)
        found = list(near_pairs(rows, others, limit, lambda: None))
    exact = rows.astype(np.float64) @ others.astype(np.float64).T
    told = np.zeros(exact.shape, bool)
    for row, column, _ in found:
        told[row, column] = True
    if alike:  # of two blocks only one is looked at
        told |= told.T
    assert told[exact >= limit + 1e-6].all()
    assert not told[exact < limit - 1e-6].any()
    assert [cosine for *_, cosine in found] == pytest.approx(
        [exact[row, column] for row, column, _ in found], abs=1e-6
    )
    # By blocks of rows, then of others, then as they stand.
    keys = [(row // 7, column // 7, row, column) for row, column, _ in found]
    assert keys == sorted(keys)


def test_codes_are_compared_as_what_they_stand_for_and_somebody_hears_of_it() -> None:
    rows = units(np.random.default_rng(1).normal(size=(20, 64)))
    rows[7] = units(rows[3] + 0.1 * rows[7])
    codes, beats = Codes.of(rows), []
    found = [pair[:2] for pair in near_pairs(codes, codes, 0.9, lambda: beats.append(1))]
    assert [pair for pair in found if pair[0] != pair[1]] == [(3, 7), (7, 3)]
    assert beats == [1]


def test_nobody_has_no_pairs() -> None:
    nobody, somebody = np.zeros((0, 8), np.float32), np.eye(1, 8, dtype=np.float32)
    assert list(near_pairs(nobody, somebody, 0.5, lambda: None)) == []
    assert list(near_pairs(somebody, nobody, 0.5, lambda: None)) == []
