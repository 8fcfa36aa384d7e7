"""The demo's people: registration, blending, drawing, and the checks against a resemblance."""

from pathlib import Path

import corpus
import cv2
import demo_people
import figure
import numpy as np
import portraits
import pytest
import resemblance
import studio
from likeness import Survey

LANDMARKS = np.array([[160, 165], [224, 165], [192, 205], [168, 232], [216, 232]], np.float32)


def drawn_face(shift: tuple[float, float] = (0, 0), tone: int = 150) -> np.ndarray:
    """A face of discs whose features lie ``shift`` beside where the landmarks say."""
    picture = np.full((portraits.SIDE, portraits.SIDE, 3), 90, np.uint8)
    cv2.ellipse(picture, (192, 195), (72, 100), 0, 0, 360, (tone - 30, tone, tone + 40), -1, cv2.LINE_AA)
    for x, y in LANDMARKS[[0, 1, 3, 4]] + np.array(shift):
        cv2.circle(picture, (round(float(x)), round(float(y))), 9, (30, 30, 40), -1, cv2.LINE_AA)
    return cv2.GaussianBlur(picture, (0, 0), 1.0)


def layer(shift: tuple[float, float] = (0, 0), tone: int = 150) -> portraits.Layer:
    colours = drawn_face(shift, tone).astype(np.float32)
    return portraits.Layer(colours, np.ones(colours.shape[:2], np.float32), LANDMARKS)


def unit_rows(*rows: list[float]) -> np.ndarray:
    array = np.array(rows, np.float32)
    return array / np.linalg.norm(array, axis=1, keepdims=True)


def test_a_mirrored_photograph_keeps_the_order_of_its_landmarks() -> None:
    image = drawn_face()
    flipped, points = portraits.mirrored(image, LANDMARKS)
    assert points[0, 0] < points[1, 0]
    assert points[3, 0] < points[4, 0]
    again, same = portraits.mirrored(flipped, points)
    assert (again == image).all()
    assert np.allclose(same, LANDMARKS)


def test_placing_brings_the_features_to_the_target() -> None:
    target = LANDMARKS + np.array([[-3, 0], [3, 0], [0, 2], [-2, 3], [2, 3]], np.float32)
    placed = portraits.placed(drawn_face(), LANDMARKS, target)
    x, y = (round(float(v)) for v in target[0])
    dark = placed.colours[y - 12 : y + 13, x - 12 : x + 13].mean(axis=2)
    rows, columns = np.nonzero(dark < 80)
    assert abs(float(rows.mean()) - 12) < 1.5
    assert abs(float(columns.mean()) - 12) < 1.5


def test_black_corners_of_a_photograph_do_not_count_as_photographed() -> None:
    image = drawn_face()
    image[:60, :60] = 0
    cover = portraits.placed(image, LANDMARKS, LANDMARKS).cover
    assert cover[20, 20] < 0.01
    assert cover[192, 192] > 0.9


def test_registration_makes_features_coincide() -> None:
    layers = [layer((-4, 0)), layer((4, 0)), layer((0, 4))]
    shares = np.full(3, 1 / 3, np.float32)

    def spread(some: list[portraits.Layer]) -> float:
        return float(np.array([one.colours for one in some])[:, 150:245, 150:235].std(axis=0).mean())

    assert spread(portraits.registered(layers, shares)) < 0.5 * spread(layers)


def test_all_faces_get_the_same_colours() -> None:
    layers = portraits.same_light([layer(tone=110), layer(tone=180)], np.array([0.5, 0.5], np.float32))
    means = [one.colours[180:200, 180:205].mean(axis=(0, 1)) for one in layers]
    assert np.abs(means[0] - means[1]).max() < 3


def test_a_photograph_of_something_else_is_left_out_but_four_persons_stay() -> None:
    hidden = portraits.Layer(np.full_like(layer().colours, 20), layer().cover, LANDMARKS)
    layers = [layer(tone=150 + at) for at in range(5)]
    weights = np.full(6, 1.0, np.float32)
    kept, shares = portraits.agreeing([*layers, hidden], list(range(6)), weights)
    assert not any(one is hidden for one in kept)
    assert len(kept) >= 4
    assert shares.sum() == pytest.approx(1.0)


def test_a_blend_of_equal_faces_is_that_face() -> None:
    blend = portraits.blended([layer()] * 3, np.full(3, 1 / 3, np.float32))
    assert np.abs(blend - layer().colours).max() < 2


def test_a_portrait_is_drawn_the_same_way_for_the_same_seed() -> None:
    style = figure.Style((40, 50, 60), length=2.0)
    look = studio.Look((80, 60, 40), (170, 170, 170), 0.3, 1.0, 0.2, 0.9, 320, 2.0, seed=5)
    one, two = (studio.photographed(layer().colours, LANDMARKS, style, look) for _ in range(2))
    assert one.shape == (320, 320, 3)
    assert (one == two).all()


def test_a_turned_head_moves_its_nose_furthest() -> None:
    moved = demo_people.turned(LANDMARKS, 10, 0) - LANDMARKS
    assert np.allclose(moved[:2], 0)
    assert moved[2, 0] > moved[3, 0] > 0


def test_nobody_held_out_and_nobody_twice_is_in_the_cast(tmp_path: Path) -> None:
    cast = demo_people.read_cast()
    assert len({member.name for member in cast}) == len(cast)
    assert all(len(set(member.contributors)) >= 3 for member in cast)
    measured = corpus.HELD_OUT.read_text().split()[0]
    text = demo_people.CAST.read_text().replace(cast[0].contributors[0], measured)
    (tmp_path / "cast.yaml").write_text(text)
    with pytest.raises(ValueError, match="held out"):
        demo_people.read_cast(tmp_path / "cast.yaml")


def surveyed() -> Survey:
    return Survey(
        np.array(["a1", "a2", "b1", "x"]),
        np.array(["a", "a", "b", ""]),
        np.zeros((4, 5, 2), np.float32),
        np.zeros((4, 3), np.float32),
        unit_rows([1, 0, 0, 0], [1, 0.2, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1]),
    )


def test_a_demo_person_like_nobody_passes() -> None:
    made = [
        ("one", unit_rows([0.3, 0.3, 1, 0], [0.3, 0.2, 1, 0]), ["a", "b"]),
        ("two", unit_rows([0, 0, -1, 0.3], [0, 0, -1, 0.2]), ["b"]),
    ]
    checks = resemblance.check(made, surveyed())
    assert resemblance.problems(checks) == []
    assert checks[0].within > 0.9


@pytest.mark.parametrize(
    ("vectors", "part"),
    [
        ([[1, 0, 0.5, 0], [1, 0, 0.4, 0]], "contributors"),
        ([[0, 0, 0.5, 1], [0, 0, 0.4, 1]], "anybody"),
        ([[0, 0, -1, 0.3], [0, 0, -1, 0.2]], "others"),
        ([[0, 0, 1, 0], [0, 0.4, -0.2, 0]], "within"),
    ],
)
def test_a_demo_person_like_somebody_fails(vectors: list[list[float]], part: str) -> None:
    made = [
        ("one", unit_rows(*vectors), ["a"]),
        ("two", unit_rows([0, 0, -1, 0.3], [0, 0, -1, 0.2]), ["b"]),
    ]
    found = resemblance.problems(resemblance.check(made, surveyed())[:1])
    assert any(f"one: {part}" in problem for problem in found)


def test_a_cosine_that_is_no_number_is_a_problem() -> None:
    nan = float("nan")
    assert len(resemblance.problems([resemblance.Checks("one", nan, nan, nan, nan)])) == 4
