"""Rates with bounds that know whose comparisons they are."""

import numpy as np
import pytest

from edged.domain.calibration import upper_bound
from edged.evaluation.impostors import Impostors, RateBounds, bounded_points


def made(errors: list[tuple[int, int]], people: int = 100, *, score: float = 0.5) -> Impostors:
    """Everybody was compared with everybody else once; the pairs in ``errors`` scored high."""
    trials = np.ones((people, people), np.float32)
    np.fill_diagonal(trials, 0)
    first, second = np.array(errors, np.int32).reshape(-1, 2).T
    return Impostors(trials, first, second, np.full(len(first), score, np.float32), 0.0, (people,))


def test_without_an_error_it_is_the_rule_of_three() -> None:
    bounds = RateBounds(made([]))
    assert bounds.errors(0.3) == 0
    assert bounds.bound(0.3) == upper_bound(0, 9900)


def test_errors_of_one_face_leave_more_open_than_those_of_many() -> None:
    scattered = RateBounds(made([(one, (one + 50) % 100) for one in range(40)]))
    one_face = RateBounds(made([(7, other) for other in range(100) if other != 7][:40]))
    assert scattered.errors(0.4) == one_face.errors(0.4) == 40
    assert one_face.bound(0.4) > 1.3 * scattered.bound(0.4)
    assert scattered.bound(0.4) >= upper_bound(40, 9900)


def test_a_score_counts_from_its_own_threshold_up() -> None:
    bounds = RateBounds(made([(0, 1), (2, 3)], score=0.25))
    assert (bounds.errors(0.25), bounds.errors(0.2501)) == (2, 0)


def test_the_bound_holds_for_the_population() -> None:
    """Samples of people with a known rate: 19 bounds in 20 lie above it."""
    above, spread = 0, 0.5
    truth = (0.1 * np.exp(spread**2 / 2)) ** 2
    for seed in range(60):
        random = np.random.default_rng(seed)
        # Some faces resemble many: the chance of an error differs by person.
        likeness = random.lognormal(0, spread, 80) * 0.1
        hit = random.random((80, 80)) < np.outer(likeness, likeness)
        np.fill_diagonal(hit, val=False)
        above += RateBounds(made(list(zip(*np.nonzero(hit), strict=True)), 80), draws=200).bound(0.4) >= truth
    assert above >= 57


def test_points_keep_to_their_targets_and_stop_where_the_comparisons_do() -> None:
    random = np.random.default_rng(1)
    pairs = [(a, b) for a in range(100) for b in range(100) if a != b]
    scores = random.normal(0, 0.1, len(pairs)).astype(np.float32)
    whole = made(pairs)
    impostors = Impostors(whole.trials, whole.first, whole.second, scores, -1.0, (100,))
    points = bounded_points(impostors, (1e-4, 1e-2, 1e-3))
    assert [point.bound for point in points] == [1e-2, 1e-3]
    bounds = RateBounds(impostors)
    for point in points:
        assert bounds.bound(point.threshold) <= point.bound < bounds.bound(point.threshold - 1e-4)
        assert point.errors == np.count_nonzero(scores >= np.float32(point.threshold))


def test_nobody_compared_is_no_point() -> None:
    assert bounded_points(made([], people=1), (1e-2,)) == []


@pytest.mark.parametrize("target", [1e-2])
def test_a_look_alike_that_no_threshold_tells_apart_leaves_no_point(target: float) -> None:
    twins = made([(a, b) for a in range(10) for b in range(10) if a != b], people=12, score=1.0)
    assert bounded_points(twins, (target,)) == []
