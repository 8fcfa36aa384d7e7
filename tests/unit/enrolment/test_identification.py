import json
from dataclasses import replace
from pathlib import Path

import pytest

from edged.domain.calibration import Threshold, threshold_for
from edged.domain.gallery import build_snapshot, empty_snapshot
from edged.domain.lookalikes import Bar
from edged.domain.people import Person, Template
from edged.enrolment.identification import Identification, Identifier, Verdict
from edged.enrolment.sources import FilePhoto, FramePhoto
from tests.unit.enrolment.scene import (
    CALIBRATION,
    DIMENSION,
    LOOK_ALIKE,
    SPACE,
    Square,
    SquarePipeline,
    picture,
    vector_of,
)

PEOPLE = [Person("p-1", "Jane"), Person("p-2", "Petra", enabled=False)]
SNAPSHOT = build_snapshot(
    SPACE,
    DIMENSION,
    1,
    PEOPLE,
    [Template(f"t-{who}", f"p-{who}", SPACE, vector_of(who, 0), 0.9, b"") for who in (1, 2)],
)
THRESHOLD = threshold_for(CALIBRATION, 2, 0.001)


def answers(*squares: Square, threshold: Threshold = THRESHOLD, margin: float = 0.06) -> list[Identification]:
    identifier = Identifier(SquarePipeline(), SNAPSHOT, threshold, margin)
    return list(identifier.identify(FramePhoto("frame", picture(*squares))))


def test_a_known_face_has_its_person_score_and_margin() -> None:
    (one,) = answers(Square(1, 3))
    assert one.verdict is Verdict.KNOWN
    assert one.person == PEOPLE[0]
    assert one.match is not None
    assert one.match.score == pytest.approx(0.9, abs=1e-3)
    assert one.match.margin == pytest.approx(0.9, abs=0.05)


def test_a_stranger_is_unknown() -> None:
    (one,) = answers(Square(7))
    assert (one.verdict, one.person) == (Verdict.UNKNOWN, None)


def test_each_face_has_a_line_from_left_to_right() -> None:
    found = answers(Square(2, 1), Square(7), Square(1, 1))
    assert [one.person and one.person.name for one in found] == ["Petra", None, "Jane"]


def test_too_close_to_the_runner_up_is_ambiguous() -> None:
    (one,) = answers(Square(1, 1), margin=0.95)
    assert one.verdict is Verdict.AMBIGUOUS
    assert one.person is None


def test_without_a_threshold_nobody_is_known() -> None:
    (one,) = answers(Square(1), threshold=threshold_for((), 2, 0.001))
    assert one.verdict is Verdict.UNKNOWN


def test_a_poor_face_is_told_and_not_matched() -> None:
    (one,) = answers(Square(1, red=2))
    assert (one.verdict, one.reason, one.match) == (Verdict.UNUSABLE, "blurred", None)


def test_a_photograph_without_a_face_and_none_at_all_are_told(tmp_path: Path) -> None:
    assert [one.reason for one in answers()] == ["no_face"]
    identifier = Identifier(SquarePipeline(), SNAPSHOT, THRESHOLD, 0.06)
    (one,) = identifier.identify(FilePhoto(tmp_path / "missing.jpg"))
    assert one.reason == "not_found"


def test_an_empty_gallery_knows_nobody() -> None:
    identifier = Identifier(SquarePipeline(), empty_snapshot(SPACE, DIMENSION), THRESHOLD, 0.06)
    (one,) = identifier.identify(FramePhoto("frame", picture(Square(1))))
    assert (one.verdict, one.nearest) == (Verdict.UNKNOWN, None)


def test_answers_are_json() -> None:
    for one in answers(Square(1), Square(LOOK_ALIKE + 9), Square(3, red=1)):
        assert json.loads(json.dumps(one.as_json()))["verdict"] == one.verdict


def test_a_raised_bar_and_a_veto_hold_here_as_at_the_door() -> None:
    picture_of_jane = FramePhoto("frame", picture(Square(1, 3)))
    barred = replace(SNAPSHOT, bars={"p-1": Bar(0.95, 0.06, 0.7)})
    (one,) = Identifier(SquarePipeline(), barred, THRESHOLD, 0.06).identify(picture_of_jane)
    assert (one.verdict, one.nearest) == (Verdict.UNKNOWN, PEOPLE[0])
    vetoed = replace(SNAPSHOT, vetoes={"p-1": vector_of(1, 3)[None]})
    (one,) = Identifier(SquarePipeline(), vetoed, THRESHOLD, 0.06).identify(picture_of_jane)
    assert (one.verdict, one.person) == (Verdict.VETOED, None)
