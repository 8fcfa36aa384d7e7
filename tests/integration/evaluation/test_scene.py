"""Replay frames: how many, how large, the same for the same seed, and a print where one is held up."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from edged.domain.types import Image
from edged.errors import EnrolmentError
from edged.evaluation.scene import FRAME_SIZE, Visit, write_scene
from edged.evaluation.scene_print import Grip, held_up, printed
from edged.evaluation.scene_visitor import figure, placed

SKIN = (90, 110, 160)
WALL = (150, 160, 170)


def portrait(side: int = 160, *, busy: bool = False) -> Image:
    """A head and shoulders of one colour before a plain wall, or before noise."""
    picture = np.full((side, side, 3), WALL, np.uint8)
    if busy:
        picture = np.random.default_rng(1).integers(0, 255, picture.shape).astype(np.uint8)
    middle = (side // 2, round(0.46 * side))
    cv2.ellipse(picture, middle, (round(0.2 * side), round(0.28 * side)), 0, 0, 360, SKIN, -1)
    cv2.ellipse(
        picture, (side // 2, side), (round(0.45 * side), round(0.25 * side)), 0, 0, 360, (60, 40, 30), -1
    )
    return picture


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    cv2.imwrite(str(path), portrait())
    return path


def frames(folder: Path) -> list[Image]:
    return [np.asarray(cv2.imread(str(path)), np.uint8) for path in sorted(folder.glob("*.jpg"))]


def test_writes_a_gap_around_every_visit(tmp_path: Path, photo: Path) -> None:
    count = write_scene([[photo], Visit([photo])], tmp_path / "scene", frames_a_visit=3, gap_frames=2)
    shown = frames(tmp_path / "scene")
    assert count == len(shown) == 2 * (2 + 3) + 2
    assert {image.shape[1::-1] for image in shown} == {FRAME_SIZE}


def test_the_same_seed_gives_the_same_frames_and_no_two_frames_are_equal(tmp_path: Path, photo: Path) -> None:
    for name in ("one", "two"):
        write_scene([Visit([photo], photo)], tmp_path / name, frames_a_visit=2, gap_frames=1, seed=7)
    one, two = (
        [path.read_bytes() for path in sorted((tmp_path / name).glob("*.jpg"))] for name in ("one", "two")
    )
    assert one == two
    assert len(set(one)) == len(one)


def test_a_visitor_comes_nearer(tmp_path: Path, photo: Path) -> None:
    write_scene([[photo]], tmp_path / "scene", frames_a_visit=4, gap_frames=1)
    empty, *visit, _ = frames(tmp_path / "scene")
    changed = [int((np.abs(image.astype(int) - empty).max(axis=2) > 60).sum()) for image in visit]
    assert changed == sorted(changed)
    assert changed[-1] > 1.3 * changed[0]


def test_a_photograph_that_does_not_decode_is_named(tmp_path: Path) -> None:
    torn = tmp_path / "torn.jpg"
    torn.write_bytes(b"\xff\xd8 no picture")
    with pytest.raises(EnrolmentError, match=r"torn\.jpg"):
        write_scene([[torn]], tmp_path / "scene")


def test_a_person_before_a_plain_wall_is_cut_out() -> None:
    cover = figure(portrait()).cover
    assert cover[72, 80] > 0.999
    assert cover[10:60, :20].max() < 0.05


def test_a_picture_without_plain_background_only_fades_at_its_edges() -> None:
    cover = figure(portrait(busy=True)).cover
    assert cover[:, 0].max() == cover[0].max() == 0.0
    assert cover[40:, 40:120].min() == 1.0


def test_a_placed_person_stands_on_the_lower_edge_and_keeps_its_colours() -> None:
    frame = np.zeros((480, 640, 3), np.uint8)
    shown = placed(frame, figure(portrait()), 0.5)
    height_of_face = 480 - round(0.54 * 0.5 * 480)
    assert np.abs(shown[height_of_face, 320].astype(int) - SKIN).max() <= 3
    assert not shown[:200].any()
    assert not frame.any()


def test_a_print_hides_what_is_behind_it_and_has_a_white_border() -> None:
    frame = np.full((480, 640, 3), 30, np.uint8)
    grip = Grip(top=0.3, height=0.5, lean=0.0, aside_px=0.0, skin=SKIN, sleeve=(40, 40, 40))
    shown = held_up(frame, printed(portrait()), grip)
    assert shown[149:152, 300:340].min() > 180  # the border at its top
    assert np.abs(shown[265, 320].astype(int) - SKIN).max() < 60
    assert (shown[:100] == 30).all()
    brightest_row = shown.max(axis=2)[300]
    assert brightest_row[:150].max() <= 30 < brightest_row[320]


def test_a_print_that_reaches_below_the_frame_darkens_nothing_above() -> None:
    frame = np.full((480, 640, 3), 200, np.uint8)
    grip = Grip(top=0.5, height=0.6, lean=0.0, aside_px=0.0, skin=SKIN, sleeve=(40, 40, 40))
    assert (held_up(frame, printed(portrait()), grip)[:180] == 200).all()


def test_hands_hold_the_print() -> None:
    frame = np.zeros((480, 640, 3), np.uint8)
    green, sheet = (0.0, 200.0, 0.0), printed(portrait())
    grip = Grip(top=0.3, height=0.5, lean=0.0, aside_px=0.0, skin=green, sleeve=(0.0, 0.0, 0.0))
    shown = held_up(frame, sheet, grip)
    where = np.argwhere((shown[..., 1] > 100) & (shown[..., 0] < 20) & (shown[..., 2] < 20))
    assert where[:, 1].min() < 240
    assert where[:, 1].max() > 400
    assert where[:, 0].min() > 240  # the lower half
