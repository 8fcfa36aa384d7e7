"""How usable a face is: size, sharpness, light, pose and what covers it.

The score is the share of its likeness that such a picture keeps: its expected cosine to the person's
centroid, divided by that of a good photograph of the same person. It is that of the weakest part, since parts
that go together, as darkness and blur do, are one fault and not two. ``edged eval quality`` measures what the
score is worth; the parts' curves were read from such tables (yunet and arcface-y1, 400 photographs of LFW
made worse, and all as they are). Of either half of its people score and share differ by 0.04 to 0.05 in the
mean over the bins. Movement while exposed, and a lean beyond 40 degrees, cost more than the score says.

Whether a face may be used at all is another question, answered by the configured limits (``shortfall``).
"""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from edged.config.sections import QualityConfig
from edged.domain.types import Face, FloatArray, Image, Quality
from edged.vision.coverage import cover, variance

# The nose tip stands about 35 mm before the plane of the eyes, whose centres are 63 mm apart.
_NOSE_DEPTH = 0.55
_WHITE = 255.0
# Where a part is just at its configured limit on the scale of ``_above`` and ``_within``.
_LIMIT = 0.5

Curve = tuple[tuple[float, float], ...]
# Shares of the cosine by what was measured, straight lines in between. Size, sharpness, light and leaning are
# of drawn changes; turning and nodding of photographs as they are, since a drawn turn hides no cheek.
_FACE_PX: Curve = ((0, 0), (20, 0.64), (29, 0.86), (36, 0.93), (40, 0.96), (50, 0.987), (60, 1))
_EYE_PX: Curve = ((0, 0), (9.5, 0.64), (13, 0.86), (16, 0.93), (18, 0.96), (23, 0.987), (28, 1))
_SHARPNESS: Curve = (
    (0, 0), (5, 0.12), (6, 0.27), (9, 0.57), (12, 0.73), (18, 0.86), (30, 0.94), (56, 0.98), (83, 0.995),
    (120, 1),
)  # fmt: skip
_BRIGHTNESS: Curve = (
    (0, 0), (9, 0.39), (13, 0.64), (20, 0.84), (27, 0.92), (38, 0.955), (55, 0.98), (90, 1),
    (170, 1), (191, 0.9), (209, 0.75), (218, 0.65), (240, 0.4), (255, 0.2),
)  # fmt: skip
_YAW: Curve = ((25, 1), (35, 0.955), (45, 0.86), (60, 0.67), (90, 0.3))
_PITCH: Curve = ((5, 1), (7.5, 0.985), (12.5, 0.93), (17.5, 0.9), (25, 0.85), (40, 0.7), (90, 0.2))
_ROLL: Curve = ((10, 1), (28, 0.92), (45, 0.65), (90, 0.2), (180, 0))


def assess(face: Face, aligned: Image, limits: QualityConfig, *, template: FloatArray) -> Quality:
    """Measure ``face`` and its ``aligned`` (112, 112, 3) picture.

    ``flaw`` of the result names the limit of ``limits`` that is missed worst, else the weakest part.
    ``template`` (5, 2) is what the detector's points look like head-on.
    """
    grey = np.asarray(cv2.cvtColor(aligned, cv2.COLOR_BGR2GRAY), np.uint8)
    detail = np.asarray(cv2.Laplacian(grey, cv2.CV_16S), np.int16)
    yaw, pitch, roll = pose(face.landmarks, template)
    measured = Quality(
        score=0.0,
        face_px=face.box.width,
        eye_px=face.eye_distance,
        sharpness=variance(detail),
        brightness=cv2.mean(grey)[0],
        yaw=yaw,
        pitch=pitch,
        roll=roll,
    )
    flaw, score = min((*_shares(measured), cover(aligned, grey, detail)), key=lambda part: part[1])
    named = shortfall(measured, limits) or (flaw if score < 1 else "")
    return replace(measured, score=score, flaw=named)


def shortfall(quality: Quality, limits: QualityConfig) -> str | None:
    """Name the worst part of a face below the limits, or None if it is good enough.

    One of ``too_small``, ``blurred``, ``too_dark``, ``too_bright``, ``extreme_pose``.
    """
    reason, score = min(_parts(quality, limits), key=lambda part: part[1])
    # Written so that NaN falls short.
    return None if score >= _LIMIT else reason


