import numpy as np
import pytest

from edged.domain.types import Box, Face, Image
from edged.errors import EvaluationError
from edged.evaluation.conditions import CONDITIONS
from edged.evaluation.consensus import Detect
from edged.evaluation.detection import DetectionTrial, landmark_error, run_trial
from edged.evaluation.faceless import GENERATORS

PICTURE = np.full((250, 250, 3), 90, np.uint8)
POINTS = np.array([[100, 110], [140, 110], [120, 130], [105, 150], [135, 150]], np.float32)


def face(x: float = 80, *, shift: float = 0.0, score: float = 0.9) -> Face:
    return Face(Box(x, 80, 80, 100), POINTS + np.float32(shift), score)


def seeing(*faces: Face) -> Detect:
    return lambda _image: list(faces)


def blind(_image: Image) -> list[Face]:
    return []


def test_error_is_in_eye_distances() -> None:
    # 3 to the right and 3 down of points whose eyes are 40 apart.
    error = landmark_error([face(shift=3)], face())
    assert error == pytest.approx(np.hypot(3, 3) / 40)


def test_best_overlapping_face_counts() -> None:
    assert landmark_error([face(x=110, shift=9), face()], face()) == 0


def test_face_elsewhere_is_not_found() -> None:
    assert landmark_error([face(x=125)], face()) is None
    assert landmark_error([], face()) is None


def test_perfect_detector_finds_all_photographs() -> None:
    trial = DetectionTrial(seeing(face()), seeing(face()), threshold=0.6, views=1)
    report = run_trial(trial, [lambda: PICTURE] * 3, generated=0)
    assert report.findings["photograph"].rate == 1
    assert report.findings["photograph"].landmark_error == 0
    assert report.reference_spread is None
    # It says the same of every picture: in the frames of other sizes that is the wrong place.
    assert report.findings["40 px"].rate == 0
    assert set(report.findings) == set(CONDITIONS)


def test_blind_detector_finds_nothing_and_never_errs() -> None:
    report = run_trial(DetectionTrial(blind, seeing(face()), threshold=0.6), [lambda: PICTURE], generated=3)
    assert {one.rate for one in report.findings.values()} == {0}
    assert report.findings["photograph"].landmark_error is None
    assert report.all_false_alarms.faces == 0


def test_false_faces_are_counted_by_source() -> None:
    trial = DetectionTrial(seeing(face(), face(x=10)), seeing(face()), threshold=0.6)
    report = run_trial(trial, [lambda: PICTURE], generated=len(GENERATORS), faceless=[lambda: PICTURE])
    for kind in GENERATORS:
        assert report.false_alarms[kind].pictures == 1
    assert report.false_alarms["folder"].faces == 2
    every = report.all_false_alarms
    assert (every.alarmed, every.faces) == (every.pictures, 2 * every.pictures)


def test_spread_of_the_reference_is_told_in_percent() -> None:
    # A face in the middle of the picture is its own mirror image, but that the points lean by 4 pixels.
    points = np.array([[109, 110], [149, 110], [129, 130], [114, 150], [144, 150]], np.float32)
    leaning = Face(Box(85, 80, 80, 100), points, 0.9)
    trial = DetectionTrial(blind, seeing(leaning), threshold=0.6, views=2)
    spread = run_trial(trial, [lambda: PICTURE], generated=0).reference_spread
    assert spread == pytest.approx(100 * 2 * 4.5 / 40)


def test_faint_reference_face_is_no_truth() -> None:
    trial = DetectionTrial(seeing(face()), seeing(face(score=0.4)), threshold=0.6)
    with pytest.raises(EvaluationError, match="no face in any photograph"):
        run_trial(trial, [lambda: PICTURE], generated=0)


def test_progress_reaches_the_end() -> None:
    seen: list[tuple[int, int]] = []
    trial = DetectionTrial(blind, seeing(face()), threshold=0.6)
    run_trial(trial, [lambda: PICTURE], generated=3, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_a_file_that_is_no_picture_counts_nowhere() -> None:
    def unreadable() -> Image:
        raise EvaluationError("x.jpg: not a picture")

    trial = DetectionTrial(seeing(face()), seeing(face()), threshold=0.6, views=1)
    report = run_trial(trial, [lambda: PICTURE, unreadable], generated=0, faceless=[unreadable])
    assert (report.photographs, report.findings["photograph"].faces) == (1, 1)
    assert report.unreadable == ("x.jpg: not a picture",) * 2
