import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edged.enrolment.consistency import closeness, odd_ones_out
from tests.unit.enrolment.scene import vector_of

LEVEL = 0.318


def test_one_photograph_is_never_odd() -> None:
    assert odd_ones_out([vector_of(1, 0)], LEVEL) == set()
    assert odd_ones_out([], LEVEL) == set()


@given(owners=st.lists(st.integers(1, 3), min_size=2, max_size=9))
def test_a_majority_keeps_its_own_and_nobody_elses(owners: list[int]) -> None:
    odd = odd_ones_out([vector_of(who, number) for number, who in enumerate(owners)], LEVEL)
    majority = [who for who in set(owners) if owners.count(who) * 2 > len(owners)]
    expected = {row for row, who in enumerate(owners) if who not in majority}
    assert odd == expected


def test_a_chain_of_turns_holds_together() -> None:
    turns = [np.array([np.cos(a), np.sin(a)], np.float32) for a in np.radians([0, 60, 120])]
    assert float(turns[0] @ turns[2]) < LEVEL
    assert odd_ones_out(turns, LEVEL) == set()


def test_closeness_is_to_the_nearest_other() -> None:
    vectors = [vector_of(1, 0), vector_of(1, 1), vector_of(2, 2)]
    assert closeness(vectors, 0) == np.float32(vectors[0] @ vectors[1])
