"""A track keeps to one face: from frame to frame, and from one refusal to the next."""

from dataclasses import dataclass

import numpy as np
import pytest

from edged.domain.calibration import CalibrationPoint
from edged.domain.same_face import TrackFaces, alike, of_one_face, same_face_floor
from edged.domain.types import FloatArray

FLOOR = 0.25


def towards(degrees: float) -> FloatArray:
    """Return a face on a circle: 75 degrees apart two are of one person, more are of two."""
    return np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))], np.float32)


@dataclass(frozen=True)
class Evidence:
    at: float
    vector: FloatArray | None


def test_the_floor_is_the_loosest_row_of_the_table() -> None:
    table = [CalibrationPoint(1e-3, 0.34, 10**7), CalibrationPoint(1e-2, 0.25, 10**7)]
    assert same_face_floor(table) == 0.25
    assert same_face_floor([]) == 0.0


def test_a_face_that_is_no_number_is_unlike_itself() -> None:
    broken = np.array([np.nan, 0], np.float32)
    assert not alike(broken, broken, FLOOR)


@pytest.mark.parametrize(
    ("degrees", "kept"),
    [
        ((0, 20, 40), (0, 20, 40)),
        ((0, 40, 80), (40, 80)),  # each is like the one before, the last not like the first
        ((80, 0, 80), (80, 80)),
        ((0, 0, 80), (80,)),
        ((-70, 70, 0), (70, 0)),  # both are like the newest, and unlike each other
    ],
)
def test_evidence_is_what_is_of_the_newest_face(degrees: tuple[int, ...], kept: tuple[int, ...]) -> None:
    evidence = [Evidence(at, towards(at)) for at in degrees]
    assert tuple(one.at for one in of_one_face(evidence, FLOOR)) == kept
    assert of_one_face(evidence, None) == evidence


def test_evidence_without_a_face_is_none() -> None:
    face, none = Evidence(0, towards(0)), Evidence(1, None)
    assert of_one_face([none, face], FLOOR) == [face]
    assert of_one_face([face, none], FLOOR) == []


def walk(faces: TrackFaces, track_id: int, *degrees: float, refused: bool = False) -> list[float]:
    """Show faces to a track; return at which it would have been another's."""
    changed = [at for at in degrees if faces.changes(track_id, towards(at), FLOOR)]
    faces.saw(track_id, towards(degrees[-1]))
    if refused:
        faces.refuse(track_id)
    return changed


def test_a_jump_changes_the_face_and_a_flow_does_not_until_somebody_was_refused() -> None:
    faces = TrackFaces()
    assert walk(faces, 1, 0) == []
    assert walk(faces, 1, 90) == [90]
    for at in range(0, 360, 60):
        assert walk(faces, 2, at) == []
    faces.refuse(2)  # at 300 degrees
    assert [at for at in range(300, 420, 30) if walk(faces, 2, at)] == [390]


def test_the_face_of_a_second_refusal_is_no_new_measure() -> None:
    faces = TrackFaces()
    walk(faces, 1, 0, refused=True)
    walk(faces, 1, 70, refused=True)
    assert walk(faces, 1, 100) == [100]


def test_who_turns_away_and_back_is_nobody_new() -> None:
    faces = TrackFaces()
    walk(faces, 1, 0, refused=True)
    faces.succeed(1, 2)
    faces.forget(1)
    walk(faces, 2, 100)
    assert walk(faces, 2, 170) == []  # not refused yet, so there is nothing to hold it to
    walk(faces, 2, 100, refused=True)
    assert walk(faces, 2, 50, 0) == [0]  # a jump
    walk(faces, 2, 50)
    assert walk(faces, 2, 0) == []
    assert walk(faces, 2, -60) == []
    assert walk(faces, 2, -90) == [-90]


def test_who_was_let_in_after_a_refusal_is_known_too() -> None:
    faces = TrackFaces()
    walk(faces, 1, 0)
    faces.accept(1)  # of a track that was not refused there is nothing to hold
    walk(faces, 1, 60)
    walk(faces, 1, 120, refused=True)
    walk(faces, 1, 60)
    faces.accept(1)
    assert walk(faces, 1, 0) == []
    assert walk(faces, 1, -20) == [-20]


def test_a_track_that_ended_has_left_nothing() -> None:
    faces = TrackFaces()
    walk(faces, 1, 0, refused=True)
    faces.forget(1)
    assert faces.newest(1) is None
    assert walk(faces, 1, 180) == []
