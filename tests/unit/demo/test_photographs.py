"""The visitor's own photographs, good ones and others."""

from pathlib import Path

import pytest

from edged.demo.photographs import digest, people_in
from edged.enrolment.checks import PhotoCheck
from edged.errors import NotFoundError
from tests.unit.enrolment.scene import Square, SquarePipeline, photo


class Told:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def __call__(self, topic: str, text: str) -> None:
        self.lines.append(f"{topic}: {text}")

    def about(self, word: str) -> list[str]:
        return [line for line in self.lines if word in line]


@pytest.fixture
def told() -> Told:
    return Told()


def survey(folder: Path, told: Told) -> dict[str, list[str]]:
    found = people_in(folder, PhotoCheck(SquarePipeline(), digest), told)
    return {name: [path.name for path in paths] for name, paths in found.items()}


def test_good_photographs_are_taken_without_a_word(tmp_path: Path, told: Told) -> None:
    for number in range(3):
        photo(tmp_path / "Ada_Byron" / f"{number}.png", Square(1, number))
    photo(tmp_path / "Zoe" / "one.png", Square(2))
    assert survey(tmp_path, told) == {"Ada Byron": ["0.png", "1.png", "2.png"], "Zoe": ["one.png"]}
    assert told.lines == []


def test_what_is_no_photograph_is_named_and_passed_over(tmp_path: Path, told: Told) -> None:
    photo(tmp_path / "Ada" / "a.png", Square(1))
    photo(tmp_path / "Ada" / "b.png", Square(1, 1))
    (tmp_path / "Ada" / "letter.txt").write_text("dear Ada")
    (tmp_path / "Ada" / "torn.jpg").write_bytes(b"\xff\xd8\xff\xe0 torn")
    (tmp_path / "Ada" / ".hidden").write_text("")
    assert survey(tmp_path, told) == {"Ada": ["a.png", "b.png"]}
    assert "not a picture" in told.about("letter.txt")[0]
    assert told.about("torn.jpg")
    assert not told.about(".hidden")
    assert told.about("2 of 4 photographs are used")


def test_a_photograph_without_a_face_is_named(tmp_path: Path, told: Told) -> None:
    photo(tmp_path / "Ada" / "a.png", Square(1))
    photo(tmp_path / "Ada" / "wall.png")
    assert survey(tmp_path, told) == {"Ada": ["a.png"]}
    assert "no face" in told.about("wall.png")[0]
    assert told.about("too few to enrol: a stranger")


def test_somebody_without_any_usable_photograph_takes_no_part(tmp_path: Path, told: Told) -> None:
    photo(tmp_path / "Ada" / "a.png", Square(1))
    photo(tmp_path / "Wall" / "wall.png")
    assert list(survey(tmp_path, told)) == ["Ada"]
    assert told.about("nobody of this name takes part")


def test_pictures_beside_the_folders_and_empty_folders_are_told(tmp_path: Path, told: Told) -> None:
    photo(tmp_path / "Ada" / "a.png", Square(1))
    photo(tmp_path / "stray.png", Square(1))
    (tmp_path / "Nobody").mkdir()
    survey(tmp_path, told)
    assert told.about("stray.png: not in the folder of a person")
    assert told.about("Nobody: an empty folder")


def test_of_a_crowd_those_with_most_photographs_take_part(tmp_path: Path, told: Told) -> None:
    for who in range(1, 16):
        for number in range(2 if who > 3 else 1):
            photo(tmp_path / f"P{who:02d}" / f"{number}.png", Square(who, number))
    assert list(survey(tmp_path, told)) == [f"P{who:02d}" for who in range(4, 16)]
    assert told.about("15 people")


@pytest.mark.parametrize("what", ["missing", "file", "empty", "only stray files", "no usable photograph"])
def test_a_folder_of_no_use_is_refused_with_what_was_expected(tmp_path: Path, told: Told, what: str) -> None:
    folder = tmp_path / "photos"
    if what == "file":
        folder.write_text("")
    elif what != "missing":
        folder.mkdir()
    if what == "only stray files":
        photo(folder / "stray.png", Square(1))
    if what == "no usable photograph":
        photo(folder / "Wall" / "wall.png")
    with pytest.raises(NotFoundError, match="photograph"):
        survey(folder, told)
