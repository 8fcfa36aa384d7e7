"""1:1 and all against all."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from edged.domain.calibration import upper_bound
from edged.errors import EvaluationError
from edged.evaluation.cross_pairs import (
    centroid_impostors,
    centroid_pairs,
    cross_pairs,
    pair_impostors,
    single_and_centroid,
    strictest,
)
from edged.evaluation.protocols import Pair
from edged.evaluation.verification import pair_scores, verify_pairs
from tests.unit.evaluation.conftest import crowd, embedded, unit


def listed(names: list[str]) -> list[Pair]:
    return [Pair(a, b, a.split("/")[0] == b.split("/")[0]) for a, b in itertools.combinations(names, 2)]


def test_tight_people_are_told_apart_without_error() -> None:
    vectors = crowd(8, 4, spread=0.02)
    result = verify_pairs(embedded(vectors), listed(list(vectors)))
    assert (result.accuracy, result.fold_accuracy, result.tmr) == (1, 1, 1)
    assert (result.pairs, result.without_face) == (496, 0)


def test_scattered_people_are_confused_and_folds_are_no_better_than_the_whole() -> None:
    vectors = crowd(8, 4, spread=0.2)
    result = verify_pairs(embedded(vectors), listed(list(vectors)))
    # Folds differ in size by a pair or two, so their mean may round past the whole.
    assert 0.5 < result.fold_accuracy <= result.accuracy + 0.005 < 1
    assert result.tmr < 1


def test_a_photograph_without_a_face_never_matches() -> None:
    vectors = crowd(8, 4, spread=0.02)
    pairs = listed(list(vectors))
    del vectors["p0/0"]
    lacking = embedded(vectors, ("p0/0",))
    result = verify_pairs(lacking, pairs)
    assert result.without_face == 31
    assert result.accuracy == pytest.approx(1 - 3 / 496)
    assert pair_scores(lacking, pairs[:1]).tolist() == [-1]
    assert lacking.face_rate == pytest.approx(31 / 32)


def test_too_few_pairs_are_refused() -> None:
    vectors = crowd(2, 3, spread=0.1)
    with pytest.raises(EvaluationError, match="at least 10 pairs"):
        verify_pairs(embedded(vectors), listed(list(vectors)))


def test_cross_pairs_are_each_pair_once() -> None:
    # More rows than one chunk, so that pairs across chunks are counted too.
    vectors = np.array(list(crowd(300, 4, spread=0.2).values()))
    people = [f"p{row // 4}" for row in range(1200)]
    result = cross_pairs(vectors, people)
    assert result.genuine.total == 300 * 6
    assert result.impostor.total == 1200 * 1199 // 2 - 300 * 6
    scores = vectors @ vectors.T
    upper = np.triu_indices(1200, 1)
    same = np.repeat(np.arange(300), 4)
    impostor = scores[upper][same[upper[0]] != same[upper[1]]]
    assert result.impostor.at_or_above(0.3) == pytest.approx(np.count_nonzero(impostor >= 0.3), abs=20)


def test_centroids_are_compared_with_photographs_outside_them() -> None:
    vectors = crowd(5, 7, spread=0.1)
    people = [name.split("/")[0] for name in vectors]
    result = centroid_pairs(np.array(list(vectors.values())), people)
    # Two centroids a person, each with four further photographs of them and 28 of others.
    assert (result.genuine.total, result.impostor.total) == (5 * 2 * 4, 5 * 2 * 28)
    assert result.genuine.at_or_above(0.5) == 40


def test_a_photograph_counts_in_a_centroid_by_its_quality() -> None:
    right, up, probe = unit(np.array([[1, 0], [0, 1], [1, 0.25]]))
    vectors, people = np.array([right, up, probe]), ["a", "a", "a"]
    alone = centroid_pairs(vectors[:2], people[:2], 2)
    assert alone.genuine.total == 0
    for qualities, cosine in (((1.0, 0.25, 1.0), 1.0), (None, float(unit(np.array([[1, 1]]))[0] @ probe))):
        found = centroid_pairs(vectors, people, 2, qualities=qualities)
        assert found.genuine.total == 1
        assert found.genuine.threshold_for(0) == pytest.approx(cosine, abs=1e-4)


def test_people_with_few_photographs_have_no_centroid() -> None:
    result = centroid_pairs(np.array(list(crowd(4, 2, spread=0.1).values())), ["a", "a", "b", "b"] * 2)
    assert result.impostor.total == 2 * 4  # a and b have four each, hence one centroid
    assert centroid_pairs(np.zeros((0, 8), np.float32), []).impostor.total == 0


def test_a_centroid_draws_strangers_nearer() -> None:
    rng = np.random.default_rng(2)
    # All share a direction, as real faces do.
    vectors = unit(rng.normal(size=(600, 32)) + 0.3)
    people = [str(row // 3) for row in range(600)]
    (single,), (centroid,) = single_and_centroid(vectors, people, targets=(1e-2,))
    assert centroid.threshold > single.threshold
    assert strictest([single], [centroid]) == [centroid]
    # Nothing is known of centroids at this rate, so nothing is claimed.
    assert strictest([single, replace(single, fmr=1e-4, threshold=0.5)], [centroid]) == [centroid]


def test_points_are_bounds_that_the_comparisons_can_bear() -> None:
    vectors = unit(np.random.default_rng(0).normal(size=(500, 32)))
    people = [str(row) for row in range(500)]
    points, centroid = single_and_centroid(vectors, people)
    assert centroid == []
    # The rule of three: 124,750 comparisons without an error leave 2.4e-5 open.
    assert [point.fmr for point in points] == [1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5]
    for point in points:
        assert point.comparisons == 124_750
        assert upper_bound(point.errors, point.comparisons) <= point.fmr
        assert round(point.threshold, 4) == point.threshold
    thresholds = [point.threshold for point in points]
    assert thresholds == sorted(set(thresholds))


@pytest.mark.parametrize("kind", ["single", "centroid"])
def test_impostors_are_the_same_comparisons_with_their_people(kind: str) -> None:
    vectors = crowd(40, 5, spread=0.2)
    people = [name.split("/")[0] for name in vectors]
    rows = np.array(list(vectors.values()))
    pairs = (cross_pairs if kind == "single" else centroid_pairs)(rows, people)
    impostors = (pair_impostors if kind == "single" else centroid_impostors)(rows, people, -2.0)
    assert impostors.comparisons == len(impostors.scores) == pairs.impostor.total
    counted = np.zeros_like(impostors.trials)
    np.add.at(counted, (impostors.first, impostors.second), 1)
    assert np.allclose(counted + counted.T, impostors.trials + impostors.trials.T)
    assert np.count_nonzero(impostors.scores >= 0.3) == pytest.approx(pairs.impostor.at_or_above(0.3), abs=3)
