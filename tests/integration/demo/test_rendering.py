"""The picture of a show."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from edged.demo.canvas import Canvas, fitted, plain, text_width
from edged.demo.moments import Mark, Moment, Portrait
from edged.demo.palette import AMBER, GREEN, RED
from edged.demo.rendering import WIDTH, Story, render, write_picture
from edged.demo.stage import Role
from edged.domain.types import Box, Decision, Face, Image, Outcome, Reason
from edged.errors import StoreError

GRANT = Decision(Outcome.GRANT, Reason.MATCHED, 1, "p-ada", 0.7, 0.6, 3)
DENY = Decision(Outcome.DENY, Reason.UNKNOWN, 2, None, 0.2, 0.0, 5)
MARKS = (
    Mark(1.0, "visit", "Ada Byron", Role.ENROLLED),
    Mark(1.3, "granted"),
    Mark(1.4, "unlocked"),
    Mark(2.9, "locked"),
    Mark(4.0, "visit", "stranger A", Role.STRANGER),
    Mark(4.5, "denied"),
)


def moment(decision: Decision, *, unlocked: bool, name: str | None = None) -> Moment:
    points = np.array([[280, 200], [340, 200], [310, 240], [290, 270], [335, 270]], np.float32)
    face = Face(Box(250, 150, 120, 160), points, 0.9)
    image = np.full((480, 640, 3), 120, np.uint8)
    return Moment(name or "stranger A", image, (Portrait(face, name, 0.7),), decision, 0.4, unlocked)


def story(*moments: tuple[Role, Moment], marks: tuple[Mark, ...] = MARKS) -> Story:
    return Story("a show", moments, marks, [("1 of 1", "enrolled people let in")])


def has(image: Image, colour: tuple[int, int, int]) -> bool:
    return bool((np.abs(image.astype(int) - colour).max(axis=2) < 4).any())


def test_granted_denied_and_print_have_their_colours() -> None:
    granted = render(story((Role.ENROLLED, moment(GRANT, unlocked=True, name="Ada")), marks=()))
    denied = render(story((Role.STRANGER, moment(DENY, unlocked=False)), marks=()))
    fooled = render(story((Role.PRINT, moment(GRANT, unlocked=True, name="Ada")), marks=()))
    assert (has(granted, GREEN), has(granted, RED)) == (True, False)
    assert (has(denied, GREEN), has(denied, RED)) == (False, True)
    assert has(fooled, AMBER)


def test_the_timeline_shows_pulses_and_decisions() -> None:
    without, with_marks = render(story(marks=())), render(story())
    assert (has(without, GREEN), has(without, RED)) == (False, False)
    assert (has(with_marks, GREEN), has(with_marks, RED)) == (True, True)


def test_all_kinds_fit_and_the_size_is_always_the_same() -> None:
    pairs = [
        (Role.PRINT, moment(GRANT, unlocked=True, name="Ada")),
        (Role.ENROLLED, moment(GRANT, unlocked=True, name="Jürgen Ōé")),
        (Role.STRANGER, moment(DENY, unlocked=False)),
    ]
    full, empty = render(story(*pairs)), render(story(marks=()))
    assert full.shape == empty.shape
    assert full.shape[1] == WIDTH


@pytest.mark.parametrize("name", ["show.png", "show.jpg"])
def test_the_picture_is_written_and_decodes(tmp_path: Path, name: str) -> None:
    write_picture(story(), tmp_path / name)
    assert cv2.imread(str(tmp_path / name)).shape[1] == WIDTH


@pytest.mark.parametrize("name", ["show", "show.txt", "no/such/folder/show.png"])
def test_a_place_that_takes_no_picture_is_told(tmp_path: Path, name: str) -> None:
    with pytest.raises(StoreError, match="show"):
        write_picture(story(), tmp_path / name)


def test_names_lose_their_accents_and_nothing_else() -> None:
    assert plain("Jürgen Ōé, 李") == "Jurgen Oe, ?"


@pytest.mark.parametrize("width", [0, 30, 80, 1000])
def test_a_text_is_cut_to_its_place(width: float) -> None:
    text = fitted("a rather long name", 10, width)
    assert text == "..." or text_width(text, 10) <= width


def test_a_picture_fills_its_place_whatever_its_shape() -> None:
    canvas = Canvas(100, 100, (0, 0, 0))
    canvas.picture(np.full((30, 200, 3), 255, np.uint8), 10, 20, 50, 40)
    drawn = canvas.finish()
    assert drawn[20:60, 10:60].min() == 255
    assert drawn.sum() == 50 * 40 * 3 * 255
