"""Who plays in the demo."""

from pathlib import Path

import pytest

from edged.demo.stage import cast, programme
from edged.errors import NotFoundError


def folder(root: Path, **people: int) -> Path:
    for name, count in people.items():
        (root / name).mkdir(parents=True)
        for number in range(count):
            (root / name / f"{number}.jpg").touch()
        (root / name / "notes.txt").touch()
    return root


def test_nobody_is_shown_with_a_photograph_that_was_enrolled(tmp_path: Path) -> None:
    actors = cast(folder(tmp_path, Ada=2, Ben=3, Cy=9, Dan=1))
    assert {actor.name: (len(actor.enrol), len(actor.show)) for actor in actors} == {
        "Ada": (1, 1), "Ben": (1, 2), "Cy": (3, 2), "Dan": (0, 1),
    }  # fmt: skip
    assert all(not set(actor.enrol) & set(actor.show) for actor in actors)


def test_the_people_with_most_photographs_play_and_single_photographs_are_strangers(tmp_path: Path) -> None:
    many = {f"Person_{number}": number + 2 for number in range(12)}
    actors = cast(folder(tmp_path, Zoe=1, Yan=1, Xia=1, **many))
    assert [actor.name for actor in actors if actor.enrol][:2] == ["Person 11", "Person 10"]
    assert len([actor for actor in actors if actor.enrol]) == 6
    assert [actor.name for actor in actors if not actor.enrol] == ["Xia", "Yan"]


def test_without_single_photographs_somebody_not_enrolled_is_the_stranger(tmp_path: Path) -> None:
    actors = cast(folder(tmp_path, **{f"P{number}": 3 for number in range(8)}))
    assert len([actor for actor in actors if not actor.enrol]) == 2
    assert len({actor.name for actor in actors}) == len(actors)


@pytest.mark.parametrize("people", [{}, {"Ada": 1}, {"Ada": 0}])
def test_a_folder_with_nobody_to_enrol_is_told(tmp_path: Path, people: dict[str, int]) -> None:
    with pytest.raises(NotFoundError, match="two photographs"):
        cast(folder(tmp_path, **people))


def test_everybody_appears_once_and_a_stranger_in_between(tmp_path: Path) -> None:
    actors = cast(folder(tmp_path, Zoe=1, Yan=1, **{f"P{number}": 4 for number in range(6)}))
    visits = programme(actors)
    assert sorted(map(str, visits)) == sorted(str(actor.show) for actor in actors)
    strangers = [
        index for index, shown in enumerate(visits) if shown in [a.show for a in actors if not a.enrol]
    ]
    assert strangers == [3, 7]
