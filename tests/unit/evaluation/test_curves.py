"""What plots show of many scores."""

import itertools

import pytest

from edged.evaluation.curves import det_curve, histogram
from edged.evaluation.match_rates import PairScores, score_pairs
from edged.evaluation.protocols import Pair
from tests.unit.evaluation.conftest import crowd, embedded


def scored(spread: float, without: tuple[str, ...] = ()) -> PairScores:
    vectors = crowd(30, 4, spread=spread)
    names = list(vectors)
    for name in without:
        del vectors[name]
    pairs = [Pair(a, b, a.split("/")[0] == b.split("/")[0]) for a, b in itertools.combinations(names, 2)]
    return score_pairs(embedded(vectors, without), pairs)


def test_fewer_false_matches_cost_more_false_refusals() -> None:
    curve = det_curve(scored(0.25))
    assert list(curve.fmr) == sorted(set(curve.fmr), reverse=True)
    assert list(curve.fnmr) == sorted(curve.fnmr)
    assert curve.fmr[0] == 1
    assert curve.fnmr[0] == 0
    # 30 * 29 / 2 * 16 different pairs; the last point is one error, the last supported one thirty or more.
    total = 6960
    assert curve.fmr[-1] == pytest.approx(1 / total)
    assert curve.fmr[curve.supported - 1] * total >= 30 > curve.fmr[curve.supported] * total


def test_people_told_apart_have_no_false_refusals_at_all() -> None:
    assert set(det_curve(scored(0.01)).fnmr) == {0}


def test_histograms_hold_every_score_once() -> None:
    seen = histogram(scored(0.25))
    assert (seen.start, seen.width, len(seen.genuine)) == (-1, 0.02, 100)
    assert sum(seen.genuine) == pytest.approx(1)
    assert sum(seen.impostor) == pytest.approx(1)
    mean = [
        sum((seen.start + (row + 0.5) * seen.width) * part for row, part in enumerate(shares))
        for shares in (seen.genuine, seen.impostor)
    ]
    assert mean[0] > 0.3 > mean[1]


def test_pairs_without_a_face_have_no_score() -> None:
    seen = scored(0.01, ("p0/0",))
    assert sum(histogram(seen).genuine) == pytest.approx(1)
    assert histogram(seen).genuine[0] == 0
    # They are missed at every threshold all the same: three of 180 pairs.
    assert det_curve(seen).fnmr[0] == pytest.approx(3 / 180)
