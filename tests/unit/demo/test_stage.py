"""Who plays in the demo."""

from pathlib import Path

import pytest

from edged.demo.stage import MAX_PEOPLE, Role, cast, programme
from edged.errors import NotFoundError


def photos(name: str, count: int) -> list[Path]:
    return [Path(name) / f"{number}.jpg" for number in range(count)]


def people(**counts: int) -> dict[str, list[Path]]:
    return {name: photos(name, count) for name, count in counts.items()}


def test_nobody_is_shown_with_a_photograph_that_was_enrolled() -> None:
    actors = cast(people(Ada=2, Ben=3, Cy=5, Dan=1), [])
    assert {actor.name: (len(actor.enrol), len(actor.show)) for actor in actors} == {
        "Ada": (1, 1), "Ben": (2, 1), "Cy": (3, 2), "stranger, Dan": (0, 1),
    }  # fmt: skip
    assert all(not set(actor.enrol) & set(actor.show) for actor in actors)


def test_strangers_are_added_until_there_are_two() -> None:
    spare = [photos("x", 2), photos("y", 2), photos("z", 2)]
    names = [actor.name for actor in cast(people(Ada=2, Dan=1), spare) if not actor.enrol]
    assert names == ["stranger, Dan", "stranger A"]
    own = [actor.name for actor in cast(people(Ada=2, Dan=1, Eve=1, Flo=1), spare) if not actor.enrol]
    assert own == ["stranger, Dan", "stranger, Eve", "stranger, Flo"]


def test_a_crowd_is_cut_to_what_can_be_shown() -> None:
    actors = cast(people(**{f"P{number}": 2 for number in range(40)}), [])
    assert len(actors) == MAX_PEOPLE


@pytest.mark.parametrize("counts", [{}, {"Ada": 1}, {"Ada": 0}])
def test_nobody_to_enrol_is_told(counts: dict[str, int]) -> None:
    with pytest.raises(NotFoundError, match="two usable photographs"):
        cast(people(**counts), [photos("x", 2)])


def test_everybody_appears_once_strangers_in_between_and_a_print_before_the_last_person() -> None:
    actors = cast(people(**{f"P{number}": 4 for number in range(6)}), [photos("x", 2), photos("y", 2)])
    visits = programme(actors)
    assert sorted(visit.name for visit in visits if visit.role is not Role.PRINT) == sorted(
        actor.name for actor in actors
    )
    assert [visit.role.name[0] for visit in visits] == list("EEESEEPES")


def test_a_stranger_holds_up_the_photograph_of_somebody_who_is_enrolled() -> None:
    actors = cast(people(Ada=5, Ben=5), [photos("x", 2), photos("y", 2)])
    held = next(visit for visit in programme(actors) if visit.role is Role.PRINT)
    assert held.name == "Ada"
    assert held.printed in actors[0].show
    assert held.photos == actors[-1].show
    assert "printed photograph of Ada" in held.announcement


def test_a_small_cast_has_a_programme_too() -> None:
    both = [visit.role for visit in programme(cast(people(Ada=2, Dan=1), []))]
    assert both == [Role.PRINT, Role.ENROLLED, Role.STRANGER]
    alone = [visit.role for visit in programme(cast(people(Ada=2), []))]
    assert alone == [Role.ENROLLED]  # nobody is there to hold up a print
