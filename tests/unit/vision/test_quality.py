"""Quality of a face, and what it falls short of."""

import math
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edged.config.sections import QualityConfig
from edged.domain.challenge import TURNED
from edged.domain.types import Box, Face, FloatArray, Image, Quality
from edged.vision.quality import _shares, assess, pose, shortfall
from tests.unit.vision.conftest import ARCFACE

LIMITS = QualityConfig()
TEMPLATE = np.array(ARCFACE, np.float32)

# A head in eye distances, x right, y down, z towards the camera; the nose stands 0.55 out.
HEAD = np.array([[-0.5, 0, 0], [0.5, 0, 0], [0, 0.57, 0.55], [-0.4, 1.15, 0], [0.4, 1.15, 0]])
HEAD_ON = (HEAD[:, :2] * 35 + (56, 52)).astype(np.float32)


def turned(yaw: float, pitch: float, roll: float, scale: float = 80) -> FloatArray:
    """The head's five points as a distant camera sees it, turned by degrees."""
    y, p, r = (math.radians(angle) for angle in (yaw, pitch, roll))
    about_y = np.array([[math.cos(y), 0, math.sin(y)], [0, 1, 0], [-math.sin(y), 0, math.cos(y)]])
    about_x = np.array([[1, 0, 0], [0, math.cos(p), -math.sin(p)], [0, math.sin(p), math.cos(p)]])
    about_z = np.array([[math.cos(r), -math.sin(r), 0], [math.sin(r), math.cos(r), 0], [0, 0, 1]])
    return ((HEAD @ (about_z @ about_x @ about_y).T)[:, :2] * scale + 200).astype(np.float32)


@pytest.mark.parametrize("yaw", [-60, -30, 0, 30, 60])
@pytest.mark.parametrize("roll", [-40, 0, 100])
def test_yaw_of_a_turned_head_is_found(yaw: float, roll: float) -> None:
    assert pose(turned(yaw, 0, roll), HEAD_ON) == pytest.approx((yaw, 0, roll), abs=1)


def pictured(points: FloatArray, yaw: float, pitch: float, roll: float, distance: float) -> FloatArray:
    """(N, 3) points of a sheet as a camera sees them from ``distance`` eye distances, swung by degrees."""
    y, p, r = (math.radians(angle) for angle in (yaw, pitch, roll))
    about_y = np.array([[math.cos(y), 0, math.sin(y)], [0, 1, 0], [-math.sin(y), 0, math.cos(y)]])
    about_x = np.array([[1, 0, 0], [0, math.cos(p), -math.sin(p)], [0, math.sin(p), math.cos(p)]])
    about_z = np.array([[math.cos(r), -math.sin(r), 0], [math.sin(r), math.cos(r), 0], [0, 0, 1]])
    x, y_, z = (points @ (about_z @ about_x @ about_y).T).T
    return np.asarray(np.stack([x, y_], axis=1) * (800 / (distance - z))[:, None] + 200, np.float32)


# What a challenge takes for a turned head (``domain.challenge``): no picture of a straight one may come near.
FLAT = HEAD * (1, 1, 0) - (0, 0.57, 0)


@pytest.mark.parametrize("swung", [-60, -40, -20, 20, 40, 60])
@pytest.mark.parametrize("tilted", [-40, 0, 40])
@pytest.mark.parametrize("roll", [-30, 0, 30])
def test_a_flat_picture_that_is_swung_does_not_turn_its_head(
    swung: float, tilted: float, roll: float
) -> None:
    # A life-size print, as near as half a metre.
    yaw, _, _ = pose(pictured(FLAT, swung, tilted, roll, distance=8), HEAD_ON)
    assert abs(yaw) < TURNED / 2


@pytest.mark.parametrize("angle", [30, 60])
def test_nor_does_one_that_is_folded_down_the_nose(angle: float) -> None:
    one = FLAT.copy()
    right, fold = one[:, 0] > 0, math.radians(angle)
    one[right, 2] = -one[right, 0] * math.sin(fold)
    one[right, 0] *= math.cos(fold)
    assert abs(pose(pictured(one, 0, 0, 0, distance=8), HEAD_ON)[0]) < TURNED


@pytest.mark.parametrize("pitch", [-50, -20, 0, 20, 50])
@pytest.mark.parametrize("roll", [-40, 0, 100])
def test_pitch_of_a_turned_head_is_found(pitch: float, roll: float) -> None:
    assert pose(turned(0, pitch, roll), HEAD_ON) == pytest.approx((0, pitch, roll), abs=1)


def test_yaw_and_pitch_together_are_roughly_right() -> None:
    yaw, pitch, _ = pose(turned(20, 15, 0), HEAD_ON)
    assert (yaw, pitch) == pytest.approx((20, 15), abs=6)


def test_the_template_itself_is_head_on() -> None:
    assert pose(TEMPLATE, TEMPLATE)[1] == pytest.approx(0, abs=0.01)
    assert abs(pose(TEMPLATE, TEMPLATE)[0]) < 3


@given(st.lists(st.floats(-500, 500, width=32), min_size=10, max_size=10))
def test_any_finite_landmarks_give_angles(numbers: list[float]) -> None:
    for angle in pose(np.array(numbers, np.float32).reshape(5, 2), TEMPLATE):
        assert -180 <= angle <= 180


def textured(level: float = 120, contrast: float = 20) -> Image:
    noise = np.random.default_rng(5).normal(0, contrast, (112, 112, 3))
    return np.clip(cv2.blur(noise, (2, 2)) + level, 0, 255).astype(np.uint8)


