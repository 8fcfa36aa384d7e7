"""Whether an int8 embedder may take the place of float32, by made-up vectors and figures."""

from dataclasses import replace

import numpy as np
import pytest

from edged.domain.types import FloatArray
from edged.errors import EvaluationError
from edged.evaluation.quantization.embedders import (
    EmbedderFigures,
    OperatingPoint,
    compare_embeddings,
    count_pairs,
    supported_rates,
)

PEOPLE = [f"person-{index // 3}" for index in range(240)]


def vectors(noise: float = 0.25, seed: int = 0) -> FloatArray:
    """Three rows a person; much noise makes some of them strangers to each other."""
    random = np.random.default_rng(seed)
    centres = np.repeat(random.normal(size=(80, 32)), 3, axis=0)
    rows = (centres + noise * np.sqrt(10) * random.normal(size=centres.shape)).astype(np.float32)
    return unit(rows)


def unit(rows: FloatArray) -> FloatArray:
    scaled: FloatArray = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return scaled


def moved(rows: FloatArray, amount: float) -> FloatArray:
    return unit(rows + amount * np.random.default_rng(1).normal(size=rows.shape).astype(np.float32))


def figures(before: int, after: int, correlation: float = 0.995) -> EmbedderFigures:
    def point(misses: int) -> OperatingPoint:
        return OperatingPoint(1e-3, 0.4, misses / 1000, misses)

    return EmbedderFigures(
        photographs=500, people=100, genuine_pairs=1000, impostor_pairs=100_000, float32=(point(before),),
        int8=(point(after),), mixed=(point(after),), correlation=correlation, cosine=0.99, lowest_cosine=0.9,
    )  # fmt: skip


def test_the_same_vectors_are_accepted_in_one_space() -> None:
    rows = vectors()
    found = compare_embeddings(rows, rows, PEOPLE)
    assert (found.photographs, found.people, found.genuine_pairs) == (240, 80, 240)
    assert found.impostor_pairs == 240 * 239 // 2 - 240
    assert found.float32 == found.int8 == found.mixed
    assert [point.fmr for point in found.float32] == [1e-2]
    assert found.correlation == pytest.approx(1)
    assert found.cosine == pytest.approx(1)
    assert (found.shift, found.one_space, found.problems()) == (0, True, [])


def test_rates_are_what_the_scores_say() -> None:
    rows = vectors()
    point = compare_embeddings(rows, rows, PEOPLE).float32[-1]
    scores = rows @ rows.T
    same = np.asarray(PEOPLE)[:, None] == np.asarray(PEOPLE)[None]
    upper = np.triu(np.ones_like(same), 1)
    assert np.mean(scores[upper & ~same] >= point.threshold) <= 0.01
    assert np.mean(scores[upper & same] < point.threshold) == pytest.approx(point.fnmr)
    assert 0 < point.misses < 100


def test_correlation_is_pearsons() -> None:
    rows, other = vectors(), moved(vectors(), 0.1)
    upper = np.triu_indices(240, 1)
    expected = np.corrcoef((rows @ rows.T)[upper], (other @ other.T)[upper])[0, 1]
    assert compare_embeddings(rows, other, PEOPLE).correlation == pytest.approx(expected, abs=1e-6)


def test_other_vectors_are_refused_with_both_figures() -> None:
    found = compare_embeddings(vectors(), vectors(seed=7), PEOPLE)
    assert found.correlation < 0.5
    assert any("correlate by" in problem and "0.99" in problem for problem in found.problems())


def test_mixing_the_two_counts_for_the_space() -> None:
    rows = vectors()
    # Turned as a whole: the same figures alone, nothing in common when mixed.
    turned = np.roll(rows, 1, axis=1)
    found = compare_embeddings(rows, turned, PEOPLE)
    assert found.float32[-1].misses == found.int8[-1].misses
    assert found.mixed[-1].misses > 200
    assert not found.one_space or found.cosine < 0.5


@pytest.mark.parametrize(("before", "after"), [(0, 1), (100, 111), (100, 90), (50, 56)])
def test_up_to_a_tenth_and_one_pair_more_is_accepted(before: int, after: int) -> None:
    assert figures(before, after).problems() == []


@pytest.mark.parametrize(("before", "after"), [(0, 2), (100, 112), (50, 57)])
def test_a_worse_miss_rate_is_refused_with_both_figures(before: int, after: int) -> None:
    (problem,) = figures(before, after).problems()
    assert f"{after / 1000:.2%} in int8 and {before / 1000:.2%} in float32" in problem
    assert "FMR 0.001" in problem


@pytest.mark.parametrize("correlation", [0.9899, 0.5, float("nan")])
def test_scores_that_do_not_correlate_are_refused(correlation: float) -> None:
    (problem,) = figures(10, 10, correlation).problems()
    assert f"{correlation:.4f}, expected at least 0.99" in problem


@pytest.mark.parametrize(
    ("int8", "mixed", "one"), [(0.4049, 0.4, True), (0.4, 0.394, False), (0.41, 0.4, False)]
)
def test_a_threshold_that_moves_makes_another_space(int8: float, mixed: float, one: bool) -> None:
    base = figures(10, 10)
    found = replace(
        base,
        int8=(replace(base.int8[0], threshold=int8),),
        mixed=(replace(base.mixed[0], threshold=mixed),),
    )
    assert found.one_space is one


def test_the_strictest_rate_with_thirty_errors_decides() -> None:
    assert supported_rates(100, 3000) == [1e-2]
    assert supported_rates(100, 30_000) == [1e-2, 1e-3]
    assert supported_rates(100, 299_999) == [1e-2, 1e-3]
    assert supported_rates(100, 300_000) == [1e-2, 1e-3, 1e-4]


@pytest.mark.parametrize(("genuine", "impostors"), [(99, 10_000), (1000, 2999), (0, 0)])
def test_too_few_pairs_are_refused_with_what_is_needed(genuine: int, impostors: int) -> None:
    with pytest.raises(EvaluationError, match=f"{genuine} pairs of one person.*at least 100 .*3000"):
        supported_rates(genuine, impostors)


def test_pairs_are_counted_from_names() -> None:
    assert count_pairs(["a", "a", "a", "b"]) == (3, 3)
    assert count_pairs([]) == (0, 0)
