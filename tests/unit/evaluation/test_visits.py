"""Visits through the real decision engine."""

from dataclasses import replace

import numpy as np
import pytest

from edged.domain.types import FloatArray
from edged.errors import EvaluationError
from edged.evaluation.enrolled import enrolled
from edged.evaluation.protocols import Labelled
from edged.evaluation.views import Look
from edged.evaluation.visits import Visit, run_doors, run_visits, visits_from_photographs, visits_from_views
from tests.unit.evaluation.conftest import GOOD, POLICY, crowd, embedded, rated

VECTORS = crowd(8, 10, spread=0.05)
ENROL = [Labelled(f"p{who}", f"p{who}/0") for who in range(4)]
DOOR = enrolled(embedded(VECTORS), ENROL)


def look(vector: FloatArray, shortfall: str | None = None) -> Look:
    return Look(GOOD, vector, shortfall)


def visit(who: int, *frames: Look | None, photographs: int = 5) -> Visit:
    looks = frames or tuple(look(VECTORS[f"p{who}/{k}"]) for k in range(1, 1 + photographs))
    return Visit(f"p{who}" if who < 4 else None, f"p{who}", looks)


def test_the_enrolled_come_in_and_strangers_do_not() -> None:
    result = run_visits(DOOR, POLICY, [visit(who) for who in range(8)])
    assert (result.people, result.visits, result.stranger_visits) == (4, 4, 4)
    assert (result.granted.value, result.wrong.value, result.let_in.value) == (1, 0, 0)
    assert result.refusals == {}
    assert result.stranger_refusals == {"unknown": 4}
    assert result.wrong_grants == ()
    assert result.waiting is not None
    # Three frames must agree; from the first to the third are two frame times of a tenth of a second.
    assert (result.waiting.frames_p50, result.waiting.seconds_p50) == (3, pytest.approx(0.2))


def test_several_doors_are_counted_together() -> None:
    doors = [
        (enrolled(embedded(VECTORS), [ENROL[who]]), [visit(who), *(visit(other) for other in range(4, 8))])
        for who in range(2)
    ]
    result = run_doors(doors, POLICY)
    assert (result.doors, result.people, result.visits, result.stranger_visits) == (2, 1, 2, 8)
    assert (result.granted.hits, result.let_in.hits) == (2, 0)
    assert run_visits(DOOR, POLICY, [visit(0)]).doors == 1
    with pytest.raises(EvaluationError, match="expected enrolled people"):
        run_doors([], POLICY)


def test_the_same_person_may_come_again_and_again() -> None:
    assert run_visits(DOOR, POLICY, [visit(0), visit(0), visit(1), visit(0)]).granted.hits == 4


def test_a_stranger_who_looks_like_somebody_is_let_in_and_named() -> None:
    twin = Visit(None, "p7", tuple(look(VECTORS[f"p2/{k}"]) for k in range(1, 6)))
    result = run_visits(DOOR, POLICY, [visit(0), twin])
    assert (result.let_in.hits, result.wrong.hits) == (1, 0)
    (wrong,) = result.wrong_grants
    assert (wrong.who, wrong.taken_for) == ("p7", "p2")
    assert wrong.score > 0.5


def test_somebody_let_in_as_another_is_wrong_and_not_granted() -> None:
    changed = Visit("p0", "p0", tuple(look(VECTORS[f"p1/{k}"]) for k in range(1, 6)))
    result = run_visits(DOOR, POLICY, [changed])
    assert (result.granted.hits, result.wrong.hits) == (0, 1)
    assert result.wrong_grants[0].taken_for == "p1"
    assert result.waiting is None


def test_right_first_and_another_after_that_is_wrong_too() -> None:
    """But only once the faces before are too old to have a part in the mean of the track."""
    first, second = ([look(VECTORS[f"{who}/{k % 10}"]) for k in range(30)] for who in ("p0", "p1"))
    result = run_visits(DOOR, POLICY, [Visit("p0", "p0", (*first[:5], *second[:5]))])
    assert (result.granted.hits, result.wrong.hits) == (1, 0)
    result = run_visits(DOOR, POLICY, [Visit("p0", "p0", (*first[:5], *second))])
    assert (result.granted.hits, result.wrong.hits) == (0, 1)


@pytest.mark.parametrize(
    ("frames", "reason"),
    [
        ((None,) * 5, "no_face"),
        ((look(VECTORS["p0/1"], "too_small"),) * 5, "too_small"),
        ((look(VECTORS["p0/1"], "blurred"),) * 5, "low_quality"),
        ((look(VECTORS["p0/1"]),) * 2, "undecided"),
        ((None, look(VECTORS["p0/1"]), None, look(VECTORS["p0/1"]), None), "undecided"),
        ((look(VECTORS["p7/1"]),) * 5, "unknown"),
    ],
)
def test_why_a_visit_is_refused(frames: tuple[Look | None, ...], reason: str) -> None:
    result = run_visits(DOOR, POLICY, [visit(0, *frames)])
    assert (result.granted.hits, result.refusals) == (0, {reason: 1})


def test_between_two_people_nobody_is_let_in() -> None:
    middle = VECTORS["p0/0"] + VECTORS["p1/0"]
    middle /= np.linalg.norm(middle)
    result = run_visits(DOOR, POLICY, [visit(0, *(look(middle),) * 5)])
    assert result.refusals == {"ambiguous": 1}


def test_without_a_threshold_nobody_is_let_in() -> None:
    result = run_visits(DOOR, replace(POLICY, threshold=None), [visit(0), visit(1)])
    assert (result.granted.hits, result.refusals, result.threshold) == (0, {"disarmed": 2}, None)


def test_a_tight_limit_on_the_age_of_frames_does_not_make_all_of_them_stale() -> None:
    assert run_visits(DOOR, replace(POLICY, max_frame_age_seconds=0.05), [visit(0)]).granted.hits == 1


def test_slow_cameras_take_longer() -> None:
    slow = run_visits(DOOR, POLICY, [visit(0)], frames_per_second=2)
    assert slow.waiting is not None
    assert slow.waiting.seconds_p50 == 1
    # At one frame in 1.5 seconds no three frames lie within the two seconds that evidence holds.
    assert run_visits(DOOR, POLICY, [visit(0)], frames_per_second=1 / 1.5).granted.hits == 0


def test_photographs_become_visits() -> None:
    probes = [Labelled("p0", f"p0/{k}") for k in range(1, 8)] + [Labelled("", f"p5/{k}") for k in range(3)]
    known, stranger = visits_from_photographs(probes, rated(VECTORS, "p0/2", "blurred"), 3)[::2]
    assert (known.person, known.who, stranger.person, stranger.who) == ("p0", "p0", None, "p5")
    assert [one.shortfall for one in known.looks if one] == [None, "blurred", None]
    assert len(visits_from_photographs(probes, rated(VECTORS), 4)) == 1


def test_a_file_that_is_no_picture_is_no_visit() -> None:
    probes = [Labelled("p0", f"p0/{k}") for k in range(1, 4)]
    unreadable = replace(rated(VECTORS), unreadable={"p0/2": "not a picture"})
    assert len(visits_from_photographs(probes, unreadable, 3)) == 0
    assert visits_from_views(probes, {"p0/1": (None,)})[0].looks == (None,)
    assert len(visits_from_views(probes, {"p0/1": (None,)})) == 1


def test_nobody_enrolled_or_no_visits_is_refused() -> None:
    with pytest.raises(EvaluationError, match="visits"):
        run_visits(DOOR, POLICY, [])
