"""One pass over photographs."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from edged.errors import EvaluationError
from edged.evaluation.embedding import embed_photographs, read_image
from edged.evaluation.views import looks
from tests.unit.evaluation.conftest import GREY_FACES


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, (left, right) in {"a": (200, 100), "b": (50, 10), "black": (0, 0)}.items():
        picture = np.full((100, 100, 3), left, np.uint8)
        picture[:, 50:] = right
        cv2.imwrite(str(tmp_path / f"{name}.png"), picture)
    (tmp_path / "text.png").write_text("no picture")
    return tmp_path


def test_what_is_no_picture_is_told_and_the_rest_goes_on(folder: Path) -> None:
    names = ["a.png", "b.png", "black.png", "text.png", "missing.png"]
    found = embed_photographs(GREY_FACES, folder, names)
    assert found.names == ("a.png", "b.png")
    assert found.without_face == ("black.png",)
    assert found.unreadable["text.png"] == "not a picture"
    assert found.unreadable["missing.png"].startswith("cannot be read")
    assert found.refused == {"b.png": "too_dark"}
    assert found.shortfalls == {"too_dark": 1}
    assert found.face_rate == pytest.approx(2 / 3)


def test_a_folder_without_any_picture_is_refused(folder: Path) -> None:
    with pytest.raises(EvaluationError, match=r"none of 1 files is a picture; text.png: not a picture"):
        embed_photographs(GREY_FACES, folder, ["text.png"])
    with pytest.raises(EvaluationError, match="none was named"):
        embed_photographs(GREY_FACES, folder, [])


def test_below_the_floor_is_as_good_as_no_face(folder: Path) -> None:
    found = embed_photographs(GREY_FACES, folder, ["a.png", "b.png", "black.png"], mirrors=True).above_floor()
    assert (found.names, found.without_face) == (("a.png",), ("b.png", "black.png"))
    assert (len(found.vectors), len(found.qualities), found.rows) == (1, 1, {"a.png": 0})
    assert found.mirrors is not None
    assert len(found.mirrors) == 1


def test_mirrored_vectors_are_the_mean_of_both_images(folder: Path) -> None:
    found = embed_photographs(GREY_FACES, folder, ["a.png", "b.png"], mirrors=True)
    assert found.mirrored().vectors == pytest.approx(np.full((2, 2), np.sqrt(0.5)), abs=1e-6)
    assert found.vectors[0] == pytest.approx(np.array([2, 1]) / np.sqrt(5), abs=1e-6)
    with pytest.raises(EvaluationError, match="not embedded"):
        embed_photographs(GREY_FACES, folder, ["a.png"]).mirrored()


def test_looks_at_a_photograph_differ_a_little(folder: Path) -> None:
    seen = looks(GREY_FACES, folder, ["a.png", "b.png", "black.png", "text.png"], 4)
    assert set(seen) == {"a.png", "b.png", "black.png"}
    assert seen["black.png"] == (None,) * 4
    own = [one for one in seen["a.png"] if one is not None]
    assert len(own) == 4
    assert own[0].vector == pytest.approx(np.array([2, 1]) / np.sqrt(5), abs=1e-6)
    cosines = [float(own[0].vector @ one.vector) for one in own[1:]]
    assert all(0.99 < cosine < 1 for cosine in cosines)
    assert {one.shortfall for one in own} == {None}
    assert {one.shortfall for one in seen["b.png"] if one} == {"too_dark"}
    again = [one.vector.tolist() for one in looks(GREY_FACES, folder, ["a.png"], 4)["a.png"] if one]
    assert again == [one.vector.tolist() for one in own]


@pytest.mark.parametrize("name", ["a\0.jpg", "x" * 5000])
def test_a_path_that_is_none_is_no_picture(tmp_path: Path, name: str) -> None:
    with pytest.raises(EvaluationError):
        read_image(tmp_path / name)
