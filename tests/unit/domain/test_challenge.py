"""The gesture: asked at random, seen on its way, of one person, in time; or not passed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.domain.challenge import ChallengeDesk, ChallengePolicy, Gesture, Standing
from edged.domain.types import Reason
from tests.unit.domain.conftest import GOOD, seen

ADA, BEN = "p-ada", "p-ben"
LEFT, RIGHT, AHEAD = Gesture.TURN_LEFT, Gesture.TURN_RIGHT, Gesture.LOOK_AHEAD
STEP = 0.1
TO_LEFT, TO_RIGHT = (8.0, 16.0, 24.0, 26.0), (-8.0, -16.0, -24.0, -26.0)
BACK = (16.0, 8.0, 0.0, 0.0, 0.0)


@dataclass
class Visit:
    """A desk that draws ``turns`` in this order, and somebody before it."""

    turns: Sequence[Gesture] = (LEFT, RIGHT)
    seconds: float = 6.0
    mirrored: bool = False
    now: float = 100.0
    seq: int = 0
    failed: list[Reason] = field(default_factory=list)

    def __post_init__(self) -> None:
        draws = iter([*self.turns] * 20)
        self.desk = ChallengeDesk(
            ChallengePolicy(len(self.turns), self.seconds, self.mirrored), lambda _: next(draws)
        )

    def show(self, *yaws: float, person: str | None = ADA, step: float = STEP, track: int = 1) -> None:
        for yaw in yaws:
            self.now += step
            self.seq += 1
            one = replace(seen(self.seq, self.now - 0.02, track=track), quality=replace(GOOD, yaw=yaw))
            reason = self.desk.watch(one, person, self.now)
            self.failed += [] if reason is None else [reason]

    def ask(self, person: str = ADA, track: int = 1) -> Standing:
        return self.desk.ask(track, person, self.now)

    def wants(self) -> Gesture | None:
        prompt = self.desk.prompt(self.now)
        return None if prompt is None else prompt.gesture


@pytest.fixture
def asked() -> Visit:
    """Ada looks ahead and is asked to turn to the left, then she will be to the right."""
    visit = Visit()
    visit.show(0, 1, 0)
    assert visit.ask() is Standing.ASKED
    visit.show(0, 0, 0)
    assert visit.wants() is LEFT
    return visit


def test_who_turns_as_asked_passes_once(asked: Visit) -> None:
    asked.show(*TO_LEFT)
    assert asked.wants() is AHEAD
    asked.show(*BACK)
    assert asked.wants() is RIGHT
    assert asked.ask() is Standing.ASKED
    asked.show(0, 0, *TO_RIGHT)
    assert (asked.wants(), asked.failed) == (None, [])
    asked.show(*(-yaw for yaw in BACK))
    assert asked.ask() is Standing.PASSED
    assert asked.ask() is Standing.ASKED


def test_what_was_passed_a_while_ago_does_not_count(asked: Visit) -> None:
    asked.show(*TO_LEFT, *BACK, 0, 0, *TO_RIGHT)
    asked.now += 3.5
    assert asked.ask() is Standing.ASKED


def test_a_still_face_has_not_answered(asked: Visit) -> None:
    asked.show(*[0.0, 2.0, -2.0] * 25)
    assert asked.failed == [Reason.CHALLENGE_UNANSWERED]
    assert asked.ask() is Standing.BLOCKED


def test_a_swung_sheet_reads_too_few_degrees(asked: Visit) -> None:
    asked.show(*[17 * math.sin(angle / 3) for angle in range(80)])
    assert asked.failed == [Reason.CHALLENGE_UNANSWERED]


def test_the_other_way_is_wrong(asked: Visit) -> None:
    asked.show(0, *TO_RIGHT)
    assert asked.failed == [Reason.CHALLENGE_WRONG]
    asked.show(*BACK, *TO_LEFT, *BACK)
    assert asked.ask() is Standing.BLOCKED


def test_a_turn_that_was_under_way_before_it_was_asked_is_wrong() -> None:
    visit = Visit()
    visit.show(0, 0, 0)
    visit.ask()
    visit.show(12, 24, 26, step=0.06)
    assert visit.failed == [Reason.CHALLENGE_WRONG]


def test_a_face_that_jumps_into_the_turn_has_not_turned(asked: Visit) -> None:
    asked.show(0, 0, 25, 26, 25, 26)
    assert asked.wants() is LEFT
    asked.show(10, *TO_LEFT[1:])  # until it is seen ahead again
    assert asked.wants() is LEFT


def test_a_gap_hides_a_turn(asked: Visit) -> None:
    asked.show(0, 10)
    asked.show(22, step=0.7)
    asked.show(24, 25)
    assert asked.wants() is LEFT


def test_another_person_in_the_middle_breaks_it(asked: Visit) -> None:
    asked.show(0, 8)
    asked.show(16, person=BEN)
    assert asked.failed == [Reason.CHALLENGE_BROKEN]


def test_another_person_after_the_last_turn_breaks_it(asked: Visit) -> None:
    asked.show(*TO_LEFT, *BACK, 0, 0, *TO_RIGHT)
    asked.show(-16, person=BEN)
    assert asked.failed == [Reason.CHALLENGE_BROKEN]
    assert asked.ask() is Standing.BLOCKED


def test_a_turned_head_that_is_not_recognised_does_not_count(asked: Visit) -> None:
    asked.show(0, *TO_LEFT, 26, 26, person=None)
    assert asked.wants() is LEFT


@pytest.mark.parametrize("now", [99.0, math.nan])
def test_time_that_runs_backwards_breaks_it(asked: Visit, now: float) -> None:
    asked.now = now - STEP
    asked.show(0)
    assert asked.failed == [Reason.CHALLENGE_BROKEN]


def test_a_changed_face_and_one_that_leaves_fail(asked: Visit) -> None:
    assert asked.desk.end(1, changed=True) is Reason.CHALLENGE_BROKEN
    assert asked.desk.end(1) is None
    other = Visit()
    other.show(0, 0, 0)
    other.ask()
    assert other.desk.end(1) is Reason.CHALLENGE_UNANSWERED


def test_one_person_at_a_time(asked: Visit) -> None:
    asked.show(0, person=BEN, track=2)
    assert asked.ask(BEN, track=2) is Standing.BUSY
    asked.desk.end(1)
    assert asked.ask(BEN, track=2) is Standing.ASKED


def test_each_failure_keeps_waiting_for_longer_up_to_a_minute(asked: Visit) -> None:
    waits = []
    for _ in range(8):
        asked.desk.end(1)
        began = asked.now
        asked.show(0)
        while asked.ask() is Standing.BLOCKED:
            asked.show(0)
        waits.append(asked.now - began)
    assert waits == pytest.approx([2, 4, 8, 16, 32, 60, 60, 60], abs=0.2)


def test_nobody_is_blamed_for_a_gallery_that_changed(asked: Visit) -> None:
    asked.desk.drop()
    assert asked.wants() is None
    assert asked.ask() is Standing.ASKED


# Ahead may be 15 degrees to the right: 3.9 to the left is less than a turn from anywhere.
POSES = st.lists(
    st.tuples(
        st.floats(-40, 3.9) | st.just(math.nan),
        st.sampled_from([ADA, ADA, ADA, BEN, None]),
        st.floats(-0.05, 0.8),
    ),
    max_size=60,
)


@given(POSES)
def test_no_sequence_without_the_turn_to_the_left_passes(
    poses: list[tuple[float, str | None, float]],
) -> None:
    visit = Visit(turns=(LEFT,))
    visit.show(0, 0, 0)
    visit.ask()
    for yaw, person, step in poses:
        visit.show(yaw, person=person, step=step)
        assert visit.ask() is not Standing.PASSED


@given(st.lists(st.sampled_from([-26.0, -16.0, -8.0, 0.0, 8.0, 16.0, 26.0]), max_size=60), st.data())
def test_who_passes_was_seen_to_turn_each_way_that_was_asked(yaws: list[float], data: st.DataObject) -> None:
    turns = data.draw(st.lists(st.sampled_from([LEFT, RIGHT]), min_size=1, max_size=3))
    visit, shown = Visit(turns=tuple(turns)), {LEFT: 0, RIGHT: 0}
    visit.show(0, 0, 0)
    visit.ask()
    for yaw in yaws:
        wanted = visit.wants()
        visit.show(yaw)
        if wanted in shown and abs(yaw) >= 16 and (yaw > 0) is (wanted is LEFT):
            shown[wanted] += 1
        if visit.ask() is Standing.PASSED:
            assert all(shown[way] >= 2 * turns.count(way) for way in shown)
            break


@pytest.mark.parametrize(
    ("mirrored", "yaws", "passed"),
    [(False, TO_LEFT, True), (False, TO_RIGHT, False), (True, TO_RIGHT, True), (True, TO_LEFT, False)],
)
def test_in_a_mirror_left_is_right(mirrored: bool, yaws: tuple[float, ...], passed: bool) -> None:
    visit = Visit((LEFT,), mirrored=mirrored)
    visit.show(0, 1, 0)
    visit.ask()
    visit.show(0, 0, 0)
    visit.show(*yaws, *(BACK if yaws is TO_LEFT else [-yaw for yaw in BACK]))
    assert (visit.failed == []) is passed
    assert (visit.ask() is Standing.PASSED) is passed
