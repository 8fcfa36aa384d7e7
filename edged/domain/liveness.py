"""From cues to a face, and from faces to a visit: how liveness scores become one.

Every rule here is monotone and counts what is missing as dead: a lower score, or none, never helps.
Scores are 0..1, 0.5 where a cue stands exactly at its own limit.
"""

import math
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import TypeGuard


class LivenessMode(StrEnum):
    """What liveness means at this door: asked for, told only, not measured."""

    REQUIRED = "required"
    ADVISORY = "advisory"
    OFF = "off"


class Cue(StrEnum):
    """What a score is made of; the closed set of labels in metrics.

    ``MODEL`` trained networks, ``BORDER`` the edge of paper or of a screen around the face, ``SCREEN`` the
    beat of a screen's pixels, ``PARALLAX`` a face that moves in one piece with what is beside it.
    """

    MODEL = "model"
    BORDER = "border"
    SCREEN = "screen"
    PARALLAX = "parallax"


def face_liveness(cues: Mapping[Cue, float | None]) -> float | None:
    """Return the smallest of the cues' scores: each of them may refuse, none makes up for another.

    None where a cue has no sound value, or there is no cue.
    """
    scores = [value for value in cues.values() if _sound(value)]
    return min(scores) if scores and len(scores) == len(cues) else None


def visit_liveness(recent: Sequence[float | None], whole: "RunningMean") -> float | None:
    """Return the liveness of a visit: the mean of its ``recent`` frames or of the ``whole``, the smaller.

    The mean over the whole visit keeps somebody who holds up a photograph for long from getting in by a
    few lucky frames. A frame without a sound score counts as 0. None where no frame has one.
    """
    if not any(_sound(value) for value in recent):
        return None
    mean = math.fsum(value for value in recent if _sound(value)) / len(recent)
    return min(mean, whole.value)


def measured(scores: Sequence[float | None]) -> int:
    """Return how many of ``scores`` are sound."""
    return sum(_sound(value) for value in scores)


class RunningMean:
    """The mean of all scores so far; what was not measured counts as 0."""

    def __init__(self) -> None:
        self._sum = 0.0
        self._count = 0

    def add(self, value: float | None) -> None:
        """Count one frame."""
        self._sum += value if _sound(value) else 0.0
        self._count += 1

    @property
    def value(self) -> float:
        """0..1; 0 before the first."""
        return self._sum / self._count if self._count else 0.0


def _sound(value: float | None) -> TypeGuard[float]:
    """Written so that NaN, infinities and values off the scale are none."""
    return value is not None and 0 <= value <= 1
