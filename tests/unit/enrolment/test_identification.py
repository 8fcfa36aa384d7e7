import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from edged.domain.access import AccessRules, OpenPeriod
from edged.domain.calibration import Threshold, threshold_for
from edged.domain.gallery import build_snapshot, empty_snapshot
from edged.domain.lookalikes import Bar
from edged.domain.people import Person, Template
from edged.domain.risk import Risk
from edged.domain.types import Reason
from edged.enrolment.identification import Identification, Identifier, Verdict
from edged.enrolment.sources import FilePhoto, FramePhoto
from edged.errors import EnrolmentError
from tests.unit.enrolment.scene import (
    CALIBRATION,
    DIMENSION,
    LOOK_ALIKE,
    SPACE,
    STRAIGHT,
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
THRESHOLD = threshold_for(CALIBRATION, 2, Risk(1e-3))


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
    (one,) = answers(Square(1), threshold=threshold_for((), 2, Risk(1e-3)))
    assert one.verdict is Verdict.UNKNOWN


def test_a_poor_face_is_told_and_not_matched() -> None:
    (one,) = answers(Square(1, red=2))
    assert (one.verdict, one.reason, one.match) == (Verdict.UNUSABLE, "blurred", None)
    assert (one.as_json()["quality"], one.as_json()["flaw"]) == (0.1, "blurred")


def test_a_face_is_told_with_its_quality_and_what_it_suffers_from() -> None:
    turned, straight = answers(Square(1, red=STRAIGHT + 20), Square(7))
    assert (turned.as_json()["quality"], turned.as_json()["flaw"]) == (0.9, "extreme_pose")
    assert (straight.as_json()["quality"], straight.as_json()["flaw"]) == (0.9, None)
    (none,) = answers()
    assert (none.as_json()["quality"], none.as_json()["flaw"]) == (None, None)


def test_a_photograph_without_a_face_and_none_at_all_are_told(tmp_path: Path) -> None:
    assert [one.reason for one in answers()] == ["no_face"]
    identifier = Identifier(SquarePipeline(), SNAPSHOT, THRESHOLD, 0.06)
    (one,) = identifier.identify(FilePhoto(tmp_path / "missing.jpg"))
    assert one.reason == "not_found"


def test_an_empty_gallery_knows_nobody() -> None:
    identifier = Identifier(SquarePipeline(), empty_snapshot(SPACE, DIMENSION), THRESHOLD, 0.06)
    (one,) = identifier.identify(FramePhoto("frame", picture(Square(1))))
    assert (one.verdict, one.nearest) == (Verdict.UNKNOWN, None)


def test_who_is_known_but_may_not_enter_is_told_with_the_reason() -> None:
    night = datetime(2026, 5, 4, 3, 0, tzinfo=UTC)
    day = OpenPeriod(frozenset(range(7)), 8 * 60, 18 * 60)
    rules = AccessRules({"day": (day,)}, {"staff": ("day",), "guard": ()})
    people = [
        replace(PEOPLE[0], groups=frozenset({"staff"})),
        replace(PEOPLE[1], groups=frozenset({"guard"})),
    ]
    templates = [Template(f"t-{who}", f"p-{who}", SPACE, vector_of(who, 0), 0.9, b"") for who in (1, 2)]
    snapshot = build_snapshot(SPACE, DIMENSION, 1, people, templates)

    def asked(at: datetime, *squares: Square) -> list[Reason | None]:
        identifier = Identifier(
            SquarePipeline(), snapshot, THRESHOLD, 0.06, refusal=lambda person: rules.refusal(person, at)
        )
        found = list(identifier.identify(FramePhoto("frame", picture(*squares))))
        assert [one.as_json()["would_be_refused"] for one in found] == [one.refusal for one in found]
        return [one.refusal for one in found]

    assert asked(night, Square(1), Square(2), Square(7)) == [Reason.OUTSIDE_SCHEDULE, Reason.DISABLED, None]
    assert asked(night.replace(hour=9), Square(1)) == [None]


def test_where_nobody_can_be_compared_it_is_said() -> None:
    def made(space: str) -> Identifier:
        templates = [
            Template("t-1", "p-1", SPACE, vector_of(1, 0), 0.9, b""),
            Template("t-2", "p-2", space, vector_of(2, 0), 0.9, b""),
        ]
        snapshot = build_snapshot(SPACE, DIMENSION, 1, PEOPLE, templates)
        return Identifier(SquarePipeline(), snapshot, THRESHOLD, 0.06)

    assert made(SPACE).gap() is None
    assert str(made("other/1").gap()).startswith(
        f"1 of 2 people have no template of this model (space {SPACE})"
    )
    for snapshot, told in (
        (build_snapshot(SPACE, DIMENSION, 1, PEOPLE, []), "2 of 2 people"),
        (empty_snapshot(SPACE, DIMENSION), "nobody is enrolled"),
    ):
        with pytest.raises(EnrolmentError, match=told) as caught:
            Identifier(SquarePipeline(), snapshot, THRESHOLD, 0.06).gap()
        assert caught.value.reason == "nobody_to_compare"


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
