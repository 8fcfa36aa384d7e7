"""What covers a face lowers its quality and is named; it refuses nobody."""

import cv2
import numpy as np
import pytest

from edged.domain.types import Image
from edged.vision.coverage import cover as cover_of


def cover(face: Image) -> tuple[str, float]:
    grey = np.asarray(cv2.cvtColor(face, cv2.COLOR_BGR2GRAY), np.uint8)
    return cover_of(face, grey, np.asarray(cv2.Laplacian(grey, cv2.CV_16S), np.int16))


def bare(skin: int = 150) -> Image:
    """A face of few strokes where an aligned one has its parts, on noise like skin's."""
    noise = np.random.default_rng(3).normal(0, 4, (112, 112, 3))
    face = np.clip(noise + skin, 1, 255).astype(np.uint8)
    dark = (skin // 4,) * 3
    for x in (38, 74):
        cv2.ellipse(face, (x, 52), (8, 4), 0, 0, 360, dark, -1)
    cv2.ellipse(face, (56, 92), (16, 3), 0, 0, 360, dark, -1)
    cv2.line(face, (56, 60), (56, 72), dark, 1)
    return face


def glasses(face: Image) -> Image:
    cv2.rectangle(face, (22, 40), (52, 62), (12, 12, 12), -1)
    cv2.rectangle(face, (60, 40), (90, 62), (12, 12, 12), -1)
    return face


def mask(face: Image) -> Image:
    cv2.rectangle(face, (18, 78), (94, 112), (190, 160, 140), -1)
    return face


def edge(face: Image) -> Image:
    face[:, :46] = 0
    return face


@pytest.mark.parametrize("skin", [50, 100, 150, 230])
def test_a_bare_face_is_not_covered(skin: int) -> None:
    assert cover(bare(skin))[1] > 0.95


@pytest.mark.parametrize("skin", [100, 150, 230])
def test_each_cover_has_its_name_and_leaves_half_the_likeness_at_least(skin: int) -> None:
    for name, covered in (
        ("covered_eyes", glasses(bare(skin))),
        ("covered_mouth", mask(bare(skin))),
        ("cut_off", edge(bare(skin))),
    ):
        flaw, score = cover(covered)
        assert (flaw, 0.5 <= score < 0.9) == (name, True)


@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_picture_of_nothing_has_a_score(value: int) -> None:
    assert 0.5 <= cover(np.full((112, 112, 3), value, np.uint8))[1] <= 1
