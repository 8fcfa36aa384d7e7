"""How usable a face is: size, sharpness, light and pose.

Each part has its own score: 0 hopeless, 0.5 exactly at the configured limit, 1 comfortable (twice a
lower limit; head-on for an angle). ``Quality.score`` is the smallest part, so a face falls short if
and only if its score is below 0.5. What covers a face lowers the score as well, never below 0.5, so that it
refuses nobody (``coverage``).
"""

import math
from dataclasses import replace

import cv2
import numpy as np

from edged.config.sections import QualityConfig
from edged.domain.types import QUALITY_LIMIT, Face, FloatArray, Image, Quality
from edged.vision.coverage import cover

# The nose tip stands about 35 mm before the plane of the eyes, whose centres are 63 mm apart.
_NOSE_DEPTH = 0.55
_WHITE = 255.0


def assess(face: Face, aligned: Image, limits: QualityConfig, *, template: FloatArray) -> Quality:
    """Measure ``face`` and its ``aligned`` (112, 112, 3) picture.

    ``limits`` set the scale of the score; ``template`` (5, 2) is what the detector's points look like
    head-on.
    """
    grey = cv2.cvtColor(aligned, cv2.COLOR_BGR2GRAY)
    yaw, pitch, roll = pose(face.landmarks, template)
    measured = Quality(
        score=0.0,
        face_px=face.box.width,
        eye_px=face.eye_distance,
        sharpness=float(cv2.Laplacian(grey, cv2.CV_32F).var()),
        brightness=float(grey.mean()),
        yaw=yaw,
        pitch=pitch,
        roll=roll,
    )
    flaw, score = min((*_parts(measured, limits), cover(aligned)), key=lambda part: part[1])
    return replace(measured, score=score, flaw=flaw if score < 1 else "")


def shortfall(quality: Quality, limits: QualityConfig) -> str | None:
    """Name the worst part of a face below the limits, or None if it is good enough.

    One of ``too_small``, ``blurred``, ``too_dark``, ``too_bright``, ``extreme_pose``.
    """
    reason, score = min(_parts(quality, limits), key=lambda part: part[1])
    # Written so that NaN falls short.
    return None if score >= QUALITY_LIMIT else reason


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
    eyes = landmarks[1] - landmarks[0]
    return math.degrees(yaw), math.degrees(pitch), math.degrees(math.atan2(eyes[1], eyes[0]))


def _nose(landmarks: FloatArray) -> tuple[float, float, float, float]:
    """Measure in the face's own axes, along the eyes and down from them.

    Returns the eye distance, the way from the eyes down to the mouth, and the nose tip's place: beside
    the line from between the eyes to the middle of the mouth, and below the eyes.
    """
    points = landmarks.astype(np.float64)
    eyes = points[1] - points[0]
    eye_px = float(np.linalg.norm(eyes))
    along = eyes / eye_px if eye_px else np.array([1.0, 0.0])
    axes = np.array([along, [-along[1], along[0]]])
    middle = (points[0] + points[1]) / 2
    mouth_across, height = axes @ ((points[3] + points[4]) / 2 - middle)
    across, down = axes @ (points[2] - middle)
    lean = mouth_across * (down / height) if height else 0.0
    return eye_px, float(height), float(across - lean), float(down)


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
    """Score a value that should not be below ``limit``; a limit of 0 asks for nothing."""
    if limit <= 0:
        return 1.0
    return min(1.0, max(0.0, value / (2 * limit)))  # in this order NaN gives 0


def _within(angle: float, limit: float) -> float:
    return max(0.0, 1 - abs(angle) / (2 * limit))
