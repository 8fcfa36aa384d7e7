"""The replay knows its own frames."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from edged.demo.reel import FPS, Reel, record
from edged.demo.stage import Appearance, Role
from edged.devices.camera_file import read_picture
from edged.domain.types import Image


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Reel]:
    """Two visits, each of a picture of noise."""
    folder = tmp_path_factory.mktemp("reel")
    (folder / "scene").mkdir()
    (folder / "scene" / "old.jpg").write_text("of an earlier show")
    visits = []
    for seed, role in enumerate((Role.ENROLLED, Role.STRANGER)):
        photo = folder / f"{seed}.png"
        noise = np.random.default_rng(seed).integers(0, 255, (20, 20, 3), dtype=np.uint8)
        cv2.imwrite(str(photo), cv2.resize(noise, (200, 200)))
        visits.append(Appearance(role, str(seed), (photo,)))
    return folder / "scene", record(visits, folder / "scene")


def frames(folder: Path) -> list[Image]:
    pictures = [read_picture(path) for path in sorted(folder.iterdir())]
    return [picture for picture in pictures if picture is not None]


def test_every_frame_is_known_by_its_pixels_in_the_order_of_the_visits(shown: tuple[Path, Reel]) -> None:
    folder, reel = shown
    numbers = [reel.visit_of(frame) for frame in frames(folder)]
    assert numbers == sorted(numbers, key=lambda number: -1 if number is None else number)
    assert set(numbers) == {0, 1}
    assert reel.seconds == len(numbers) / FPS


def test_no_two_frames_are_equal(shown: tuple[Path, Reel]) -> None:
    folder, reel = shown
    assert len(reel.visits) == len(list(folder.iterdir()))


def test_any_other_picture_belongs_to_no_visit(shown: tuple[Path, Reel]) -> None:
    folder, reel = shown
    assert reel.visit_of(frames(folder)[0] ^ 1) is None
    assert reel.visit_of(np.zeros((480, 640, 3), np.uint8)) is None


def test_an_earlier_show_is_gone(shown: tuple[Path, Reel]) -> None:
    assert not (shown[0] / "old.jpg").exists()
