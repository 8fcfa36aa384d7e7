"""Turning the head when asked to: what answers, what does not, and what follows from it at the door."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.domain.access import AccessRules
from edged.domain.challenge import ChallengeDesk, ChallengePolicy, Gesture, Prompt
from edged.domain.decision import DecisionEngine, DecisionPolicy
from edged.domain.gallery import GallerySnapshot, build_snapshot
from edged.domain.people import Person
from edged.domain.types import Decision, Observation, Outcome, Reason
from tests.unit.domain.conftest import NOON, seen, template

LEFT, RIGHT, AHEAD = Gesture.TURN_LEFT, Gesture.TURN_RIGHT, Gesture.LOOK_AHEAD
SECONDS = 6.0
STEP = 0.1
ALIVE = 0.9


class Door:
    """An engine that asks for the gestures of ``draws``; frames come ten times a second."""

    def __init__(self, gallery: GallerySnapshot, *draws: Gesture, armed: bool = True) -> None:
        self.draws = list(draws)
        self.drawn: list[Gesture] = []
        self.desk = ChallengeDesk(ChallengePolicy(len(draws) or 1, SECONDS), self.draw)
        policy = DecisionPolicy(
            0.5, 3, 5, 0.06, 10, 1, 2, 0.5, armed=armed, liveness_threshold=0.5, liveness_required=True
        )
        self.engine = DecisionEngine(policy, AccessRules(), self.desk)
        self.gallery = gallery
        self.now, self.seq = 100.0, 0
        self.told: list[Decision] = []

    def draw(self, turns: Sequence[Gesture]) -> Gesture:
        assert set(turns) == {LEFT, RIGHT}
        self.drawn.append(self.draws[len(self.drawn) % len(self.draws)])
        return self.drawn[-1]

    def show(self, *yaws: float, **kinds: object) -> None:
        """Show the face with the head turned so far, one frame each."""
        for yaw in yaws:
            self.seq += 1
            self.now += STEP
            self.step(self.pose(yaw, **kinds))

    def pose(self, yaw: float, **kinds: object) -> Observation:
        one = seen(self.seq, self.now - 0.02, **{"liveness": ALIVE, **kinds})  # type: ignore[arg-type]
        return replace(one, quality=replace(one.quality, yaw=yaw))

    def step(self, observation: Observation) -> None:
        decision = self.engine.step(observation, self.gallery, self.now, NOON)
        if decision.outcome is not Outcome.WAIT:
            self.told.append(decision)

    def leave(self, *, changed: bool = False) -> None:
        decision = self.engine.end(1, changed=changed)
        if decision is not None:
            self.told.append(decision)

    @property
    def asks(self) -> Gesture | None:
        prompt = self.desk.prompt(self.now)
        return None if prompt is None else prompt.gesture

    @property
    def outcomes(self) -> list[tuple[Outcome, Reason]]:
        return [(one.outcome, one.reason) for one in self.told]


GRANTED = (Outcome.GRANT, Reason.MATCHED)
WRONG = (Outcome.DENY, Reason.CHALLENGE_WRONG)
UNANSWERED = (Outcome.DENY, Reason.CHALLENGE_UNANSWERED)
NOT_LIVE = (Outcome.DENY, Reason.NOT_LIVE)
BROKEN = (Outcome.DENY, Reason.CHALLENGE_BROKEN)
BLOCKED = (Outcome.DENY, Reason.CHALLENGE_BLOCKED)
LOOK = (0.0, 1.0, -1.0, 0.5)
# After the time to read: out, held, and back.
TURN = (0.0, 1.0, 0.0, 7.0, 14.0, 21.0, 26.0, 24.0, 13.0, 5.0, 0.0, 1.0, 0.0)


def turn(sign: int) -> tuple[float, ...]:
    return tuple(sign * yaw for yaw in TURN)


def test_who_would_be_let_in_is_asked_and_comes_in_once_the_turn_is_seen(gallery: GallerySnapshot) -> None:
    door = Door(gallery, LEFT)
    door.show(*LOOK[:2])
    assert door.asks is None
    door.show(*LOOK[2:])
    assert (door.asks, door.told) == (LEFT, [])
    door.show(*turn(1))
    assert (door.asks, door.outcomes) == (None, [GRANTED])
    assert [(g.name, g.value, g.passed) for g in door.told[0].trace][-2:] == [
        ("challenge", "passed", True),
        ("armed", None, True),
    ]


def test_turns_are_asked_for_one_after_the_other(gallery: GallerySnapshot) -> None:
    door = Door(gallery, RIGHT, RIGHT, LEFT)
    door.show(*LOOK)
    assert door.desk.prompt(door.now) == Prompt(RIGHT, 1, 3)
    door.show(*turn(-1)[:7])
    assert door.desk.prompt(door.now) == Prompt(AHEAD, 2, 3)
    door.show(*turn(-1)[7:])
    assert door.desk.prompt(door.now) == Prompt(RIGHT, 2, 3)
    door.show(*turn(-1))
    assert door.desk.prompt(door.now) == Prompt(LEFT, 3, 3)
    assert door.told == []
    door.show(*turn(1))
    assert door.outcomes == [GRANTED]


def test_a_still_picture_answers_nothing(gallery: GallerySnapshot) -> None:
    door = Door(gallery, LEFT)
    door.show(*LOOK * 20)
    assert door.outcomes == [UNANSWERED]
    assert door.told[0].person_id is None
    assert [g.name for g in door.told[0].trace if not g.passed] == ["challenge"]


def test_a_picture_swung_about_answers_nothing(gallery: GallerySnapshot) -> None:
    """What landmarks make of it: some degrees to either side (see the engine's own test)."""
    door = Door(gallery, LEFT)
    door.show(*LOOK, *(0.0, 5.0, 9.0, 12.0, 8.0, 1.0, -6.0, -11.0, -7.0) * 8)
    assert door.outcomes[0] == UNANSWERED
    assert GRANTED not in door.outcomes


def test_a_film_that_turns_the_other_way_is_denied_at_once(gallery: GallerySnapshot) -> None:
    door = Door(gallery, LEFT)
    door.show(*LOOK, *turn(-1)[:7])
    assert door.outcomes == [WRONG]


def test_a_film_that_turned_before_it_was_asked_is_denied(gallery: GallerySnapshot) -> None:
    door = Door(gallery, LEFT)
    door.show(*LOOK, 10.0, 21.0, 24.0)
    assert door.outcomes == [WRONG]


def test_another_photograph_with_the_head_turned_is_no_turn(gallery: GallerySnapshot) -> None:
    door = Door(gallery, LEFT)
    door.show(*LOOK, *LOOK)
    door.show(*[25.0] * 40)
    assert GRANTED not in door.outcomes
    door.show(*[25.0] * 40)
    assert door.outcomes[0] == UNANSWERED


def test_a_gap_on_the_way_is_no_turn_either(gallery: GallerySnapshot) -> None:
    door = Door(gallery, LEFT)
    door.show(*LOOK, *LOOK)
    door.now += 0.6
    door.show(12.0)
    door.now += 0.6
    door.show(24.0, 25.0, 24.0)
    assert door.told == []


def test_who_hurries_may_turn_again_more_slowly(gallery: GallerySnapshot) -> None:
    door = Door(gallery, LEFT)
    door.show(*LOOK, *LOOK, 24.0, 25.0, 2.0, 0.0, *turn(1))
    assert door.outcomes == [GRANTED]


def test_a_turned_head_counts_only_if_it_is_the_persons(gallery: GallerySnapshot) -> None:
    door = Door(gallery, LEFT)
    door.show(*LOOK, 0.0, 1.0, 0.0, 7.0)
    door.show(14.0, 21.0, 25.0, 24.0, 12.0, score=0.3)
    door.show(5.0, 0.0, 0.0, 0.0)
    assert door.told == []
    door.show(*[0.0] * 70)
    assert door.outcomes == [UNANSWERED]


def test_somebody_else_in_the_middle_breaks_it(gallery: GallerySnapshot) -> None:
    door = Door(gallery, LEFT)
    door.show(*LOOK, 0.0, 1.0, 0.0)
    door.show(7.0, person_id="p-ben", second=0.1)
    assert door.outcomes == [BROKEN]


def test_somebody_else_after_the_turn_breaks_it_too(gallery: GallerySnapshot) -> None:
    door = Door(gallery, LEFT)
    door.show(*LOOK * 2)
    # The person turns, but is not alive enough to be let in yet.
    door.show(0.0, 7.0, 14.0, 21.0, 22.0, liveness=0.0)
    assert (door.asks, door.outcomes) == (None, [NOT_LIVE])
    door.show(14.0, person_id="p-ben", second=0.1)
    assert door.outcomes == [NOT_LIVE, BROKEN]


@pytest.mark.parametrize(("changed", "told"), [(True, BROKEN), (False, UNANSWERED)])
def test_a_track_that_ends_leaves_its_challenge_unanswered(
    gallery: GallerySnapshot, changed: bool, told: tuple[Outcome, Reason]
) -> None:
    door = Door(gallery, LEFT)
    door.show(*LOOK)
    door.leave(changed=changed)
    assert (door.outcomes, door.asks) == ([told], None)


def test_time_that_runs_backwards_breaks_it(gallery: GallerySnapshot) -> None:
    door = Door(gallery, LEFT)
    door.show(*LOOK, 0.0, 1.0)
    door.now -= 1.0
    door.show(0.0)
    assert door.outcomes == [BROKEN]
    door.show(*turn(1))
    assert GRANTED not in door.outcomes


def test_the_same_pictures_again_are_no_evidence(gallery: GallerySnapshot) -> None:
    door = Door(gallery, LEFT)
    door.show(*LOOK, 0.0, 1.0, 0.0, 7.0, 14.0, 21.0)
    for _ in range(5):
        door.step(door.pose(21.0))
    assert (door.asks, door.told) == (LEFT, [])


def test_passing_is_beside_liveness_and_never_instead_of_it(gallery: GallerySnapshot) -> None:
    door = Door(gallery, LEFT)
    door.show(*LOOK)
    door.show(*turn(1), liveness=0.0)
    assert GRANTED not in door.outcomes
    dead = Door(gallery, LEFT)
    dead.show(*LOOK, *turn(1), liveness=None)
    assert dead.outcomes == [NOT_LIVE]
    assert dead.drawn == []


def test_a_turn_that_was_made_long_ago_is_asked_for_again(gallery: GallerySnapshot) -> None:
    door = Door(gallery, LEFT)
    door.show(*LOOK * 4)
    door.show(0.0, 7.0, 14.0, 21.0, 24.0, liveness=0.0)
    assert (door.asks, door.outcomes) == (None, [NOT_LIVE])
    door.show(*[0.0] * 40, match=False)
    door.show(*[0.0] * 12)
    assert door.drawn == [LEFT, LEFT]
    assert GRANTED not in door.outcomes


def test_each_failure_keeps_the_person_waiting_for_twice_as_long(gallery: GallerySnapshot) -> None:
    door = Door(gallery, LEFT)
    asked_at: list[float] = []
    while len(asked_at) < 5 and door.now < 200:
        before = len(door.drawn)
        door.show(0.0)
        if len(door.drawn) > before:
            asked_at.append(door.now)
    waits = [second - first - SECONDS for first, second in pairwise(asked_at)]
    assert waits == pytest.approx([2, 4, 8, 16], abs=0.5)
    # Each missed challenge is told.
    assert door.outcomes == [UNANSWERED] * 4


def test_who_comes_again_too_soon_is_told_to_wait(gallery: GallerySnapshot) -> None:
    door = Door(gallery, LEFT)
    door.show(*LOOK, *turn(-1)[:7])
    door.leave()
    door.show(*LOOK * 2, track=2)
    assert door.outcomes == [WRONG, BLOCKED]


def test_only_one_person_is_asked_at_a_time(gallery: GallerySnapshot) -> None:
    door = Door(gallery, LEFT)
    for yaw in LOOK * 2:
        door.show(yaw)
        door.show(yaw, person_id="p-ben", second=0.1, track=2)
    assert door.drawn == [LEFT]


def test_a_changed_gallery_begins_anew_to_nobodys_blame(gallery: GallerySnapshot) -> None:
    door = Door(gallery, LEFT)
    door.show(*LOOK, 0.0, 1.0, 0.0, 7.0)
    door.gallery = replace(gallery, version=2)
    door.show(14.0, 21.0, 25.0)
    assert (door.told, door.asks) == ([], AHEAD)
    door.show(*LOOK, *turn(1))
    assert door.outcomes == [GRANTED]


def test_shadow_mode_asks_as_the_door_would(gallery: GallerySnapshot) -> None:
    door = Door(gallery, LEFT, armed=False)
    door.show(*LOOK, *turn(1))
    assert door.outcomes == [(Outcome.DENY, Reason.DISARMED)]


def test_a_grant_uses_the_challenge_up(gallery: GallerySnapshot) -> None:
    door = Door(gallery, LEFT)
    door.show(*LOOK, *turn(1))
    door.leave()
    door.now += 20
    door.show(*LOOK, track=2)
    assert door.drawn == [LEFT, LEFT]
    assert door.outcomes == [GRANTED]


POSES = st.lists(
    st.tuples(
        st.floats(-45, 45) | st.just(float("nan")),
        st.sampled_from(["p-ada", "p-ben", None]),
        st.booleans(),
        st.floats(-0.5, 1.5),
    ),
    max_size=80,
)


@given(POSES)
def test_no_grant_without_a_turn_that_was_asked_for(poses: Iterable[tuple[float, str, bool, float]]) -> None:
    """Whatever else happens: it follows two pictures of the person, turned as asked, after the asking."""
    people = [Person("p-ada", "Ada"), Person("p-ben", "Ben")]
    whole = build_snapshot("toy/1", 8, 1, people, [template("p-ada", 0), template("p-ben", 1)])
    door, turned = Door(whole, LEFT), {"p-ada": 0, "p-ben": 0}
    for yaw, person_id, usable, step in poses:
        door.now += step - STEP
        asked = door.asks is LEFT
        door.show(yaw, person_id=person_id, second=0.1, match=usable)
        if asked and usable and person_id is not None and yaw > 4:
            turned[person_id] += 1
        assert all(turned[one.person_id or ""] >= 2 for one in door.told if one.outcome is Outcome.GRANT)
