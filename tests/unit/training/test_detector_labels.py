from pathlib import Path

import detector_labels
import numpy as np
import pytest
from detector_labels import MIRRORED, label

from edged.domain.types import Box, Face, Image

PICTURE = np.zeros((100, 100, 3), np.uint8)
# The teachers see the picture with a border of a quarter around it.
BORDER = 25
POINTS = np.array([[65, 65], [85, 66], [75, 77], [67, 88], [83, 89]], np.float32)


def face(x: float = 55, score: float = 0.9, shift: float = 0.0) -> Face:
    return Face(Box(x, 55, 40, 50), POINTS + np.float32([shift, 0]), score)


def mirrored(one: Face) -> Face:
    points = one.landmarks[list(MIRRORED)].copy()
    points[:, 0] = 149 - points[:, 0]
    return Face(
        Box(149 - one.box.x - one.box.width, one.box.y, one.box.width, one.box.height), points, one.score
    )


class Teacher:
    """Says one thing of the picture and another of its mirror image, which comes second."""

    def __init__(self, *answers: list[Face]) -> None:
        self._answers = list(answers)

    def __call__(self, _image: Image) -> list[Face]:
        return self._answers.pop(0)


def test_face_of_both_teachers_is_sure_and_the_mean_of_both_views() -> None:
    first = Teacher([face(54)], [mirrored(face(56, shift=2))])
    ((box, points, sure),) = label(PICTURE, first, Teacher([face(57, 0.5)]))
    assert sure
    assert box == pytest.approx([55 - BORDER, 55 - BORDER, 40, 50])
    assert points == pytest.approx(POINTS + np.array([1, 0]) - BORDER)


@pytest.mark.parametrize(
    ("seen", "other"),
    [([face()], []), ([], [face()]), ([face(score=0.4)], [face()]), ([face()], [face(score=0.3)])],
)
def test_face_of_one_teacher_is_doubtful(seen: list[Face], other: list[Face]) -> None:
    first = Teacher(seen, [mirrored(one) for one in seen])
    assert [sure for _, _, sure in label(PICTURE, first, Teacher(other))] == [False]


def test_face_only_in_the_mirror_is_doubtful() -> None:
    ((box, _, sure),) = label(PICTURE, Teacher([], [mirrored(face())]), Teacher([]))
    assert not sure
    assert box[0] == pytest.approx(55 - BORDER)


def test_held_out_people_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for person in ("Anna", "Bert"):
        (tmp_path / person).mkdir()
        (tmp_path / person / "1.jpg").write_bytes(person.encode())
    measured = frozenset({detector_labels.name_hash("Bert")})
    monkeypatch.setattr(detector_labels, "held_out", lambda: measured)
    assert list(detector_labels.files(tmp_path, None)) == [b"Anna"]
