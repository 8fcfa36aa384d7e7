"""Whether the door did what it is for."""

from pathlib import Path

import pytest

from edged.demo.stage import Appearance, Role
from edged.demo.tally import Tally, Verdict
from edged.domain.types import Outcome

ADA = Appearance(Role.ENROLLED, "Ada", (Path("ada.jpg"),))
STRANGER = Appearance(Role.STRANGER, "stranger A", (Path("x.jpg"),))
PRINT = Appearance(Role.PRINT, "Ada", (Path("x.jpg"),), Path("ada.jpg"))


def granted(person: str) -> Verdict:
    return Verdict(Outcome.GRANT, "matched", person)


def denied(reason: str = "unknown") -> Verdict:
    return Verdict(Outcome.DENY, reason, None)


@pytest.fixture
def tally() -> Tally:
    """Track 1 is Ada's, 2 the stranger's, 3 and 4 are seen while the print is held up."""
    tally = Tally([ADA, STRANGER, PRINT])
    for track, visit in ((1, 0), (2, 1), (3, 2), (4, 2)):
        tally.saw(track, visit)
    return tally


def test_a_visit_is_announced_once() -> None:
    tally = Tally([ADA, STRANGER])
    assert tally.saw(1, 0) is ADA
    assert tally.saw(1, 0) is None
    assert tally.saw(2, 0) is None
    assert tally.saw(3, 1) is STRANGER
    assert tally.saw(4, None) is None


def test_a_door_that_does_its_work(tally: Tally) -> None:
    tally.decided(1, granted("Ada"))
    tally.decided(2, denied())
    tally.decided(3, denied())
    assert (tally.recognised, tally.enrolled, tally.granted) == (1, 1, 1)
    assert tally.denied == {"unknown": 2}
    assert tally.problems == tally.mistakes == []


def test_somebody_denied_first_and_let_in_later_was_recognised(tally: Tally) -> None:
    tally.decided(1, denied("low_quality"))
    tally.decided(1, granted("Ada"))
    assert tally.problems == []


def test_an_enrolled_person_who_stays_outside_is_a_problem(tally: Tally) -> None:
    tally.decided(1, denied("ambiguous"))
    assert tally.problems == ["Ada is enrolled and was not let in"]


@pytest.mark.parametrize("track", [1, 2, 3, 99])
def test_whoever_is_let_in_as_somebody_else_is_a_mistake(tally: Tally, track: int) -> None:
    tally.decided(track, granted("Ben"))
    assert len(tally.mistakes) == 1
    assert "let in as Ben" in tally.mistakes[0]
    assert tally.mistakes[0] in tally.problems


def test_a_stranger_let_in_as_anybody_is_a_mistake(tally: Tally) -> None:
    tally.decided(2, granted("stranger A"))
    assert len(tally.mistakes) == 1


def test_a_print_taken_for_the_person_is_told_apart_from_mistakes(tally: Tally) -> None:
    tally.decided(4, granted("Ada"))
    tally.decided(3, denied())  # whoever holds it
    assert tally.mistakes == []
    assert tally.prints == [granted("Ada")]
    assert tally.as_json()["printed_photographs_let_in"] == 1


def test_a_print_that_stays_outside_and_one_that_nobody_noticed(tally: Tally) -> None:
    tally.decided(3, denied())
    assert tally.prints == [denied()]
    assert Tally([PRINT]).prints == [None]


def test_an_early_end_excuses_who_had_not_come_and_who_was_just_there() -> None:
    others = [Appearance(Role.ENROLLED, name, (Path(f"{name}.jpg"),)) for name in ("Cid", "Ben")]
    tally = Tally([ADA, *others])
    tally.saw(1, 0)
    tally.saw(2, 1)
    tally.cut_short = True
    assert tally.problems == ["Ada is enrolled and was not let in"]
    tally.cut_short = False
    assert "Cid is enrolled and was not let in" in tally.problems
    assert "Ben is enrolled and was not let in: no face was seen near enough" in tally.problems


def test_without_a_programme_decisions_are_only_counted() -> None:
    tally = Tally([])
    assert tally.decided(1, granted("Ada")) is None
    assert tally.decided(2, denied()) is None
    assert (tally.granted, tally.denied, tally.problems) == (1, {"unknown": 1}, [])
