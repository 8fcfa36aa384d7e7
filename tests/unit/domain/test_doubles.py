"""Which people may be one: by their centres, by one photograph, by their names."""

import numpy as np
import pytest

from edged.domain.calibration import CalibrationPoint, strangers_rate
from edged.domain.doubles import ClosePair, rank_pairs
from edged.domain.types import FloatArray

TABLE = (CalibrationPoint(1e-3, 0.3, 10**6), CalibrationPoint(1e-5, 0.5, 10**6))


def unit(*values: float) -> FloatArray:
    row = np.array(values, np.float32)
    return row / np.linalg.norm(row)


def ranked(
    people: list[list[FloatArray]], named: frozenset[tuple[int, int]] = frozenset()
) -> list[ClosePair]:
    templates = [np.stack(rows) for rows in people]
    centres = np.stack([unit(*rows.sum(axis=0)) for rows in templates])
    return rank_pairs(
        centres,
        templates,
        TABLE,
        similar_name=lambda one, other: (one, other) in named,
        centre_level=0.3,
        nearest_level=0.5,
    )


def test_the_rate_goes_on_beyond_the_table_and_is_never_more_than_all() -> None:
    assert strangers_rate(TABLE, 0.4) == pytest.approx(1e-4)
    assert strangers_rate(TABLE, 0.6) == pytest.approx(1e-6)
    assert strangers_rate(TABLE, 0.1) == pytest.approx(1e-1)
    assert strangers_rate(TABLE, -1.0) == 1.0
    with pytest.raises(ValueError, match="two points"):
        strangers_rate(TABLE[:1], 0.4)


def test_beyond_the_table_the_tail_falls_as_steeply_as_it_ever_did() -> None:
    """The last row of a table is the widest bound: LFW's own doubles make it fall slowly."""
    steep = (CalibrationPoint(1e-3, 0.30, 10**6), CalibrationPoint(3e-4, 0.32, 10**6))
    table = (CalibrationPoint(1e-2, 0.2, 10**6), *steep, CalibrationPoint(1e-4, 0.42, 10**6))
    fall = strangers_rate(table, 0.32) / strangers_rate(table, 0.30)
    assert strangers_rate(table, 0.44) / strangers_rate(table, 0.42) == pytest.approx(fall)
    assert strangers_rate(table, 0.42) == pytest.approx(1e-4)


def test_the_nearest_pair_comes_first_and_strangers_not_at_all() -> None:
    people = [[unit(1, 0, 0, 0)], [unit(0.9, 0.5, 0, 0)], [unit(0.6, 0, 0.8, 0)], [unit(0, 0, 0, 1)]]
    pairs = ranked(people)
    assert [(pair.first, pair.second) for pair in pairs] == [(0, 1), (0, 2), (1, 2)]
    assert pairs[0].strangers == pytest.approx(6 * strangers_rate(TABLE, pairs[0].cosine))


def test_one_photograph_among_another_persons_is_found_though_the_centres_are_apart() -> None:
    people = [[unit(1, 0, 0, 0)], [unit(1, 0.1, 0, 0), unit(-0.9, 1, 0, 0), unit(-0.9, 0, 1, 0)]]
    (pair,) = ranked(people)
    assert pair.cosine < 0.3
    assert pair.nearest > 0.99
    assert pair.strangers == pytest.approx(3 * strangers_rate(TABLE, pair.nearest))


def test_a_similar_name_is_evidence() -> None:
    people = [[unit(1, 0, 0)], [unit(0.7, 0.7, 0)], [unit(0.7, 0, 0.7)]]
    first, *_ = ranked(people, frozenset({(0, 2)}))
    assert (first.first, first.second, first.similar_name) == (0, 2, True)


def test_nobody_and_a_single_person_make_no_pair() -> None:
    nobody = np.zeros((0, 3), np.float32)
    names = {"similar_name": lambda *_: False, "centre_level": 0.3, "nearest_level": 0.5}
    assert rank_pairs(nobody, [], TABLE, **names) == []
    assert ranked([[unit(1, 0, 0), unit(1, 0.1, 0)]]) == []
