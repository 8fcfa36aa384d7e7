"""From cues to a face, and from faces to a visit: how liveness becomes one number.

Cues give evidence in log-odds, and a face's liveness is the logistic of their sum: with every cue that
finds nothing it is near 1, and one that is sure brings it near 0 by itself. Every rule here is monotone
and counts what is missing as dead: less evidence for life, or none at all, never helps.
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
    beat of a screen's pixels, ``PARALLAX`` a face that moves in one piece with what is beside it. The last
    speaks only once the face has moved, and never for life: a picture held still, or cut out, passes it.
    """

    MODEL = "model"
    BORDER = "border"
    SCREEN = "screen"
    PARALLAX = "parallax"


# Log-odds of a face about which no cue has anything to say. Fitted with the weights of
# ``vision.liveness_meter``, so that 0.5 lets some 97 % of live photographs pass.
NOTHING_FOUND = 4.0
# Beyond this a score differs from 0 or 1 by less than 1e-13.
_LARGEST = 30.0


def face_liveness(evidence: Mapping[Cue, float | None]) -> float | None:
    """Return the liveness of a face, 0..1, from the ``evidence`` of each cue in log-odds.

    None where a cue has no finite value, or there is no cue.
    """
    known = [value for value in evidence.values() if value is not None and math.isfinite(value)]
    if not known or len(known) < len(evidence):
        return None
    odds = min(_LARGEST, max(-_LARGEST, NOTHING_FOUND + math.fsum(known)))
    return 1 / (1 + math.exp(-odds))


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
        self.missing = 0  # scores that were none
        self._sum = 0.0
        self._count = 0

    def add(self, value: float | None) -> None:
        """Count one frame."""
        self._sum += value if _sound(value) else 0.0
        self._count += 1
        self.missing += not _sound(value)

    @property
    def value(self) -> float:
        """0..1; 0 before the first."""
        return self._sum / self._count if self._count else 0.0


def _sound(value: float | None) -> TypeGuard[float]:
    """Written so that NaN, infinities and values off the scale are none."""
    return value is not None and 0 <= value <= 1
