"""1:1 with bounds, and the rates that so few comparisons cannot show."""

import itertools

import numpy as np
import pytest

from edged.errors import EvaluationError
from edged.evaluation.comparison import drawn_pairs
from edged.evaluation.match_rates import RATES, match_rates, score_pairs
from edged.evaluation.protocols import Labelled, Pair
from tests.unit.evaluation.conftest import crowd, embedded


def labelled(names: list[str]) -> list[Labelled]:
    return [Labelled(name.split("/")[0], name) for name in names]


def listed(names: list[str]) -> list[Pair]:
    return [Pair(a, b, a.split("/")[0] == b.split("/")[0]) for a, b in itertools.combinations(names, 2)]


def test_all_photographs_carry_lower_rates_than_listed_pairs() -> None:
    vectors = crowd(100, 4, spread=0.02)
    found = labelled(list(vectors))
    result = match_rates(score_pairs(embedded(vectors), drawn_pairs(found), found))
    # 100 people, 4 photographs each: 100 * 99 / 2 * 16 comparisons.
    assert result.comparisons == 79_200
    assert [point.target for point in result.points if point.shortage is None] == [1e-2, 1e-3]
    for point in result.points[:2]:
        assert point.tmr is not None
        assert point.fmr is not None
        assert (point.tmr.value, point.tmr.high) == (1, 1)
        assert 0.9 < point.tmr.low < 1
        assert point.fmr.value <= point.target
    assert all(point.threshold is None and point.tmr is None for point in result.points[2:])
    assert "needs 300,000 trials, has 79,200" in (result.points[2].shortage or "")
    assert "rule of 3" in (result.points[4].shortage or "")
    assert len(result.points) == len(RATES)


def test_listed_pairs_stand_alone() -> None:
    vectors = crowd(8, 4, spread=0.02)
    result = match_rates(score_pairs(embedded(vectors), listed(list(vectors))))
    assert (result.same_pairs, result.different_pairs, result.comparisons) == (48, 448, 448)
    assert all(point.shortage for point in result.points)
    assert result.accuracy.value == 1


def test_scattered_people_have_wider_bounds() -> None:
    vectors = crowd(100, 4, spread=0.25)
    found = labelled(list(vectors))
    result = match_rates(score_pairs(embedded(vectors), drawn_pairs(found), found))
    tmrs = [point.tmr for point in result.points if point.tmr is not None]
    assert tmrs[0].value > tmrs[1].value
    for tmr in tmrs:
        assert 0 < tmr.low < tmr.value < tmr.high < 1
        assert tmr.trials == 300


def test_a_pair_without_a_face_never_matches() -> None:
    vectors = crowd(100, 4, spread=0.02)
    found = labelled(list(vectors))
    for who in range(100):
        del vectors[f"p{who}/0"]
    pairs = [Pair(f"p{who}/0", f"p{who}/1", same=True) for who in range(50)]
    pairs += [Pair(f"p{who}/1", f"p{who}/2", same=True) for who in range(50)]
    pairs += [Pair(f"p{who}/1", f"p{who + 1}/1", same=False) for who in range(50)]
    lacking = embedded(vectors, tuple(f"p{who}/0" for who in range(100)))
    result = match_rates(score_pairs(lacking, pairs, found))
    assert result.without_face == 50
    assert result.points[0].tmr is not None
    assert result.points[0].tmr.value == 0.5


def test_photographs_of_nobody_in_the_lists_are_no_impostors() -> None:
    vectors = crowd(4, 3, spread=0.02)
    found = labelled([name for name in vectors if not name.startswith("p3")])
    assert score_pairs(embedded(vectors), drawn_pairs(found), found).impostors.total == 27


def test_pairs_of_one_kind_are_refused() -> None:
    vectors = crowd(2, 2, spread=0.02)
    for same in (True, False):
        with pytest.raises(EvaluationError, match="one kind"):
            score_pairs(embedded(vectors), [Pair("p0/0", "p0/1", same=same)])


def test_scores_tell_genuine_from_impostor() -> None:
    vectors = crowd(3, 2, spread=0.01)
    scored = score_pairs(embedded(vectors), listed(list(vectors)))
    assert len(scored.genuine) == 3
    assert np.all(scored.genuine > 0.99)
    assert scored.impostors.total == 12
