"""Which faces of a track are looked at closely."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise

import pytest

from edged.domain.sampling import FrameSampler, Glimpse
from edged.domain.types import Box, Decision, Gate, Outcome, Reason
from tests.unit.domain.test_decision import POLICY

GRANT = Decision(Outcome.GRANT, Reason.MATCHED, 1, "p-ada")
DENIAL = Decision(Outcome.DENY, Reason.UNKNOWN, 1)
BOX = Box(100, 100, 80, 80)


def glimpse(frame: int, quality: float = 0.8, *, box: Box = BOX, usable: bool = True) -> Glimpse:
    return Glimpse(frame, frame * 0.1, box, quality, usable)


def looked_at(sampler: FrameSampler, glimpses: Iterable[Glimpse]) -> list[int]:
    """The frames that were wanted, each looked at as the worker would."""
    frames = []
    for one in glimpses:
        if sampler.wanted(1, one, POLICY):
            sampler.looked(1, one)
            frames.append(one.frame)
    return frames


@pytest.fixture
def sampler() -> FrameSampler:
    return FrameSampler()


def steady(first: int, count: int) -> list[Glimpse]:
    return [glimpse(frame) for frame in range(first, first + count)]


def test_every_usable_face_is_wanted_until_the_window_is_full(sampler: FrameSampler) -> None:
    """However poor beside the first."""
    qualities = (0.9, 0.5, 0.6, 0.5, 0.5)
    assert looked_at(sampler, map(glimpse, range(1, 6), qualities)) == [1, 2, 3, 4, 5]


def test_then_only_those_near_the_best_of_late_and_one_now_and_then(sampler: FrameSampler) -> None:
    looked_at(sampler, steady(1, 5))
    assert looked_at(sampler, map(glimpse, range(6, 16), [0.75, 0.6, 0.6, 0.74] + [0.5] * 6)) == [6, 9, 13]


def test_a_track_that_was_granted_is_looked_at_now_and_then(sampler: FrameSampler) -> None:
    looked_at(sampler, steady(1, 3))
    sampler.follow(GRANT)
    wanted = looked_at(sampler, steady(4, 40))
    assert 8 <= len(wanted) <= 10
    assert max(late - early for early, late in pairwise(wanted)) <= 5


@pytest.mark.parametrize(
    "sudden",
    [glimpse(7), glimpse(6, box=Box(150, 100, 80, 80)), glimpse(6, 0.95)],
    ids=["gap", "jump", "better"],
)
@pytest.mark.parametrize("decision", [GRANT, DENIAL])
def test_what_may_have_changed_hands_is_looked_at_at_once(
    sampler: FrameSampler, decision: Decision, sudden: Glimpse
) -> None:
    looked_at(sampler, steady(1, 5))
    sampler.follow(decision)
    assert looked_at(sampler, [glimpse(6)] if sudden.frame > 7 else []) == []
    assert looked_at(sampler, [sudden]) == [sudden.frame]


def test_a_denied_face_that_comes_out_better_is_looked_at_for_a_window(sampler: FrameSampler) -> None:
    looked_at(sampler, steady(1, 5))
    sampler.follow(DENIAL)
    assert looked_at(sampler, [glimpse(frame, 0.95) for frame in range(6, 12)])[:6] == [6, 7, 8, 9, 10]


def test_a_denied_face_that_matches_by_itself_is_looked_at_for_a_window(sampler: FrameSampler) -> None:
    looked_at(sampler, steady(1, 5))
    sampler.follow(DENIAL)
    assert looked_at(sampler, steady(6, 4)) == [9]
    alone = Decision(Outcome.WAIT, Reason.COLLECTING, 1, trace=(Gate("agreement", 1, 3, False),))
    sampler.follow(alone)
    assert looked_at(sampler, steady(10, 5)) == [10, 11, 12, 13, 14]


def test_a_grant_that_opened_nothing_begins_anew(sampler: FrameSampler) -> None:
    looked_at(sampler, steady(1, 3))
    sampler.follow(GRANT, refused=True)
    assert looked_at(sampler, steady(4, 5)) == [4, 5, 6, 7, 8]


def test_who_is_not_shown_to_be_alive_stays_under_watch(sampler: FrameSampler) -> None:
    looked_at(sampler, steady(1, 5))
    sampler.follow(Decision(Outcome.DENY, Reason.NOT_LIVE, 1))
    assert looked_at(sampler, steady(6, 20)) == list(range(6, 26))


def test_unusable_faces_do_not_crowd_out_usable_ones_of_a_decided_track(sampler: FrameSampler) -> None:
    looked_at(sampler, steady(1, 5))
    sampler.follow(GRANT)
    mixed = [glimpse(frame, 0.3 if frame % 2 else 0.8, usable=not frame % 2) for frame in range(6, 46)]
    wanted = looked_at(sampler, mixed)
    usable = [frame for frame in wanted if not frame % 2]
    assert max(late - early for early, late in pairwise(usable)) <= 6
    assert len(wanted) - len(usable) <= len(usable)


def test_a_short_absence_asks_for_more_looks(sampler: FrameSampler) -> None:
    """Or somebody who stays would seem to have gone and come again."""
    policy = replace(POLICY, absence_seconds=0.4)
    for one in steady(1, 3):
        sampler.wanted(1, one, policy)
        sampler.looked(1, one)
    sampler.follow(GRANT)
    assert not sampler.wanted(1, glimpse(4), policy)
    assert sampler.wanted(1, glimpse(5), policy)


def test_a_track_is_forgotten(sampler: FrameSampler) -> None:
    looked_at(sampler, steady(1, 3))
    sampler.follow(GRANT)
    sampler.forget(1)
    assert looked_at(sampler, steady(4, 3)) == [4, 5, 6]
