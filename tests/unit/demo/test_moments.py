"""Which frames of a show are kept for its picture."""

import numpy as np
import pytest

from edged.demo.moments import Moments, last_seconds
from edged.demo.stage import Role
from edged.domain.types import Box, Decision, Face, Frame, Match, Observation, Outcome, Quality, Reason
from edged.workers.recognition import Sight


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def sight(seq: int, *, width: float = 80.0, track: int = 1, score: float = 0.7) -> Sight:
    face = Face(Box(10.0, 20.0, width, width), np.zeros((5, 2), np.float32), 0.9)
    quality = Quality(0.9, width, width / 2, 200, 120, 0, 0, 0)
    match = Match("p-ada", score, "p-ben", 0.1)
    frame = Frame(seq, seq / 10, np.full((48, 64, 3), seq, np.uint8))
    return Sight(frame, face, Observation(track, seq, seq / 10, face.box, quality, match))


GRANT = Decision(Outcome.GRANT, Reason.MATCHED, 1, "p-ada", 0.7, 0.6, 3)
DENY = Decision(Outcome.DENY, Reason.UNKNOWN, 1, None, 0.2, 0.0, 5)


@pytest.fixture
def moments() -> Moments:
    return Moments(Clock())


def test_the_largest_face_while_the_door_is_open_is_kept(moments: Moments) -> None:
    moments.saw(sight(1, width=200), Role.ENROLLED, "Ada")  # before the decision
    moments.decided(GRANT, "Ada", 0.4)
    moments.saw(sight(2, width=190), Role.ENROLLED, "Ada")  # the door is not open yet
    moments.door(unlocked=True)
    for seq, width in ((3, 80), (4, 120), (5, 100)):
        moments.saw(sight(seq, width=width), Role.ENROLLED, "Ada")
    moments.door(unlocked=False)
    moments.saw(sight(6, width=180), Role.ENROLLED, "Ada")
    kept = moments.best[Role.ENROLLED]
    assert (kept.image[0, 0, 0], kept.unlocked, kept.visitor) == (4, True, "Ada")
    assert (kept.portraits[0].name, kept.portraits[0].score) == ("Ada", 0.7)


def test_a_denied_stranger_is_kept_without_a_name(moments: Moments) -> None:
    moments.decided(DENY, None, 0.4)
    moments.saw(sight(1), Role.STRANGER, "stranger A")
    kept = moments.best[Role.STRANGER]
    assert (kept.unlocked, kept.portraits[0].name, kept.visitor) == (False, None, "stranger A")


def test_of_a_print_a_grant_is_kept_rather_than_a_larger_face(moments: Moments) -> None:
    moments.decided(DENY, None, 0.4)
    moments.saw(sight(1, width=200), Role.PRINT, "somebody")
    moments.decided(GRANT, "Ada", 0.4)
    moments.door(unlocked=True)
    moments.saw(sight(2, width=80), Role.PRINT, "somebody")
    assert moments.best[Role.PRINT].decision is GRANT


def test_all_faces_of_a_frame_are_kept_together(moments: Moments) -> None:
    moments.decided(GRANT, "Ada", 0.4)
    moments.door(unlocked=True)
    moments.saw(sight(1, track=2), Role.PRINT, "somebody")
    moments.saw(sight(1, track=1), Role.PRINT, "somebody")
    assert [portrait.name for portrait in moments.best[Role.PRINT].portraits] == [None, "Ada"]


def test_before_a_camera_the_decision_tells_the_kind(moments: Moments) -> None:
    moments.decided(DENY, None, 0.4)
    moments.saw(sight(1), None, "")
    moments.decided(GRANT, "Ada", 0.4)
    moments.door(unlocked=True)
    moments.saw(sight(2), None, "")
    assert {role: moment.visitor for role, moment in moments.best.items()} == {
        Role.STRANGER: "somebody not enrolled", Role.ENROLLED: "Ada",
    }  # fmt: skip


def test_marks_are_timed_from_the_start() -> None:
    clock = Clock()
    moments = Moments(clock)
    clock.now = 103.0
    moments.began()
    for at, kind in ((104.0, "visit"), (105.5, "unlocked"), (107.0, "locked")):
        clock.now = at
        moments.mark(kind)
    assert [(mark.at, mark.kind) for mark in moments.marks] == [
        (1.0, "visit"), (2.5, "unlocked"), (4.0, "locked"),
    ]  # fmt: skip
    assert [mark.at for mark in last_seconds(moments.marks, 2.0)] == [0.5, 2.0]
    assert last_seconds([], 2.0) == []
