"""What the composed pictures say about their faces is what they show."""

from pathlib import Path

import cv2
import detector_scenes as scenes
import numpy as np
import pytest
from detector_labels import Labels
from detector_light import light
from detector_occlusion import destroy, occlude
from detector_scenes import BOX, COLUMNS, IGNORED, KIND, POINTS, SIDE, SURE, WEIGHTS, Layer, Scene, Studio
from detector_textures import texture

from edged.domain.types import FloatArray, Image

SPOTS = np.array([[60, 60], [100, 60], [80, 80], [65, 100], [95, 100]], np.float32)


def row(shift: float = 0.0, kind: int = SURE) -> FloatArray:
    """A face of 80 x 100 pixels at (40, 30)."""
    face = np.zeros(COLUMNS, np.float32)
    face[BOX] = (40 + shift, 30, 80, 100)
    face[POINTS] = (SPOTS + np.array([shift, 0])).ravel()
    face[KIND] = kind
    return face


def photograph() -> Image:
    """White spots at the landmarks of ``row``, on grey."""
    image = np.full((160, 160, 3), 70, np.uint8)
    for x, y in SPOTS.astype(int):
        cv2.circle(image, (int(x), int(y)), 4, (255, 255, 255), -1)
    return image


def labels(number: int = 6) -> Labels:
    data = [cv2.imencode(".png", photograph())[1].ravel()] * number
    return Labels(
        np.concatenate(data),
        np.cumsum([0, *map(len, data)]),
        np.arange(number + 1),
        np.tile(row()[BOX], (number, 1)),
        np.tile(SPOTS, (number, 1, 1)),
        np.ones(number, np.bool_),
    )


def layer() -> Layer:
    return Layer(photograph(), row()[None])


def blank() -> Scene:
    return Scene(np.zeros((SIDE, SIDE, 3), np.uint8))


def turned(scale: float, degrees: float, at: tuple[float, float]) -> FloatArray:
    angle = np.deg2rad(degrees)
    linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.hstack([linear, (np.array(at) - linear @ (80, 80))[:, None]]).astype(np.float32)


@pytest.mark.parametrize(("scale", "degrees"), [(1.0, 0), (1.4, 30), (0.4, -25), (0.2, 10)])
def test_landmarks_are_where_they_are_shown(scale: float, degrees: float) -> None:
    scene = blank()
    scene.paste(layer(), turned(scale, degrees, (150, 140)), np.random.default_rng(1))
    (face,) = [one for one in scene.rows() if one[KIND]]
    assert face[KIND] == SURE
    for x, y in np.round(face[POINTS].reshape(5, 2)).astype(int):
        assert scene.canvas[y, x].mean() > 140


def test_box_of_a_turned_face_holds_its_oval() -> None:
    scene = blank()
    scene.paste(layer(), turned(1.0, 90, (150, 140)), np.random.default_rng(1))
    # A quarter turn exchanges the sides.
    np.testing.assert_allclose(scene.rows()[0, 2:4], (100, 80), atol=1e-3)


@pytest.mark.parametrize(("x", "kind"), [(150, SURE), (-8, IGNORED), (-70, 0)])
def test_face_across_the_border(x: float, kind: int) -> None:
    scene = blank()
    scene.paste(layer(), turned(1.0, 0, (x, 150)), np.random.default_rng(1))
    face = scene.rows()[0]
    assert face[KIND] == kind
    inside = (face[POINTS].reshape(5, 2) >= 0).all(axis=1)
    if kind:
        np.testing.assert_array_equal(face[WEIGHTS] > 0, inside)


@pytest.mark.parametrize(("away", "kinds"), [(200, [SURE, SURE]), (50, [SURE, IGNORED]), (0, [SURE])])
def test_face_behind_another_photograph(away: float, kinds: list[int]) -> None:
    scene, rng = blank(), np.random.default_rng(1)
    scene.paste(Layer(photograph(), row()[None]), turned(0.7, 0, (60, 100)), rng)
    scene.paste(Layer(photograph()[:, :120], row()[None]), turned(0.7, 0, (60 + away, 100)), rng)
    assert sorted(face[KIND] for face in scene.rows() if face[KIND]) == kinds


def test_pictures_repeat_by_seed_and_never_end_alike() -> None:
    made = [Studio(labels(), np.random.default_rng(seed)).picture() for seed in (1, 1, 2)]
    np.testing.assert_array_equal(made[0][0], made[1][0])
    np.testing.assert_array_equal(made[0][1], made[1][1])
    assert not np.array_equal(made[0][0], made[2][0])


def test_pictures_have_faces_and_some_have_none() -> None:
    studio = Studio(labels(), np.random.default_rng(3))
    rows = [studio.picture()[1] for _ in range(40)]
    counts = [int((one[:, KIND] == SURE).sum()) for one in rows]
    assert max(counts) > 3
    assert counts.count(0) >= 4
    widths = np.concatenate([one[one[:, KIND] == SURE, 2] for one in rows])
    assert widths.min() >= scenes.TINIEST
    assert widths.max() > 100


def test_pieces_for_backgrounds_hold_nothing_of_a_face() -> None:
    studio = Studio(labels(), np.random.default_rng(1))
    pieces = [piece for _ in range(20) if (piece := studio._piece()) is not None]
    assert pieces
    assert all(piece.max() == 70 for piece in pieces)


def test_shard_is_complete_when_it_appears(tmp_path: Path) -> None:
    studio = Studio(labels(), np.random.default_rng(1))
    scenes.write_shard(studio, tmp_path / "000000.npy", size=2)
    assert np.load(tmp_path / "000000.npy").shape == (2, SIDE, SIDE, 3)
    assert np.load(tmp_path / "000000.faces.npy").shape == (2, scenes.MAX_FACES, COLUMNS)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["000000.faces.npy", "000000.npy"]


def test_cover_leaves_the_original_alone_and_most_of_the_face() -> None:
    image = photograph()
    for seed in range(20):
        covered = occlude(image, row()[BOX], SPOTS, np.random.default_rng(seed), texture)
        changed = (covered != image).any(axis=-1)[30:130, 40:120].mean()
        assert changed < 0.75
    np.testing.assert_array_equal(image, photograph())


def test_destroyed_face_has_no_landmark_left() -> None:
    kept = []
    for seed in range(30):
        ruined = destroy(photograph(), row()[BOX], np.random.default_rng(seed), texture)
        kept.append(sum(bool((ruined[y, x] == 255).all()) for x, y in SPOTS.astype(int)))
    # A shuffled piece may bring another spot to the place of one; never all five.
    assert max(kept) < 4
    assert np.mean(kept) < 1


@pytest.mark.parametrize("seed", range(8))
def test_light_keeps_size_and_kind(seed: int) -> None:
    lit = light(photograph(), 30.0, np.random.default_rng(seed))
    assert lit.shape == photograph().shape
    assert lit.dtype == np.uint8


def test_every_texture_fills_its_picture() -> None:
    rng = np.random.default_rng(1)
    for _ in range(40):
        picture = texture(rng, 50, 40)
        assert picture.shape == (40, 50, 3)
        assert picture.dtype == np.uint8