def pose(landmarks: FloatArray, template: FloatArray) -> tuple[float, float, float]:
    """Estimate (yaw, pitch, roll) in degrees from (5, 2) landmarks.

    Roll is the slope of the eye line, positive clockwise in the picture. The others come from where
    the nose tip stands against a flat face: it projects ``depth * tan(angle)`` beside the middle line
    (yaw, positive to the picture's right) and above its place head-on (pitch, positive chin up), depth
    in eye distances. Detectors put the nose at different heights, hence ``template`` for head-on.
    """
    eye_px, height, across, down = _nose(landmarks)
    neutral_eye_px, neutral_height, _, neutral_down = _nose(template)
    # Eyes foreshorten with yaw and the way down to the mouth with pitch, as the depth appears.
    yaw = math.atan2(across, _NOSE_DEPTH * eye_px)
    depth = _NOSE_DEPTH * neutral_eye_px / neutral_height
    pitch = math.atan2(neutral_down / neutral_height * height - down, depth * height)
    (left_x, left_y), (right_x, right_y) = landmarks[:2].tolist()
    roll = math.atan2(right_y - left_y, right_x - left_x)
    return math.degrees(yaw), math.degrees(pitch), math.degrees(roll)


def _nose(landmarks: FloatArray) -> tuple[float, float, float, float]:
    """Measure in the face's own axes, along the eyes and down from them.

    Returns the eye distance, the way from the eyes down to the mouth, and the nose tip's place: beside
    the line from between the eyes to the middle of the mouth, and below the eyes.
    """
    # Five points are too few for NumPy: numbers by themselves take a tenth of its time.
    left_eye, right_eye, nose, left_mouth, right_mouth = landmarks.tolist()
    eye_px = math.dist(left_eye, right_eye)
    along = (1.0, 0.0)
    if eye_px:
        along = ((right_eye[0] - left_eye[0]) / eye_px, (right_eye[1] - left_eye[1]) / eye_px)
    middle = ((left_eye[0] + right_eye[0]) / 2, (left_eye[1] + right_eye[1]) / 2)
    mouth = ((left_mouth[0] + right_mouth[0]) / 2, (left_mouth[1] + right_mouth[1]) / 2)
    mouth_across, height = _turned(along, middle, mouth)
    across, down = _turned(along, middle, nose)
    lean = mouth_across * (down / height) if height else 0.0
    return eye_px, height, across - lean, down


def _turned(
    along: tuple[float, float], origin: tuple[float, float], point: Sequence[float]
) -> tuple[float, float]:
    """Return where ``point`` is from ``origin``: along the unit vector ``along``, and across it."""
    x, y = point[0] - origin[0], point[1] - origin[1]
    return along[0] * x + along[1] * y, along[0] * y - along[1] * x


def _shares(quality: Quality) -> list[tuple[str, float]]:
    """Return the share of the cosine that each part leaves, under the name of its flaw."""
    return [
        ("too_small", _on(quality.face_px, _FACE_PX)),
        ("too_small", _on(quality.eye_px, _EYE_PX)),
        ("blurred", _on(quality.sharpness, _SHARPNESS)),
        (
            "too_dark" if quality.brightness < _WHITE / 2 else "too_bright",
            _on(quality.brightness, _BRIGHTNESS),
        ),
        ("extreme_pose", _on(abs(quality.yaw), _YAW)),
        ("extreme_pose", _on(abs(quality.pitch), _PITCH)),
        ("extreme_pose", _on(abs(quality.roll), _ROLL)),
    ]


def _on(value: float, curve: Curve) -> float:
    """Return where ``curve`` is at ``value``; 0 for what is no number."""
    if not math.isfinite(value):
        return 0.0
    after = bisect_right(curve, (value, math.inf))
    if after in (0, len(curve)):
        return curve[0 if after == 0 else -1][1]
    (left, low), (right, high) = curve[after - 1], curve[after]
    return low + (high - low) / (right - left) * (value - left)


def _parts(quality: Quality, limits: QualityConfig) -> list[tuple[str, float]]:
    return [
        ("too_small", _above(quality.face_px, limits.min_face_px)),
        ("too_small", _above(quality.eye_px, limits.min_eye_px)),
        ("blurred", _above(quality.sharpness, limits.min_sharpness)),
        ("too_dark", _above(quality.brightness, limits.min_brightness)),
        ("too_bright", _above(_WHITE - quality.brightness, _WHITE - limits.max_brightness)),
        ("extreme_pose", _within(quality.yaw, limits.max_yaw_degrees)),
        ("extreme_pose", _within(quality.pitch, limits.max_pitch_degrees)),
        ("extreme_pose", _within(quality.roll, limits.max_roll_degrees)),
    ]


def _above(value: float, limit: float) -> float:
    """Score a value that should not be below ``limit``: 0.5 there, 1 at twice as much; 0 asks for nothing."""
    if limit <= 0:
        return 1.0
    return min(1.0, max(0.0, value / (2 * limit)))  # in this order NaN gives 0


def _within(angle: float, limit: float) -> float:
    """Score an angle that should not exceed ``limit``: 0.5 there, 1 head-on."""
    return max(0.0, 1 - abs(angle) / (2 * limit))