def measured(aligned: Image, *, width: float = 150, landmarks: FloatArray | None = None) -> Quality:
    points = turned(0, 0, 0) if landmarks is None else landmarks
    face = Face(Box(0, 0, width, width), points, 0.9)
    return assess(face, aligned, LIMITS, template=HEAD_ON)


def test_a_good_face_has_no_shortfall() -> None:
    quality = measured(textured())
    assert shortfall(quality, LIMITS) is None
    assert quality.score > 0.8
    assert (quality.face_px, quality.eye_px) == pytest.approx((150, 80))
    assert quality.brightness == pytest.approx(120, abs=2)


@pytest.mark.parametrize(
    ("aligned", "width", "landmarks", "reason"),
    [
        (textured(), 30, None, "too_small"),
        (textured(), 150, turned(0, 0, 0, scale=10), "too_small"),
        (cv2.GaussianBlur(textured(), (0, 0), 4), 150, None, "blurred"),
        (textured(level=15), 150, None, "too_dark"),
        (textured(level=250), 150, None, "too_bright"),
        (textured(), 150, turned(60, 0, 0), "extreme_pose"),
        (textured(), 150, turned(0, -60, 0), "extreme_pose"),
        (textured(), 150, turned(0, 0, 80), "extreme_pose"),
    ],
)
def test_each_fault_has_its_reason(
    aligned: Image, width: float, landmarks: FloatArray | None, reason: str
) -> None:
    quality = measured(aligned, width=width, landmarks=landmarks)
    assert shortfall(quality, LIMITS) == quality.flaw == reason
    assert quality.score < 1


@given(
    st.floats(1, 500), st.floats(0, 250), st.floats(0, 2000), st.floats(0, 255),
    st.floats(-180, 180), st.floats(-180, 180), st.floats(-180, 180),
)  # fmt: skip
def test_a_face_falls_short_exactly_when_it_breaks_a_limit(  # noqa: PLR0917 - hypothesis fills them in
    face_px: float, eye_px: float, sharpness: float, brightness: float, yaw: float, pitch: float, roll: float
) -> None:
    quality = Quality(0, face_px, eye_px, sharpness, brightness, yaw, pitch, roll)
    within = (
        face_px >= LIMITS.min_face_px
        and eye_px >= LIMITS.min_eye_px
        and sharpness >= LIMITS.min_sharpness
        and LIMITS.min_brightness <= brightness <= LIMITS.max_brightness
        and abs(yaw) <= LIMITS.max_yaw_degrees
        and abs(pitch) <= LIMITS.max_pitch_degrees
        and abs(roll) <= LIMITS.max_roll_degrees
    )
    assert (shortfall(quality, LIMITS) is None) == within


@pytest.mark.parametrize("part", ["face_px", "eye_px", "sharpness", "brightness", "yaw", "pitch", "roll"])
def test_a_measurement_that_is_no_number_falls_short(part: str) -> None:
    quality = replace(Quality(0, 100, 50, 100, 120, 0, 0, 0), **{part: math.nan})
    assert shortfall(quality, LIMITS) is not None


GOOD = Quality(0, 150, 70, 300, 120, 0, 0, 0)


@pytest.mark.parametrize(
    ("part", "worse"),
    [
        ("face_px", [90, 50, 30, 10, 0]),
        ("eye_px", [40, 20, 12, 5, 0]),
        ("sharpness", [200, 60, 20, 8, 0]),
        ("brightness", [100, 60, 30, 10, 0]),
        ("brightness", [140, 185, 210, 230, 255]),
        ("yaw", [0, -30, 40, -60, 100]),
        ("pitch", [0, 10, -20, 45, -80]),
        ("roll", [0, 20, -40, 80, 170]),
    ],
)
def test_the_worse_a_part_the_less_of_the_likeness_is_left(part: str, worse: list[float]) -> None:
    left = [left_by(replace(GOOD, **{part: value})) for value in worse]
    assert left == sorted(left, reverse=True)
    assert left[0] == 1
    assert 0 <= left[-1] < 0.4


def left_by(quality: Quality) -> float:
    return min(share for _, share in _shares(quality))


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=7, max_size=7))
def test_whatever_was_measured_is_a_share(numbers: list[float]) -> None:
    assert all(0 <= share <= 1 for _, share in _shares(Quality(0, *numbers)))


@pytest.mark.parametrize("part", ["face_px", "eye_px", "sharpness", "brightness", "yaw", "pitch", "roll"])
def test_a_measurement_that_is_no_number_is_worth_nothing(part: str) -> None:
    assert left_by(replace(GOOD, **{part: math.nan})) == 0


def test_a_missed_limit_is_named_before_the_weakest_part() -> None:
    # A strict site refuses what costs nothing, and the score still says that it costs nothing.
    strict = QualityConfig(min_face_px=200)
    face = Face(Box(0, 0, 150, 150), turned(0, 0, 0), 0.9)
    quality = assess(face, textured(), strict, template=HEAD_ON)
    assert (quality.flaw, shortfall(quality, strict)) == ("too_small", "too_small")
    assert quality.score > 0.9


def test_limits_of_zero_ask_for_nothing() -> None:
    lax = QualityConfig(min_sharpness=0, min_brightness=0, max_brightness=255)
    quality = Quality(0, 100, 50, 0, 255, 0, 0, 0)
    assert shortfall(quality, lax) is None
